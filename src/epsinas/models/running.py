"""A model's outputs under a constant weight, lumped or at full width."""

from __future__ import annotations

import time
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from epsinas.models.lumped import LumpedTensor, aten, constant, evaluate

_CONSTANTS = {aten.zeros, aten.ones, aten.full, aten.new_zeros, aten.new_ones, aten.new_full}


class Watch(TorchDispatchMode):
    """Watches every operation of a model.

    Args:
        lump: whether tensors of zeros, ones or another number that the model makes are to be lumped.

    Attributes:
        records: of each operation its name, whether it was computed on lumped tensors (None where there were none), and
            seconds.
        running_averages: whether a batch normalisation took these.
    """

    def __init__(self, lump: bool):
        super().__init__()
        self.lump = lump
        self.records: list[tuple[str, bool | None, float]] = []
        self.running_averages = False

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Compute an operation, and record it."""
        kwargs = kwargs or {}
        start = time.perf_counter()
        lumped: bool | None = None
        if any(issubclass(kind, LumpedTensor) for kind in types):
            result, lumped = evaluate(func, args, kwargs)
        else:
            result = func(*args, **kwargs)
            if self.lump and func.overloadpacket in _CONSTANTS and result.numel() > 1:
                result = constant(result, result.flatten()[0].item())
        self.records.append((func._schema.name.removeprefix("aten::"), lumped, time.perf_counter() - start))
        return result
