"""The layers of a model as it calls them, whatever module they are in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.jit import ScriptModule
from torch.overrides import TorchFunctionMode

from epsinas.errors import InputError

_LAYERS = {f"conv{transposed}{dims}d": "conv" for transposed in ("", "_transpose") for dims in (1, 2, 3)} | {
    "linear": "linear",
    "batch_norm": "batch_norm",
    "relu": "relu",
    "relu_": "relu",
    "relu6": "relu",
}
"""What search spaces call the functions of torch, by their names."""

_NORMALISATIONS = {"batch_norm", "instance_norm", "group_norm", "layer_norm", "rms_norm", "local_response_norm"}

Call = Callable[[], Any]


class Interception(TorchFunctionMode):
    """While it is entered, calls of layers go through a function.

    Args:
        layer: is given a layer's name as search spaces have it (`conv`, `linear`, `batch_norm`, `relu`, or
            `normalisation` for other ones), its arguments, and what calls it; it returns what the layer is to return.
            Of a normalisation by the batch the name is `batch_norm`.

    Example:
        >>> import torch
        >>> with Interception(lambda name, arguments, call: print(name) or call()):
        ...     nn.Sequential(nn.Linear(1, 1), nn.ReLU(inplace=True), nn.Sigmoid())(torch.zeros(1, 1)).shape
        linear
        relu
        torch.Size([1, 1])
    """

    def __init__(self, layer: Callable[[str, Sequence[Any], Call], Any]):
        super().__init__()
        self._layer = layer

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        """Give a layer to the function, and call anything else."""
        options = kwargs or {}
        name = getattr(func, "__name__", "")
        known = _LAYERS.get(name, "normalisation" if name in _NORMALISATIONS else "")
        given = (*args, *options.values())
        if name == "hardtanh" and given[1:2] == (0.0,):  # which is what the module ReLU6 calls
            known = "relu"
        return self._layer(known, given, lambda: func(*args, **options)) if known else func(*args, **options)


def without_normalisation() -> Interception:
    """Have normalisations pass on what they get, while it is entered."""
    kinds = ("batch_norm", "normalisation")
    return Interception(lambda name, arguments, call: arguments[0] if name in kinds else call())


def watching(watch: Callable[[str, tuple[Any, ...], Any], object]) -> Interception:
    """Tell `watch` of every layer's name, arguments and output, while it is entered."""

    def layer(name: str, arguments: Sequence[Any], call: Call) -> Any:
        result = call()
        watch(name, tuple(arguments), result)
        return result

    return Interception(layer)


def recording(layers: list[tuple[Tensor, Tensor]]) -> Interception:
    """Append weight and output of every convolution and linear layer, while it is entered."""

    def layer(name: str, arguments: Sequence[Any], call: Call) -> Any:
        result = call()
        if name not in ("conv", "linear"):
            return result
        layers.append((arguments[1], result))
        return result.clone()  # what follows may change it in place

    return Interception(layer)


def check_visible(module: nn.Module) -> None:
    """Raise `InputError` where a part is scripted, whose calls cannot be intercepted."""
    for path, part in module.named_modules():
        if isinstance(part, ScriptModule):
            where = path or "the model itself"
            raise InputError(f"model: found a script ({where}), whose layers cannot be seen, expected ordinary modules")
