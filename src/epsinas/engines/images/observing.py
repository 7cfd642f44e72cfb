"""What the rectifiers and the convolutions of a network are given, by both interpreters.

Of maps that are equal under constant weights one is told. What the output does not depend on is left out.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from epsinas.engines.base import Observed, Reading
from epsinas.engines.images import lumped
from epsinas.engines.images.full_width import FullWidth, FullWidthNetwork
from epsinas.spaces import ImageSpace

_FUNCTIONS = {"activations": "relu", "layers": "conv"}


class _Recording(lumped.Graph):
    """A graph that records what each rectifier and each convolution is given, and gives."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[str, list[tuple[lumped.Runs, lumped.Runs, int]]] = {"relu": [], "conv": []}

    def relu(self, x: lumped.Runs) -> lumped.Runs:
        result = super().relu(x)
        self.calls["relu"].append((x, result, 1))
        return result

    def conv(self, x: lumped.Runs, channels: int, kernel: int, stride: int = 1) -> lumped.Runs:
        result = super().conv(x, channels, kernel, stride)
        self.calls["conv"].append((x, result, kernel))
        return result

    def inputs(self, what: str, output: lumped.Node) -> dict[lumped.Node, list[Reading]]:
        """Return the maps that are given to what `output` depends on, and for each where: a layer for each call."""
        live = {node for node, _ in lumped.schedule(output)}
        found: dict[lumped.Node, list[Reading]] = {}
        for x, result, kernel in self.calls[_FUNCTIONS[what]]:
            inputs, outputs = (sum(count for _, count in runs) for runs in (x, result))
            for node, count in x:
                if not node.is_zero and any(made in live for made, _ in result):
                    found.setdefault(node, []).append(Reading(count, inputs, outputs, kernel))
        return found


def observe_lumped(
    engine: lumped.Lumped, space: ImageSpace, architecture: str, weight: float, what: str
) -> list[Observed]:
    """Return what is given, a map for each class of equal channels, in the order of the description."""
    graph = _Recording()
    inputs = graph.inputs(what, lumped.build(space, architecture, engine.image, graph))
    return _observed(what, inputs, engine.maps(list(inputs), weight))


def observe_full_width(network: FullWidthNetwork, images: torch.Tensor, what: str) -> list[Observed]:
    """Return the same of tensors (N, C, H, W) of a network with constant weights.

    The description is run on lumped tensors at the same time, which say which channels are equal.
    """
    both = _Both(_Recording(), network.operations())
    logits = network.space.network(both, network.architecture, _Pair(both.graph.input(*images.shape[1:]), images))
    inputs = both.graph.inputs(what, logits.runs[0][0])
    return _observed(what, inputs, (both.maps[node].flatten(1).numpy() for node in inputs))


def _observed(what: str, inputs: dict[lumped.Node, list[Reading]], maps: Iterable[np.ndarray]) -> list[Observed]:
    found = zip(inputs.values(), maps, strict=True)
    return [Observed(_FUNCTIONS[what], pixels, tuple(layers)) for layers, pixels in found]


class _Pair(NamedTuple):
    runs: lumped.Runs
    tensor: torch.Tensor


class _Both:
    """Operations on pairs of a lumped and a full-width tensor; keeps a channel of what is rectified or convolved."""

    def __init__(self, graph: _Recording, full_width: FullWidth):
        self.graph, self.full_width = graph, full_width
        self.maps: dict[lumped.Node, torch.Tensor] = {}

    def __getattr__(self, operation: str) -> Callable[..., _Pair]:
        return partial(self._both, operation)

    def _both(self, operation: str, x: Any, *attributes: int, **named: int) -> _Pair:
        if operation in _FUNCTIONS.values():
            channel = 0
            for node, count in x.runs:
                self.maps[node] = x.tensor[:, channel]
                channel += count
        runs, tensors = x if isinstance(x, _Pair) else map(list, zip(*x, strict=True))
        one, other = getattr(self.graph, operation), getattr(self.full_width, operation)
        return _Pair(one(runs, *attributes, **named), other(tensors, *attributes, **named))
