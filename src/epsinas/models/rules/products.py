"""Sums of products: matrices, convolutions, look-ups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from epsinas.models.lumped import Along, LumpedTensor, add_rule, aten, full, joined, lumped, spread, taken, wide
from epsinas.models.rules.structure import picked, view


def contracted(x: Tensor, y: Tensor, dim_x: int, dim_y: int, counted: bool = True) -> tuple[LumpedTensor, LumpedTensor]:
    """Bring two tensors to common classes along the dimensions that a product sums over.

    sum_k x[k] y[k] = sum over the classes c of n_c x[c] y[c]: the second tensor is multiplied by the numbers n_c.
    """
    x, y = lumped(x), lumped(y)
    along, first, second = joined(x.classes[dim_x], y.classes[dim_y])
    number = along.number if along else x.shape[dim_x]
    values = []
    for tensor, dim, way in ((x, dim_x, first), (y, dim_y, second)):
        part = taken(tensor.compact, dim, way)
        if part.shape[dim] != number:
            shape = list(part.shape)
            shape[dim] = number
            part = part.expand(shape)
        values.append(part)
    if along is not None and counted:
        shape = [1] * y.ndim
        shape[dim_y] = number
        values[1] = values[1] * along.counts.to(values[1]).reshape(shape)
    others = [[None if d == dim else c for d, c in enumerate(t.classes)] for t, dim in ((x, dim_x), (y, dim_y))]
    return LumpedTensor(values[0], others[0]), LumpedTensor(values[1], others[1])


@add_rule(aten.mm)
def mm(x: Tensor, y: Tensor) -> LumpedTensor:
    """Multiply matrices."""
    a, b = contracted(wide(x), wide(y), 1, 0)
    return LumpedTensor((a.compact @ b.compact).to(x.dtype), [a.classes[0], b.classes[1]])


@add_rule(aten.mv)
def _mv(x: Tensor, y: Tensor) -> LumpedTensor:
    a, b = contracted(wide(x), wide(y), 1, 0)
    return LumpedTensor((a.compact @ b.compact).to(x.dtype), [a.classes[0]])


@add_rule(aten.dot)
def _dot(x: Tensor, y: Tensor) -> LumpedTensor:
    a, b = contracted(wide(x), wide(y), 0, 0)
    return LumpedTensor((a.compact @ b.compact).to(x.dtype), [])


@add_rule(aten.bmm)
def bmm(x: Tensor, y: Tensor) -> LumpedTensor:
    """Multiply batches of matrices."""
    a, b = contracted(wide(x), wide(y), 2, 1)
    (first, second), (along, *_) = _aligned_first(a, b)
    return LumpedTensor((first @ second).to(x.dtype), [along, a.classes[1], b.classes[2]])


def _aligned_first(x: LumpedTensor, y: LumpedTensor) -> tuple[tuple[Tensor, Tensor], tuple[Along]]:
    """Bring two tensors to common classes along their first dimensions."""
    along, first, second = joined(x.classes[0], y.classes[0])
    return (taken(x.compact, 0, first), taken(y.compact, 0, second)), (along,)


@add_rule(aten.addmm, aten.addmv, aten.baddbmm, aten.addbmm)
def _addmm(added: Tensor, x: Tensor, y: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
    if x.ndim == 2 and y.ndim == 2:
        product = mm(x, y)
    elif x.ndim == 3 and added.ndim == 3:
        product = bmm(x, y)
    else:
        return NotImplemented
    return torch.add(beta * added if beta != 1 else added, alpha * product if alpha != 1 else product)


@add_rule(aten.convolution)
def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Any:
    """Convolve one channel of each class with one filter of each class."""
    dtype = x.dtype
    spatial = range(2, weight.ndim)
    a, b = spread(lumped(wide(x)), spatial), spread(lumped(wide(weight)), spatial)
    options = (stride, padding, dilation, transposed, output_padding)
    # Dimensions of the weight: outputs and inputs, of which those of a transposed convolution lie the other way.
    if groups == 1:
        inputs = 0 if transposed else 1
        a, b = contracted(a, b, 1, inputs)
        result = LumpedTensor(
            aten.convolution(a.compact, b.compact, None, *options, 1),
            [a.classes[0], b.classes[1 - inputs], *[None] * len(spatial)],
        )
    else:
        # Channels as (groups, channels of a group): groups with equal inputs and equal filters are one.
        shape = list(a.shape)
        a = view(a, [shape[0], groups, shape[1] // groups, *shape[2:]])
        b = view(b, [groups, b.shape[0] // groups, *b.shape[1:]])
        inputs = 1 if transposed else 2
        a, b = contracted(a, b, 2, inputs)
        along, first, second = joined(a.classes[1], b.classes[0])
        number = along.number if along else groups
        left, right = taken(a.compact, 1, first), taken(b.compact, 0, second)
        left = left.expand(left.shape[0], number, *left.shape[2:])
        right = right.expand(number, *right.shape[1:])
        made = aten.convolution(left.flatten(1, 2), right.flatten(0, 1), None, *options, number)
        outputs = b.classes[3 - inputs]
        grouped_result = LumpedTensor(
            made.unflatten(1, (number, made.shape[1] // number)), [a.classes[0], along, outputs, *[None] * len(spatial)]
        )
        result = view(
            grouped_result,
            [shape[0], groups * grouped_result.shape[2], *made.shape[2:]],
        )
    result = LumpedTensor(result.compact.to(dtype), result.classes)
    return result if bias is None else torch.add(result, bias.reshape([-1] + [1] * len(spatial)))


@add_rule(aten.embedding)
def _embedding(weight: LumpedTensor, indices: Tensor, *_: Any) -> Any:
    flat = picked(lumped(weight), 0, full(indices).flatten().cpu())
    return view(flat, [*indices.shape, weight.shape[1]])


@add_rule(aten.index)
def _index(x: LumpedTensor, indices: Sequence[Tensor | None]) -> Any:
    given = [(dim, index) for dim, index in enumerate(indices) if index is not None]
    if len(given) != 1 or full(given[0][1]).dtype == torch.bool:
        return NotImplemented
    dim, index = given[0][0], full(given[0][1])
    places = index.flatten().cpu() % x.shape[dim]
    return view(picked(lumped(x), dim, places), [*x.shape[:dim], *index.shape, *x.shape[dim + 1 :]])
