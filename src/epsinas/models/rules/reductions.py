"""Sums, means and the like over dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from epsinas.models.lumped import LumpedTensor, Rule, add_rule, aten, lumped, wide


def _dims(x: Tensor, dims: int | Sequence[int] | None) -> list[int]:
    if dims is None or (not isinstance(dims, int) and len(dims) == 0):
        return list(range(x.ndim))
    return sorted(dim % x.ndim for dim in ([dims] if isinstance(dims, int) else dims)) if x.ndim else []


def _kept(x: LumpedTensor, values: Tensor, dims: Sequence[int], keepdim: bool) -> LumpedTensor:
    """Make the result of a reduction, whose values have kept the dimensions at size 1."""
    classes = [None if dim in dims else along for dim, along in enumerate(x.classes)]
    result = LumpedTensor(values, classes)
    return result if keepdim else _squeeze_all(result, dims)


def _squeeze_all(x: LumpedTensor, dims: Sequence[int]) -> LumpedTensor:
    kept = [dim for dim in range(x.ndim) if dim not in dims]
    return LumpedTensor(x.compact.reshape([x.compact.shape[d] for d in kept]), [x.classes[d] for d in kept])


@add_rule(aten.mean)
def mean(
    x: LumpedTensor, dims: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> LumpedTensor:
    """Average entries, each class as often as it occurs; that of one class is its entry, without rounding."""
    chosen = _dims(x, dims)
    values = wide(x.compact) if dtype is None else x.compact.to(dtype)
    ordinary = [dim for dim in chosen if x.classes[dim] is None]
    for dim in chosen:
        along = x.classes[dim]
        if along is not None and along.members is not None:
            shape = [1] * x.ndim
            shape[dim] = along.number
            values = (values * (along.counts.to(values) / along.size).reshape(shape)).sum(dim, keepdim=True)
    if ordinary:
        values = values.mean(ordinary, keepdim=True)
    return _kept(x, values.to(dtype or x.dtype), chosen, keepdim)


@add_rule(aten.sum)
def total(
    x: LumpedTensor, dims: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> LumpedTensor:
    """Add entries up, each class as often as it occurs."""
    chosen = _dims(x, dims)
    if dtype is None:
        dtype = x.dtype if x.dtype.is_floating_point or x.dtype.is_complex else torch.int64
    values = wide(x.compact.to(dtype))
    for dim in chosen:
        along = x.classes[dim]
        if along is not None:
            shape = [1] * x.ndim
            shape[dim] = along.number
            values = values * along.counts.to(values).reshape(shape)
    values = values.sum(chosen, keepdim=True) if chosen else values
    return _kept(x, values.to(dtype), chosen, keepdim)


def _extreme(func: Any, x: LumpedTensor, dims: int | Sequence[int] | None, keepdim: bool) -> LumpedTensor:
    chosen = _dims(x, dims)
    return _kept(x, func(x.compact, chosen, True), chosen, keepdim)


@add_rule(aten.amax)
def _amax(x: LumpedTensor, dims: Sequence[int] = (), keepdim: bool = False) -> LumpedTensor:
    return _extreme(aten.amax, x, dims, keepdim)


@add_rule(aten.amin)
def _amin(x: LumpedTensor, dims: Sequence[int] = (), keepdim: bool = False) -> LumpedTensor:
    return _extreme(aten.amin, x, dims, keepdim)


def mean_and_variance(x: LumpedTensor, dims: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance over dimensions that are kept; the variance of one class is exactly 0."""
    average = mean(x, dims, True)
    deviation = lumped(torch.sub(x, average))
    return average, mean(lumped(torch.mul(deviation, deviation)), dims, True)


@add_rule(aten.var_mean.correction)
def _var_mean(
    x: LumpedTensor, dims: int | Sequence[int] | None = None, *, correction: float | None = 1, keepdim: bool = False
) -> tuple[Any, Any]:
    chosen = _dims(x, dims)
    average, variance = mean_and_variance(x, chosen)
    count = math.prod(x.shape[dim] for dim in chosen)
    scale = count / max(count - (1 if correction is None else correction), 0) if count else math.nan
    variance = lumped(torch.mul(variance, scale))
    if not keepdim:
        return _squeeze_all(variance, chosen), _squeeze_all(lumped(average), chosen)
    return variance, average


@add_rule(aten.var.correction)
def _var(x: LumpedTensor, dims: Any = None, *, correction: float | None = 1, keepdim: bool = False) -> Any:
    return _var_mean(x, dims, correction=correction, keepdim=keepdim)[0]


@add_rule(aten.std.correction)
def _std(x: LumpedTensor, dims: Any = None, *, correction: float | None = 1, keepdim: bool = False) -> Any:
    return torch.sqrt(_var(x, dims, correction=correction, keepdim=keepdim))


@add_rule(aten.std_mean.correction)
def _std_mean(x: LumpedTensor, dims: Any = None, *, correction: float | None = 1, keepdim: bool = False) -> Any:
    variance, average = _var_mean(x, dims, correction=correction, keepdim=keepdim)
    return torch.sqrt(variance), average


@add_rule(aten.linalg_vector_norm)
def _vector_norm(
    x: LumpedTensor, order: float = 2, dims: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    if order == 0 or dtype is not None or x.is_complex():
        return NotImplemented
    size = lumped(torch.abs(x))
    if math.isinf(order):
        return _extreme(aten.amax if order > 0 else aten.amin, size, dims, keepdim)
    if order == 2:
        return torch.sqrt(total(lumped(torch.mul(x, x)), dims, keepdim))
    return torch.pow(total(lumped(torch.pow(size, order)), dims, keepdim), 1 / order)


def _of_all_classes(func: Any) -> Rule:
    """Make the rule of an operation on all entries, for which it does not matter how often one occurs."""

    def rule(x: LumpedTensor) -> LumpedTensor:
        return LumpedTensor(func(x.compact), [])

    return rule


for _operation in (aten.max.default, aten.min.default, aten.any.default, aten.all.default):
    add_rule(_operation)(_of_all_classes(_operation))


@add_rule(aten._softmax)
def softmax(x: LumpedTensor, dim: int, half_to_float: bool = False) -> Any:
    """Compute exp x / sum exp x, in which each class counts as often as it occurs."""
    dim %= max(x.ndim, 1)
    if x.classes[dim] is None:
        return LumpedTensor(torch.softmax(x.compact, dim), x.classes)
    shifted = torch.exp(torch.sub(x, _extreme(aten.amax, x, [dim], True)))
    return torch.div(shifted, total(lumped(shifted), dim, True))


@add_rule(aten._safe_softmax)
def _safe_softmax(x: LumpedTensor, dim: int, dtype: Any = None) -> Any:
    x = lumped(x if dtype is None else x.to(dtype))
    masked = torch.eq(_extreme(aten.amax, x, [dim], True), -math.inf)
    return torch.masked_fill(softmax(x, dim), masked, 0.0)


@add_rule(aten.logsumexp)
def _logsumexp(x: LumpedTensor, dims: Sequence[int], keepdim: bool = False) -> Any:
    if not x.is_floating_point():
        return NotImplemented
    largest = lumped(_extreme(aten.amax, x, dims, True))
    # One infinite entry makes the result infinite, and the difference of two is not a number.
    largest = lumped(torch.where(torch.isinf(largest), 0.0, largest))
    result = torch.add(torch.log(total(lumped(torch.exp(torch.sub(x, largest))), dims, True)), largest)
    return result if keepdim else _squeeze_all(lumped(result), _dims(x, dims))


@add_rule(aten._log_softmax)
def _log_softmax(x: LumpedTensor, dim: int, half_to_float: bool = False) -> Any:
    dim %= max(x.ndim, 1)
    if x.classes[dim] is None:
        return LumpedTensor(torch.log_softmax(x.compact, dim), x.classes)
    shifted = torch.sub(x, _extreme(aten.amax, x, [dim], True))
    return torch.sub(shifted, torch.log(total(lumped(torch.exp(shifted)), dim, True)))
