"""Operations along some dimensions, which are held in full, while the others keep their classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from epsinas.models.lumped import LumpedTensor, Rule, add_rule, aten, full, lumped, spread
from epsinas.models.rules.structure import permute, transpose, view

_LAST = {
    1: (aten.max_pool1d, aten.avg_pool1d, aten.adaptive_avg_pool1d, aten.reflection_pad1d, aten.replication_pad1d,
        aten.upsample_nearest1d, aten.upsample_linear1d, aten._upsample_nearest_exact1d, aten.adaptive_max_pool1d),
    2: (aten.max_pool2d_with_indices, aten.avg_pool2d, aten._adaptive_avg_pool2d, aten.adaptive_max_pool2d,
        aten.reflection_pad2d, aten.replication_pad2d, aten.upsample_nearest2d, aten.upsample_bilinear2d,
        aten.upsample_bicubic2d, aten._upsample_nearest_exact2d, aten._upsample_bilinear2d_aa,
        aten._upsample_bicubic2d_aa, aten.fractional_max_pool2d, aten.tril, aten.triu),
    3: (aten.max_pool3d_with_indices, aten.avg_pool3d, aten._adaptive_avg_pool3d, aten.adaptive_max_pool3d,
        aten.reflection_pad3d, aten.replication_pad3d, aten.upsample_nearest3d, aten.upsample_trilinear3d,
        aten._upsample_nearest_exact3d),
}  # fmt: skip
"""Operations along some of the last dimensions: rows, images, volumes, matrices."""


def _along_last(func: Any, dims: int) -> Rule:
    def rule(x: Tensor, *args: Any, **kwargs: Any) -> Any:
        if x.ndim < dims:
            return NotImplemented
        part = spread(lumped(x), range(x.ndim - dims, x.ndim))
        result = func(part.compact.contiguous(), *args, **kwargs)
        if isinstance(result, Tensor):
            return LumpedTensor(result, part.classes)
        return tuple(LumpedTensor(one, part.classes) for one in result)

    return rule


for _dims, _operations in _LAST.items():
    for _packet in _operations:
        add_rule(_packet)(_along_last(_packet, _dims))


def _along_one(func: Any, at: int, default: int | None) -> Rule:
    """Make the rule of an operation along the dimension that its argument number `at` names."""

    def rule(x: Tensor, *args: Any, **kwargs: Any) -> Any:
        dim = args[at] if len(args) > at else kwargs.get("dim", default)
        if not isinstance(x, LumpedTensor) or dim is None or x.ndim == 0:
            return NotImplemented
        part = spread(x, [dim % x.ndim])
        result = func(part.compact.contiguous(), *args, **kwargs)
        results = [result] if isinstance(result, Tensor) else list(result)
        classes = list(part.classes)
        if results[0].ndim < x.ndim:
            del classes[dim % x.ndim]
        made = tuple(LumpedTensor(one, classes) for one in results)
        return made[0] if isinstance(result, Tensor) else made

    return rule


for _operation, _at, _default in (
    (aten.cumsum.default, 0, None), (aten.cumprod.default, 0, None), (aten.sort.default, 0, -1),
    (aten.sort.stable, 0, -1), (aten.topk.default, 1, -1), (aten.max.dim, 0, None), (aten.min.dim, 0, None),
    (aten.argmax.default, 0, None), (aten.argmin.default, 0, None), (aten.any.dim, 0, None), (aten.all.dim, 0, None),
    (aten.prod.dim_int, 0, None), (aten.median.dim, 0, None), (aten.kthvalue.default, 1, -1),
    (aten.cummax.default, 0, None), (aten.cummin.default, 0, None), (aten.glu.default, 0, -1),
):  # fmt: skip
    add_rule(_operation)(_along_one(_operation, _at, _default))


@add_rule(aten.im2col)
def _windows_as_columns(x: LumpedTensor, kernel: Sequence[int], *args: Any) -> Any:
    if x.ndim != 4:
        return NotImplemented
    part = spread(x, [2, 3])
    columns = aten.im2col(part.compact, kernel, *args)
    columns = columns.unflatten(1, (part.compact.shape[1], math.prod(kernel)))
    return view(LumpedTensor(columns, [*part.classes[:2], None, None]), [x.shape[0], -1, columns.shape[3]])


@add_rule(aten.col2im)
def _columns_as_windows(x: LumpedTensor, size: Sequence[int], kernel: Sequence[int], *args: Any) -> Any:
    if x.ndim != 3:
        return NotImplemented
    part = spread(view(x, [x.shape[0], -1, math.prod(kernel), x.shape[2]]), [2, 3])
    result = aten.col2im(part.compact.flatten(1, 2), size, kernel, *args)
    return LumpedTensor(result, part.classes)


@add_rule(aten.grid_sampler_2d)
def _grid_sampler(x: Tensor, grid: Tensor, *args: Any) -> Any:
    part = spread(lumped(x), [0, 2, 3])
    return LumpedTensor(aten.grid_sampler_2d(part.compact.contiguous(), full(grid), *args), part.classes)


@add_rule(aten.pixel_shuffle)
def _pixel_shuffle(x: LumpedTensor, factor: int) -> Any:
    *batch, channels, height, width = x.shape
    parts = view(x, [*batch, channels // factor**2, factor, factor, height, width])
    k = len(batch)
    moved = permute(parts, [*range(k), k, k + 3, k + 1, k + 4, k + 2])
    return view(moved, [*batch, channels // factor**2, height * factor, width * factor])


@add_rule(aten.pixel_unshuffle)
def _pixel_unshuffle(x: LumpedTensor, factor: int) -> Any:
    *batch, channels, height, width = x.shape
    parts = view(x, [*batch, channels, height // factor, factor, width // factor, factor])
    k = len(batch)
    moved = permute(parts, [*range(k), k, k + 2, k + 4, k + 1, k + 3])
    return view(moved, [*batch, channels * factor**2, height // factor, width // factor])


@add_rule(aten.channel_shuffle, aten.native_channel_shuffle)
def _channel_shuffle(x: LumpedTensor, groups: int) -> Any:
    parts = view(x, [x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]])
    return view(transpose(parts, 1, 2), list(x.shape))
