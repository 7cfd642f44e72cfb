"""SynFlow of the mean of all random initialisations, for any torch model, by constant weights and a derivative.

`epsinas.engines.images.flow` says why: SynFlow's network, of absolute weights, without normalisation, and with an input
of ones, is linear in each layer where activations and pooling are so for what is not negative. Its mean over
initialisations is then that of the network in which every weight of a layer is the mean E|w| of that layer. Here the
constant weights are lumped tensors of one entry, E|w| t with one factor t for all layers, and autograd differentiates
what is computed of the entries by t at t = 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from epsinas.models.calls import output
from epsinas.models.interception import without_normalisation
from epsinas.models.lumped import LumpedTensor, full, one_class, watched_by_autograd
from epsinas.models.running import Tallying, check_engine, convert_buffers, put_time_first

_SMALL = 1000, 960
"""Powers of 1/2 for inputs and biases where outputs leave the range of float64."""


def model_flow(module: nn.Module, ones: Tensor, name: str = "", engine: str = "lumped") -> tuple[float, int]:
    """Return SynFlow of the network of mean absolute weights: the sum over all weights of w dR/dw, R summed outputs.

    Torch's convolutions and linear layers have uniform weights and biases on (-1, 1) / sqrt(fan in), so that
    E|w| = 1 / (2 sqrt(fan in)). The same is taken for all parameters of two or more dimensions, in whatever module,
    which are the weights, and for their biases; biases are constants, and no weights. Anything else keeps its absolute
    value. That is the mean of SynFlow over initialisations where the network is linear in each layer for inputs that
    are not negative: ReLU and its like, sums, averages. With max pooling it is a lower bound of the mean as far as R
    goes; with other activations, gates or attention it is SynFlow of the mean weights and no more.

    Args:
        module: a copy, see `epsinas.models.constants.present_copy`. Its buffers become float64.
        ones: float64 (1, ...), the input.
        name: of the argument that takes it; the first one if empty.
        engine: `lumped`, or `full-width` to compute every entry.

    Returns:
        (mantissa, exponent): SynFlow is mantissa * 2**exponent. Where it is beyond 1e308, inputs and biases are taken
        times 2**-1000, if the network is seen to be linear in these; if not, or beyond 1e609, the mantissa is infinite.

    Example:
        The means are 1 / (2 sqrt 4), also of the biases of the first layer: R = 4 (4 / 4 + 1 / 4) / 4, to which the
        weights of the first layer contribute 1, and those of the second all.

        >>> layers = nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1, bias=False)
        >>> ones = torch.ones(1, 4, dtype=torch.float64)
        >>> model_flow(nn.Sequential(*layers), ones)
        (2.25, 0)
    """
    check_engine(engine)
    convert_buffers(module, torch.float64)
    put_time_first(module)
    found = _derivative(module, ones, name, engine, 0)
    if math.isfinite(found):
        return found, 0
    small, larger = (_derivative(module, ones, name, engine, power) for power in _SMALL)
    # Outputs are multiplied as inputs are.
    is_linear = math.isfinite(larger) and math.isclose(math.ldexp(small, 2 * (_SMALL[0] - _SMALL[1])), larger)
    return (small, 2 * _SMALL[0]) if is_linear else (math.inf, 0)


def _derivative(module: nn.Module, ones: Tensor, name: str, engine: str, power: int) -> float:
    """Differentiate R by the factor of all weights; input and biases are multiplied by 2**-power, and then R."""
    if engine == "lumped":
        try:
            return _pass(module, ones, name, True, 2.0**-power)
        except Exception:  # whatever a model does that a lumped tensor cannot follow
            pass
    return _pass(module, ones, name, False, 2.0**-power)


def _pass(module: nn.Module, ones: Tensor, name: str, lump: bool, scale: float) -> float:
    factor = torch.ones((), dtype=torch.float64, device=ones.device, requires_grad=True)
    inputs = ones * scale
    call = ((), {name: inputs}) if name else (inputs, {})
    with watched_by_autograd() if lump else nullcontext(), without_normalisation():
        weights = dict(_mean_weights(module, factor, scale, _lumped_entry if lump else Tensor.expand))
        with torch.inference_mode(lump), Tallying(True) if lump else nullcontext():
            result = output(torch.func.functional_call(module, weights, *call))
    total = full(result).sum() * scale  # or its derivatives by early maps would leave the range
    if not total.requires_grad:  # no weight reaches it
        return 0.0
    (derivative,) = torch.autograd.grad(total, factor)
    return float(derivative)


def _mean_weights(
    module: nn.Module, factor: Tensor, scale: float, make: Callable[[Tensor, Sequence[int]], Tensor]
) -> Iterator[tuple[str, Tensor]]:
    """Yield for each parameter, by name, what takes its place: `make` gives an entry a shape."""
    for name, parameter in module.named_parameters():
        path, _, own = name.rpartition(".")
        layer = module.get_submodule(path)
        weight = parameter if parameter.ndim > 1 else getattr(layer, own.replace("bias", "weight"), None)
        if not parameter.is_floating_point():
            yield name, parameter
        elif isinstance(weight, Tensor) and weight.ndim > 1:
            mean = 1 / (2 * math.sqrt(weight.numel() / len(weight)))
            yield name, make(mean * (factor if weight is parameter else factor.detach() * scale), parameter.shape)
        else:
            yield name, parameter.detach().double().abs()


def _lumped_entry(entry: Tensor, shape: Sequence[int]) -> Tensor:
    """Return a tensor all of whose entries are one; also of a single entry, as autograd watches no ordinary tensors."""
    return LumpedTensor(entry.expand([min(size, 1) for size in shape]), one_class(shape))
