"""What the activation functions of a recurrent network are given, by both interpreters.

Of functions with equal inputs one is told, and of how many units it is, over all places where a cell applies it. Those
on which the output does not depend are left out.
"""

import numpy as np
import torch

from epsinas.engines.base import Observed
from epsinas.engines.sequences import kernels, lumped
from epsinas.engines.sequences.full_width import FullWidthRecurrent, FullWidthRecurrentNetwork
from epsinas.spaces import SequenceSpace
from epsinas.spaces.operations import LEAK, RecurrentCell

_FUNCTIONS = {
    kernels.TANH: "activation_tanh",
    kernels.SIGM: "activation_sigm",
    kernels.LEAKY_RELU: "activation_leaky_relu",
}


class _Applying(lumped.Graph):
    """A graph that notes the activation functions of each layer, in the order in which its cell applies them."""

    def __init__(self) -> None:
        super().__init__()
        self.applied: list[list[lumped.Lump]] = []
        self._now: list[lumped.Lump] = []

    def activation_tanh(self, x: lumped.Lump) -> lumped.Lump:
        return self._noted(super().activation_tanh(x))

    def activation_sigm(self, x: lumped.Lump) -> lumped.Lump:
        return self._noted(super().activation_sigm(x))

    def activation_leaky_relu(self, x: lumped.Lump) -> lumped.Lump:
        return self._noted(super().activation_leaky_relu(x))

    def recurrent(self, cell: RecurrentCell[lumped.Lump], x: lumped.Lump, features: int, states: int) -> lumped.Lump:
        self._now = []
        self.applied.append(self._now)
        return super().recurrent(cell, x, features, states)

    def _noted(self, result: lumped.Lump) -> lumped.Lump:
        self._now.append(result)
        return result

    def copies(self, layer: int) -> dict[lumped.Expression, int]:
        """Return the units that each of a layer's functions stands for."""
        found: dict[lumped.Expression, int] = {}
        for expression, units in self.applied[layer]:
            found[expression] = found.get(expression, 0) + units
        return found


class _Recording(FullWidthRecurrent):
    """Keeps the first unit of what each activation function is given, in the order of the calls."""

    def __init__(self, network: FullWidthRecurrentNetwork):
        operations = network.operations()
        super().__init__(list(operations.layers), operations.start)
        self.layers_inputs: list[list[torch.Tensor]] = []

    def activation_tanh(self, x: torch.Tensor) -> torch.Tensor:
        self.layers_inputs[-1].append(x[:, 0])
        return super().activation_tanh(x)

    def activation_sigm(self, x: torch.Tensor) -> torch.Tensor:
        self.layers_inputs[-1].append(x[:, 0])
        return super().activation_sigm(x)

    def activation_leaky_relu(self, x: torch.Tensor) -> torch.Tensor:
        self.layers_inputs[-1].append(x[:, 0])
        return super().activation_leaky_relu(x)

    def recurrent(self, cell: RecurrentCell[torch.Tensor], x: torch.Tensor, features: int, states: int) -> torch.Tensor:
        self.layers_inputs.append([])
        return super().recurrent(cell, x, features, states)


def observe_lumped(
    engine: lumped.LumpedRecurrent, space: SequenceSpace, architecture: str, weight: float
) -> list[Observed]:
    """Return what is given to the activation functions, layer by layer, in the order of the programs."""
    graph = _Applying()
    space.network(graph, architecture, graph.input())
    found, x = [], engine.x + engine.x.dtype.type(engine.constant)
    for at, layer in enumerate(graph.layers):
        copies = graph.copies(at)
        x, inputs = _run(layer, x, weight)
        for operation, expression in enumerate(layer.expressions):
            if expression in copies:
                function = _FUNCTIONS[int(layer.code[operation, 0])]
                found.append(Observed(function, inputs[operation], copies[expression]))
    return found


@np.errstate(over="ignore", invalid="ignore")
def _run(layer: lumped.Program, x: np.ndarray, weight: float) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Run a layer as `kernels.run_values` does.

    Returns:
        (time, N), the first hidden state, and (N, time) of each activation function, by its number in the program.
    """
    count, states = x.shape[1], len(layer.outputs)
    w = x.dtype.type(weight)
    registers = [x[0], *[np.full(count, w)] * states, *[x[0]] * len(layer.code)]
    result = np.empty_like(x)
    inputs = {
        at: np.empty((count, len(x)), x.dtype)
        for at, code in enumerate(layer.code[:, 0].tolist())
        if code in _FUNCTIONS
    }
    for step, now in enumerate(x):
        registers[0] = now
        for at, (code, *places) in enumerate(layer.code.tolist()):
            a, b, c = (registers[place] for place in places)
            if at in inputs:
                inputs[at][:, step] = a
            registers[1 + states + at] = _apply(code, layer.factors[at], a, b, c, w)
        registers[1 : 1 + states] = [registers[place] for place in layer.outputs.tolist()]
        result[step] = registers[1]
    return result, inputs


def _apply(code: int, factors: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray, weight: float) -> np.ndarray:
    if code == kernels.LINEAR:
        parts = [a.dtype.type(units) * part for units, part in zip(factors.tolist(), (a, b, c), strict=True) if units]
        return weight * sum(parts[1:], start=parts[0]) + weight
    if code == kernels.PROD:
        return a * b
    if code == kernels.SUM:
        return a + b
    if code == kernels.BLEND:
        return a * b + (1 - a) * c
    if code == kernels.TANH:
        return np.tanh(a)
    if code == kernels.SIGM:
        return 1 / (1 + np.exp(-a))
    return np.where(a < 0, a.dtype.type(LEAK) * a, a)


def observe_full_width(network: FullWidthRecurrentNetwork, embedded: torch.Tensor) -> list[Observed]:
    """Return the same of tensors (time, N, units) of a network with constant weights."""
    graph, recording = _Applying(), _Recording(network)
    network.space.network(graph, network.architecture, graph.input())
    network.space.network(recording, network.architecture, embedded)
    found = []
    for at, layer in enumerate(graph.layers):
        places = [expression for expression, _ in graph.applied[at]]
        copies = graph.copies(at)
        for operation, expression in enumerate(layer.expressions):
            if expression in copies:
                first = recording.layers_inputs[at][places.index(expression) :: len(places)]
                function = _FUNCTIONS[int(layer.code[operation, 0])]
                found.append(Observed(function, torch.stack(first, dim=1).numpy(), copies[expression]))
    return found
