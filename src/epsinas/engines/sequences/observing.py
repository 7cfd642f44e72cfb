"""What the activation functions and the linear layers of a recurrent network are given, by both interpreters.

Of units that are equal under constant weights one is told. What the output does not depend on is left out, and so are
the embedded tokens, whose units differ.
"""

from collections.abc import Sequence

import numpy as np
import torch

from epsinas.engines.base import Observed, Reading
from epsinas.engines.sequences import kernels, lumped
from epsinas.engines.sequences.full_width import FullWidthRecurrent, FullWidthRecurrentNetwork
from epsinas.spaces import SequenceSpace
from epsinas.spaces.operations import LEAK, RecurrentCell

_WHAT = {
    "linear": "layers",
    "activation_tanh": "activations",
    "activation_sigm": "activations",
    "activation_leaky_relu": "activations",
}


class _Recording(lumped.Graph):
    """A graph that records, of every layer, the functions that its cell applies, in order."""

    def __init__(self, space: SequenceSpace):
        super().__init__()
        self.embedding = space.embedding
        self.calls: list[list[tuple[str, Sequence[lumped.Lump], lumped.Lump]]] = []

    def linear(self, xs: Sequence[lumped.Lump], features: int) -> lumped.Lump:
        return self._recorded("linear", xs, super().linear(xs, features))

    def activation_tanh(self, x: lumped.Lump) -> lumped.Lump:
        return self._recorded("activation_tanh", [x], super().activation_tanh(x))

    def activation_sigm(self, x: lumped.Lump) -> lumped.Lump:
        return self._recorded("activation_sigm", [x], super().activation_sigm(x))

    def activation_leaky_relu(self, x: lumped.Lump) -> lumped.Lump:
        return self._recorded("activation_leaky_relu", [x], super().activation_leaky_relu(x))

    def recurrent(self, cell: RecurrentCell[lumped.Lump], x: lumped.Lump, features: int, states: int) -> lumped.Lump:
        self.calls.append([])
        return super().recurrent(cell, x, features, states)

    def _recorded(self, function: str, xs: Sequence[lumped.Lump], result: lumped.Lump) -> lumped.Lump:
        self.calls[-1].append((function, xs, result))
        return result

    def inputs(self, what: str, at: int) -> dict[tuple[str, lumped.Expression], list[Reading]]:
        """Return what a layer's functions are given on which its output depends, and for each where."""
        found: dict[tuple[str, lumped.Expression], list[Reading]] = {}
        for function, xs, (result, features) in self.calls[at]:
            if _WHAT[function] == what and result in self.layers[at].registers:
                embedded = [at == 0 and not expression.inputs and expression.operation == "x" for expression, _ in xs]
                # In the first layer the input stands for the sum of all embedded units.
                sizes = [self.embedding if there else units for there, (_, units) in zip(embedded, xs, strict=True)]
                for there, (expression, units) in zip(embedded, xs, strict=True):
                    if not there:
                        found.setdefault((function, expression), []).append(Reading(units, sum(sizes), features, 1))
        return found


class _Given(FullWidthRecurrent):
    """Keeps the first unit of each input of every function that is applied, in the order of the calls."""

    def __init__(self, network: FullWidthRecurrentNetwork):
        operations = network.operations()
        super().__init__(list(operations.layers), operations.start)
        self.given: list[list[list[torch.Tensor]]] = []

    def linear(self, xs: Sequence[torch.Tensor], features: int) -> torch.Tensor:
        self._keep(xs)
        return super().linear(xs, features)

    def activation_tanh(self, x: torch.Tensor) -> torch.Tensor:
        self._keep([x])
        return super().activation_tanh(x)

    def activation_sigm(self, x: torch.Tensor) -> torch.Tensor:
        self._keep([x])
        return super().activation_sigm(x)

    def activation_leaky_relu(self, x: torch.Tensor) -> torch.Tensor:
        self._keep([x])
        return super().activation_leaky_relu(x)

    def recurrent(self, cell: RecurrentCell[torch.Tensor], x: torch.Tensor, features: int, states: int) -> torch.Tensor:
        self.given.append([])
        return super().recurrent(cell, x, features, states)

    def _keep(self, xs: Sequence[torch.Tensor]) -> None:
        self.given[-1].append([x[:, 0] for x in xs])


def observe_lumped(
    engine: lumped.LumpedRecurrent, space: SequenceSpace, architecture: str, weight: float, what: str
) -> list[Observed]:
    """Return what is given, layer by layer, a unit for each class of equal ones, in the order of the description."""
    graph = _Recording(space)
    space.network(graph, architecture, graph.input())
    found, x = [], engine.x + engine.x.dtype.type(engine.constant)
    for at, layer in enumerate(graph.layers):
        inputs = graph.inputs(what, at)
        ways, x = _run(layer, x, weight)
        for (function, expression), layers in inputs.items():
            # A copy, since the first register is the input, and others are written anew.
            found.append(Observed(function, ways[layer.registers[expression]].T.copy(), tuple(layers)))
    return found


@np.errstate(over="ignore", invalid="ignore")
def _run(layer: lumped.Program, x: np.ndarray, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Run a layer as `kernels.run_values` does.

    Returns:
        Every register in every time step, hidden states as they are before it, (registers, time, N), and the first
        hidden state after it, (time, N).
    """
    states = len(layer.outputs)
    ways = np.empty((1 + states + len(layer.code), *x.shape), x.dtype)
    ways[0], ways[1 : 1 + states, 0] = x, weight
    code = layer.code.tolist()
    for step in range(len(x)):
        now = ways[:, step]
        for at, (operation, *places) in enumerate(code):
            a, b, c = (now[place] for place in places)
            now[1 + states + at] = _apply(operation, layer.factors[at], a, b, c, x.dtype.type(weight))
        if step + 1 < len(x):
            ways[1 : 1 + states, step + 1] = now[layer.outputs]
    return ways, ways[layer.outputs[0]]


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


def observe_full_width(network: FullWidthRecurrentNetwork, embedded: torch.Tensor, what: str) -> list[Observed]:
    """Return the same of tensors (time, N, units) of a network with constant weights."""
    graph, given = _Recording(network.space), _Given(network)
    network.space.network(graph, network.architecture, graph.input())
    network.space.network(given, network.architecture, embedded)
    found = []
    for calls, steps, at in zip(graph.calls, given.given, range(len(graph.layers)), strict=True):
        places = {
            (function, expression): (call, place)
            for call, (function, xs, _) in enumerate(calls)
            for place, (expression, _) in enumerate(xs)
        }
        for key, layers in graph.inputs(what, at).items():
            call, place = places[key]
            way = [inputs[place] for inputs in steps[call :: len(calls)]]
            found.append(Observed(key[0], torch.stack(way, dim=1).numpy(), tuple(layers)))
    return found
