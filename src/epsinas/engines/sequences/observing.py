"""What the activation functions and the linear layers of a recurrent network are given, by both interpreters.

Of units that are equal under constant weights one is told. What the output does not depend on is left out, and so are
the embedded tokens, whose units differ.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from epsinas.engines.base import Observed, Reading
from epsinas.engines.sequences import lumped
from epsinas.engines.sequences.full_width import FullWidthRecurrentNetwork
from epsinas.engines.watching import Watching
from epsinas.spaces import SequenceSpace

_WHAT = {
    "linear": "layers",
    "activation_tanh": "activations",
    "activation_sigm": "activations",
    "activation_leaky_relu": "activations",
}


class _Call(NamedTuple):
    """A function that a cell applies, its inputs and its result."""

    function: str
    inputs: list[Any]
    result: Any


_Given = dict[tuple[str, lumped.Expression], list[Reading]]
"""Which functions of a layer are given which expressions, and where."""


def observe_lumped(
    engine: lumped.LumpedRecurrent, space: SequenceSpace, architecture: str, weight: float, what: str
) -> list[Observed]:
    """Return what is given, layer by layer, a unit for each class of equal ones, in the order of the description."""
    found, x = [], engine.x + engine.x.dtype.type(engine.constant)
    for layer, _, given in _described(space, architecture, what):
        registers = [layer.registers[expression] for _, expression in given]
        ways = engine.ways(layer, x, weight, np.array([*registers, layer.outputs[0]], np.int64))
        for at, ((function, _), readings) in enumerate(given.items()):
            found.append(Observed(function, np.ascontiguousarray(ways[:, at].T), tuple(readings)))
        x = np.ascontiguousarray(ways[:, -1])
    return found


def observe_full_width(network: FullWidthRecurrentNetwork, embedded: torch.Tensor, what: str) -> list[Observed]:
    """Return the same of tensors (time, N, units) of a network with constant weights."""
    space, architecture = network.space, network.architecture
    # Of every step, the first unit, in memory of its own.
    applied = _applied(space, architecture, network.operations(), embedded, lambda tensor: tensor[:, 0].clone())
    found = []
    for (_, calls, given), steps in zip(_described(space, architecture, what), applied, strict=True):
        places = {
            (call.function, expression): (number, place)
            for number, call in enumerate(calls)
            for place, (expression, _) in enumerate(call.inputs)
        }
        for key, readings in given.items():
            number, place = places[key]
            way = [call.inputs[place] for call in steps[number :: len(calls)]]
            found.append(Observed(key[0], torch.stack(way, dim=1).numpy(), tuple(readings)))
    return found


def _described(
    space: SequenceSpace, architecture: str, what: str
) -> Iterator[tuple[lumped.Program, list[_Call], _Given]]:
    """Yield every layer's program, the functions that its cell applies, and which of them are given what."""
    graph = lumped.Graph()
    applied = _applied(space, architecture, graph, graph.input())
    for number, (layer, calls) in enumerate(zip(graph.layers, applied, strict=True)):
        given: _Given = {}
        for function, inputs, (result, features) in calls:
            if _WHAT[function] != what or result not in layer.registers:
                continue
            # In the first layer the input stands for the sum of all embedded units.
            embedded = [number == 0 and expression.operation == "x" for expression, _ in inputs]
            units = [space.embedding if there else units for there, (_, units) in zip(embedded, inputs, strict=True)]
            for there, (expression, copies) in zip(embedded, inputs, strict=True):
                if not there:
                    given.setdefault((function, expression), []).append(Reading(copies, sum(units), features, 1))
        yield layer, calls, given


def _applied(
    space: SequenceSpace, architecture: str, operations: Any, x: Any, keep: Callable[[Any], Any] = lambda one: one
) -> list[list[_Call]]:
    """Interpret a network, and return what its cells apply: for each layer the calls, of every time step in turn."""
    layers: list[list[_Call]] = [[]]

    def watch(function: str, arguments: tuple[Any, ...], result: Any) -> None:
        if function in _WHAT:
            inputs = arguments[0] if function == "linear" else arguments[:1]
            layers[-1].append(_Call(function, [keep(one) for one in inputs], keep(result)))
        elif function == "recurrent":
            layers.append([])

    space.network(Watching(operations, watch), architecture, x)
    return layers[:-1]
