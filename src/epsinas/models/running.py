"""A model's outputs under a constant weight, lumped or at full width."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from epsinas.engines.base import ENGINES
from epsinas.errors import InputError, one_line
from epsinas.models.calls import arguments, output
from epsinas.models.constants import Copy, constant_copy, filled
from epsinas.models.lumped import LumpedTensor, aten, compute, constant_tensor, full

_CONSTANTS = {aten.zeros, aten.ones, aten.full, aten.new_zeros, aten.new_ones, aten.new_full}

_BATCH_NORMS = {"batch_norm", "native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm", "miopen_batch_norm"}


@dataclass
class Tally:
    """How often an operation was computed on lumped tensors, how often at full width, and how long it took."""

    lumped: int = 0
    full_width: int = 0
    seconds: float = 0.0


@dataclass
class Signal:
    """A layer's output: the layer's name and kind, and `varies`, `constant`, `zero` or `not finite`."""

    layer: str
    kind: str
    state: str


@dataclass
class Pass:
    """What a model gave under a constant weight.

    Attributes:
        values: as the model gave them.
        engine: that computed them.
        copy: of the model, with the roles of its parameters and notes.
        notes: further notes of one line.
        operations: by name.
        signals: of all layers in the order in which they ended, where they were asked for.
        seconds: that it took.
    """

    values: Tensor
    engine: str
    copy: Copy
    notes: list[str]
    operations: dict[str, Tally]
    signals: list[Signal]
    seconds: float


@dataclass
class Tallying(TorchDispatchMode):
    """Computes every operation of a model, and counts it; tensors of zeros or ones that it makes may be lumped."""

    lump: bool
    operations: dict[str, Tally] = field(default_factory=dict)
    running_averages: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep torch from importing its compiler, which takes longer than most models do."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        start = time.perf_counter()
        lumped = False
        if any(issubclass(kind, LumpedTensor) for kind in types):
            result, lumped = compute(func, args, kwargs)
        else:
            result = func(*args, **kwargs)
            if self.lump and func.overloadpacket in _CONSTANTS and result.numel() > 1:
                result, lumped = constant_tensor(result, result.flatten()[0].item()), True
        name = func._schema.name.removeprefix("aten::")
        if (name in _BATCH_NORMS and args[5] is False) or name == "_native_batch_norm_legit_no_training":
            self.running_averages = True
        known = self.operations.setdefault(name, Tally())
        known.lumped += lumped
        known.full_width += not lumped
        known.seconds += time.perf_counter() - start
        return result


def run(
    model: nn.Module,
    batch: Any,
    weight: float,
    engine: str = "lumped",
    roles: Mapping[str, str] | None = None,
    dtype: torch.dtype | None = None,
    signals: bool = False,
) -> Pass:
    """Compute a model's outputs with every weight equal.

    Args:
        model: it is copied, and not touched.
        batch: see `epsinas.models.calls.arguments`.
        weight: the constant.
        engine: `lumped` or `full-width`.
        roles: see `epsinas.models.constants.constant_copy`.
        dtype: of parameters and batch; their own by default.
        signals: whether to look at the output of every layer.

    Raises:
        InputError: unknown engine, or what copying, batch and outputs raise.
    """
    check_engine(engine)
    error = ""
    if engine == "lumped" and not isinstance(model, torch.jit.ScriptModule):
        # In inference mode a view does not keep what it is of, and a view that is alone can be changed without regard.
        with torch.inference_mode():
            try:
                return _pass(model, batch, weight, "lumped", roles, dtype, signals)
            except InputError:
                raise
            except Exception as caught:  # whatever a model does that a lumped tensor cannot follow
                error = f"{type(caught).__name__}: {one_line(caught, 120)}"
    with torch.no_grad():
        found = _pass(model, batch, weight, "full-width", roles, dtype, signals)
    if error:
        found.notes.append(f"ran at full width, since lumping failed: {error}")
    return found


def check_engine(engine: str) -> None:
    """Raise `InputError` where there is no such engine."""
    if engine not in ENGINES:
        raise InputError(f"engine: found {engine!r}, expected one of {', '.join(ENGINES)}")


def _pass(
    model: nn.Module,
    batch: Any,
    weight: float,
    engine: str,
    roles: Mapping[str, str] | None,
    dtype: torch.dtype | None,
    signals: bool,
) -> Pass:
    start = time.perf_counter()
    make = constant_tensor if engine == "lumped" else filled

    def parameter(tensor: Tensor, value: float) -> Tensor:
        converted = dtype is not None and tensor.is_floating_point()
        return make(torch.empty_like(tensor, dtype=dtype) if converted else tensor, value)

    copied = constant_copy(model, weight, roles, parameter)
    positional, named = arguments(batch)
    if dtype is not None:
        convert_buffers(copied.module, dtype)
        positional, named = _converted(positional, dtype), _converted(named, dtype)
    found: list[Signal] = []
    if engine == "lumped":
        put_time_first(copied.module)
    if signals:
        _listen(copied.module, found)
    notes: list[str] = []
    with own_randomness() as drew:
        with composed_attention(), Tallying(engine == "lumped") as watch:
            result = output(copied.module(*positional, **named))
        if drew():
            notes.append("the model draws random numbers: the score is that of one draw, with torch's seed 0")
    if watch.running_averages:
        notes.append("batch normalisation by running averages, as in an exported model, rather than by the batch")
    values = full(result).detach()
    return Pass(
        values.cpu(),
        engine,
        copied,
        notes,
        watch.operations,
        found,
        time.perf_counter() - start,
    )


def _converted(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, Mapping):
        return {key: _converted(one, dtype) for key, one in value.items()}
    return type(value)(_converted(one, dtype) for one in value) if isinstance(value, tuple | list) else value


def convert_buffers(module: nn.Module, dtype: torch.dtype) -> None:
    """Convert floating-point buffers, such as running averages, to a dtype."""
    for part in module.modules():
        for name, buffer in part._buffers.items():
            if buffer is not None and buffer.is_floating_point():
                part._buffers[name] = buffer.to(dtype)


def put_time_first(module: nn.Module) -> None:
    """Transpose what recurrent layers take and give, as they do by operations that change a tensor's shape in place."""

    def transposed(first: Any, *others: Any) -> tuple:
        return first.transpose(0, 1) if isinstance(first, Tensor) and first.ndim == 3 else first, *others

    def before(part: nn.RNNBase, given: tuple) -> tuple:
        return transposed(*given)

    def after(part: nn.RNNBase, given: tuple, result: tuple) -> tuple:
        return transposed(*result)

    for part in module.modules():
        if isinstance(part, nn.RNNBase) and part.batch_first:
            part.batch_first = False
            part.register_forward_pre_hook(before, prepend=True)
            part.register_forward_hook(after, prepend=True)


def _listen(module: nn.Module, found: list[Signal]) -> None:
    """Record the output of every layer when it ends."""
    for name, part in module.named_modules():
        if name:

            def hook(part: nn.Module, inputs: Any, result: Any, name: str = name) -> None:
                tensors = [
                    x for x in (result if isinstance(result, tuple | list) else [result]) if isinstance(x, Tensor)
                ]
                if tensors and tensors[0].is_floating_point():
                    with _disable_current_modes():  # which would count what is computed here
                        found.append(Signal(name, type(part).__name__, state(tensors[0])))

            part.register_forward_hook(hook)


def state(x: Tensor) -> str:
    """Say whether a tensor is `not finite` somewhere, `zero`, `constant` over its first dimension, or `varies`."""
    if isinstance(x, LumpedTensor):
        alone = x.ndim > 0 and x.classes[0] is not None and x.classes[0].number == 1
        values = x.compact
    else:
        alone, values = False, x
    if not torch.isfinite(values).all():
        return "not finite"
    if not values.any():
        return "zero"
    if values.ndim == 0 or alone or torch.equal(values, values[:1].expand_as(values)):
        return "constant"
    return "varies"


@contextmanager
def composed_attention() -> Iterator[None]:
    """Keep encoder layers from their fused form, whose operations have no rules."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


@contextmanager
def own_randomness() -> Iterator[Any]:
    """Give a model random numbers of its own; yield a function that says whether it took any."""
    ours, theirs = random.getstate(), np.random.get_state()  # noqa: NPY002  # the model's, which is to be kept
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices):
        torch.manual_seed(0)
        first = torch.get_rng_state()
        try:
            yield lambda: not torch.equal(first, torch.get_rng_state())
        finally:
            random.setstate(ours)
            np.random.set_state(theirs)  # noqa: NPY002
