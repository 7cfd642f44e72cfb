"""Operations on single entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from epsinas.models.lumped import LumpedTensor, Rule, add_rule, aligned, aten, lumped

_POINTWISE = {
    aten.relu, aten.silu, aten.hardswish, aten.hardsigmoid, aten.hardtanh, aten.leaky_relu, aten.elu, aten.mish,
    aten.softplus, aten.threshold, aten.log_sigmoid_forward, aten.masked_fill, aten.where,
    aten.fill, aten.softshrink, aten.hardshrink, aten.clamp, aten.nan_to_num, aten.zero, aten.lerp, aten.logical_not,
    aten.isnan, aten.isinf, aten.floor_divide,
}  # fmt: skip
"""Those operations on single entries that torch does not tag as such."""


def general(func: Any) -> Rule | None:
    """Return the rule of all operations on single entries, for those that are such."""
    if func._schema.is_mutable or func is aten.where.default:  # which finds places
        return None
    if torch.Tag.pointwise in func.tags or func.overloadpacket in _POINTWISE:
        return lambda *args, **kwargs: pointwise(func, args, kwargs)
    return None


def pointwise(func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Compute an operation on single entries: on one entry for each class that its operands have in common."""
    operands = [x for x in args if isinstance(x, Tensor)]
    if any(isinstance(x, Tensor) for x in kwargs.values()) or len(operands) < 1:
        return NotImplemented
    parts = [lumped(x) for x in operands]
    # `torch.broadcast_shapes` takes longer than all the rest.
    ndim = max(x.ndim for x in parts)
    padded = [(1,) * (ndim - x.ndim) + tuple(x.shape) for x in parts]
    shape = [max(sizes) if min(sizes) else 0 for sizes in zip(*padded, strict=True)]
    if any(size not in (1, wanted) for sizes in padded for size, wanted in zip(sizes, shape, strict=True)):
        return NotImplemented  # to torch's own error
    values, classes = aligned(parts, shape)
    found = iter(values)
    result = func(*(next(found) if isinstance(x, Tensor) else x for x in args), **kwargs)
    if isinstance(result, Tensor):
        return LumpedTensor(result, classes)
    return tuple(LumpedTensor(part, classes) for part in result)


@add_rule(aten._prelu_kernel)
def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    # Torch's own derivative is for operands of one shape, which the smaller tensors need not have.
    return torch.where(torch.gt(x, 0), x, torch.mul(x, slope))
