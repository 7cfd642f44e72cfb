"""Normalisation by batch, group and layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from epsinas.models.lumped import LumpedTensor, add_rule, aligned, aten, full, lumped, nothing, spread, wide
from epsinas.models.rules.reductions import mean_and_variance
from epsinas.models.rules.structure import inferred, view


def normalised_by_batch(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise one channel of each class by the mean and variance of its entries."""
    part = lumped(x)
    dims = [dim for dim in range(x.ndim) if dim != 1]
    # Entries of a batch or of an image that are equal count as often as they occur.
    part = spread(part, dims)
    values, scale, shift = part.compact, full(weight), full(bias)
    shape = [1, -1] + [1] * (x.ndim - 2)
    given = [lumped(tensor) for tensor in (weight, bias) if tensor is not None]
    if any(along is not None for tensor in (part, *given) for along in tensor.classes):
        columns = [view(tensor, inferred(tensor.numel(), shape)) for tensor in given]
        (values, *rest), classes = aligned([part, *columns], x.shape)
        number = max(tensor.shape[1] for tensor in (values, *rest))
        values = values.expand(-1, number, *[-1] * (x.ndim - 2))
        found = iter([tensor.flatten().expand(number) for tensor in rest])
        scale, shift = (None if tensor is None else next(found) for tensor in (weight, bias))
    else:
        classes = list(part.classes)
    values = functional.batch_norm(values, None, None, scale, shift, training=True, eps=epsilon)
    return LumpedTensor(values, classes), nothing(x), nothing(x)


@add_rule(aten._native_batch_norm_legit.no_stats)
def _without_averages(x: Tensor, weight: Any, bias: Any, training: bool, momentum: float, epsilon: float) -> Any:
    return normalised_by_batch(x, weight, bias, epsilon)


@add_rule(aten._batch_norm_with_update.default)
def _with_update(
    x: Tensor, weight: Any, bias: Any, average: Any, variance: Any, momentum: float, epsilon: float
) -> Any:
    return *normalised_by_batch(x, weight, bias, epsilon), nothing(x)


@add_rule(aten._native_batch_norm_legit_no_training)
def _by_running_averages(
    x: Tensor, weight: Any, bias: Any, average: Any, variance: Any, momentum: float, epsilon: float
) -> Any:
    shape = [1, -1] + [1] * (x.ndim - 2)
    inverse = torch.rsqrt(torch.add(variance, epsilon))
    result = torch.mul(torch.sub(x, average.reshape(shape)), inverse.reshape(shape))
    return _affine(result, weight, bias, shape).to(x.dtype), nothing(x), nothing(x)


@add_rule(aten.native_batch_norm, aten._native_batch_norm_legit.default, aten.miopen_batch_norm)
def _batch_norm(
    x: Tensor, weight: Any, bias: Any, average: Any, variance: Any, training: bool, momentum: float, epsilon: float
) -> Any:
    if training:
        return normalised_by_batch(x, weight, bias, epsilon)
    return _by_running_averages(x, weight, bias, average, variance, momentum, epsilon)


@add_rule(aten.cudnn_batch_norm)
def _cudnn_batch_norm(x: Tensor, *args: Any) -> Any:
    return *_batch_norm(x, *args), nothing(x)


def _affine(x: Any, weight: Any, bias: Any, shape: Sequence[int]) -> Any:
    if weight is not None:
        x = torch.mul(x, weight.reshape(shape))
    return x if bias is None else torch.add(x, bias.reshape(shape))


@add_rule(aten.native_group_norm)
def _group_norm(
    x: Tensor, weight: Any, bias: Any, batch: int, channels: int, area: int, groups: int, epsilon: float
) -> Any:
    parts = view(lumped(x), [batch, groups, channels // groups, area])
    average, variance = mean_and_variance(LumpedTensor(wide(parts.compact), parts.classes), [2, 3])
    inverse = torch.rsqrt(torch.add(variance, epsilon))
    result = torch.mul(torch.sub(parts, average), inverse)
    result = view(lumped(result), list(x.shape))
    return _affine(result, weight, bias, [1, -1] + [1] * (x.ndim - 2)).to(x.dtype), nothing(x), nothing(x)


@add_rule(aten.native_layer_norm)
def _layer_norm(x: Tensor, shape: Sequence[int], weight: Any, bias: Any, epsilon: float) -> Any:
    part = lumped(wide(x))
    dims = list(range(x.ndim - len(shape), x.ndim))
    average, variance = mean_and_variance(part, dims)
    result = torch.mul(torch.sub(part, average), torch.rsqrt(torch.add(variance, epsilon)))
    return _affine(result, weight, bias, shape).to(x.dtype), nothing(x), nothing(x)
