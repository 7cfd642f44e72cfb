"""Sums of products: matrices, convolutions, look-ups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from epsinas.models.lumped import LumpedTensor, add_rule, aten, full, joined, lumped, spread, taken, wide
from epsinas.models.rules.structure import picked, unsqueeze, view


def contracted(x: Tensor, y: Tensor, dim_x: int, dim_y: int) -> tuple[LumpedTensor, LumpedTensor]:
    """Bring two tensors to common classes along the dimensions that a product sums over.

    sum_k x[k] y[k] = sum over the classes c of n_c x[c] y[c]: the second tensor is multiplied by the numbers n_c.
    """
    x, y = lumped(x), lumped(y)
    if x.shape[dim_x] != y.shape[dim_y]:
        # At full width torch says so in words that name the operation.
        raise RuntimeError(f"found {x.shape[dim_x]} and {y.shape[dim_y]} terms, expected as many")
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
    if along is not None:
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
    along, first, second = joined(a.classes[0], b.classes[0])
    product = taken(a.compact, 0, first) @ taken(b.compact, 0, second)
    return LumpedTensor(product.to(x.dtype), [along, a.classes[1], b.classes[2]])


@add_rule(aten.addmm, aten.addmv, aten.baddbmm, aten.addbmm)
def _addmm(added: Tensor, x: Tensor, y: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
    if x.ndim == 2 and y.ndim == 2:
        product = mm(x, y)
    elif x.ndim == 3 and added.ndim == 3:
        product = bmm(x, y)
    elif y.ndim == 1:
        product = _mv(x, y)
    else:
        return NotImplemented
    product = lumped(alpha * product if alpha != 1 else product)
    if beta == 0:  # what is added is ignored, also where it is not finite
        return product
    return torch.add(beta * added if beta != 1 else added, product)


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
    spatial = range(2, weight.ndim)
    a, b = spread(lumped(wide(x)), spatial), lumped(wide(weight))
    even = not transposed and all(size == 1 for size in b.compact.shape[2:])
    if not even:
        b = spread(b, spatial)
    # Channels as (groups, channels of a group): groups with equal inputs and equal filters are one. Of the weight's
    # dimensions, a transposed convolution has inputs and outputs the other way round.
    if groups > 1:
        a = view(a, [x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]])
        b = view(b, [groups, weight.shape[0] // groups, *weight.shape[1:]])
    else:
        a, b = unsqueeze(a, 1), unsqueeze(b, 0)
    a, b = contracted(a, b, 2, 1 if transposed else 2)
    along, first, second = joined(a.classes[1], b.classes[0])
    number = along.number if along else groups
    left, right = taken(a.compact, 1, first), taken(b.compact, 0, second)
    left = left.expand(left.shape[0], number, *left.shape[2:])
    right = right.expand(number, *right.shape[1:])
    if even:
        made = _even_convolution(left, right.flatten(2), weight.shape[2:], stride, padding, dilation)
    else:
        options = (stride, padding, dilation, transposed, output_padding, number)
        made = aten.convolution(left.flatten(1, 2), right.flatten(0, 1), None, *options)
        made = made.unflatten(1, (number, made.shape[1] // number))
    outputs = b.classes[2 if transposed else 1]
    parts = LumpedTensor(made.to(x.dtype), [a.classes[0], along, outputs, *[None] * len(spatial)])
    if groups > 1:
        result = view(parts, [x.shape[0], groups * parts.shape[2], *made.shape[3:]])
    else:
        result = LumpedTensor(parts.compact.squeeze(1), [a.classes[0], *parts.classes[2:]])
    return result if bias is None else torch.add(result, bias.reshape([-1] + [1] * len(spatial)))


def _even_convolution(
    x: Tensor,
    weight: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Tensor:
    """Convolve with filters that are constant over their window: sums over windows, one dimension after the other.

    Args:
        x: (N, groups, inputs, ...).
        weight: (groups, outputs, inputs).

    Returns:
        (N, groups, outputs, ...).
    """
    if weight.shape[2] > 1 and weight.stride(2) == 0:
        x, weight = x.sum(2, keepdim=True), weight[:, :, :1]
    windows_first = x.shape[2] <= weight.shape[1]
    if windows_first:
        x = _windows(x, kernel, stride, padding, dilation)
    if weight.shape[2] == 1:
        x = x * weight.reshape(1, *weight.shape[:2], *[1] * (x.ndim - 3))
    else:
        x = torch.einsum("gok,ngk...->ngo...", weight, x)
    return x if windows_first else _windows(x, kernel, stride, padding, dilation)


def _windows(
    x: Tensor, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> Tensor:
    """Sum over windows of the last dimensions."""
    border = [side for pad in reversed(padding) for side in (pad, pad)]
    if any(border):
        x = functional.pad(x, border)
    for dim, (size, step, apart) in enumerate(zip(kernel, stride, dilation, strict=True), x.ndim - len(kernel)):
        last = (x.shape[dim] - apart * (size - 1) - 1) // step * step
        places = [x.narrow(dim, apart * k, last + 1) for k in range(size)]
        if step > 1:
            places = [aten.slice(place, dim, 0, None, step) for place in places]
        x = places[0] if size == 1 else places[0] + places[1]
        for place in places[2:]:
            x += place
    return x


@add_rule(aten._trilinear)
def _trilinear(
    x: Tensor,
    y: Tensor,
    z: Tensor,
    expand_x: Sequence[int],
    expand_y: Sequence[int],
    expand_z: Sequence[int],
    summed: Sequence[int],
    _: int = 1,
) -> Any:
    parts = []
    for tensor, dims in ((x, expand_x), (y, expand_y), (z, expand_z)):
        part = lumped(tensor)
        for dim in dims:
            part = unsqueeze(part, dim)
        parts.append(part)
    product = torch.mul(torch.mul(parts[0], parts[1]), parts[2])
    return torch.sum(product, list(summed)) if summed else product


@add_rule(aten.embedding)
def _embedding(weight: LumpedTensor, indices: Tensor, *_: Any) -> Any:
    flat = picked(lumped(weight), 0, full(indices).flatten().cpu())
    return view(flat, [*indices.shape, weight.shape[1]])


@add_rule(aten.index)
def _index(x: LumpedTensor, indices: Sequence[Tensor | None]) -> Any:
    given = [(dim, index) for dim, index in enumerate(indices) if index is not None]
    if len(given) != 1 or given[0][1].dtype in (torch.bool, torch.uint8):  # of which a mask may be
        return NotImplemented
    dim, index = given[0][0], full(given[0][1])
    places = index.flatten().cpu() % x.shape[dim]
    return view(picked(lumped(x), dim, places), [*x.shape[:dim], *index.shape, *x.shape[dim + 1 :]])
