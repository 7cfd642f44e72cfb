"""What the rectifiers of a network are given, by both interpreters.

Of maps that are equal under constant weights one is told, and of how many channels it is, over all places where the
network rectifies it. Maps on which the output does not depend are left out.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from epsinas.engines.base import Observed
from epsinas.engines.images import lumped
from epsinas.engines.images.full_width import FullWidth, FullWidthNetwork
from epsinas.spaces import ImageSpace


class _Counting(lumped.Graph):
    """A graph that counts the channels for which each rectified map stands."""

    def __init__(self) -> None:
        super().__init__()
        self.channels: dict[lumped.Node, int] = {}

    def relu(self, x: lumped.Runs) -> lumped.Runs:
        """Rectify each map."""
        result = super().relu(x)
        for node, count in result:
            self.channels[node] = self.channels.get(node, 0) + count
        return result


def observe_lumped(engine: lumped.Lumped, space: ImageSpace, architecture: str, weight: float) -> list[Observed]:
    """Return what is rectified, a map for each class of equal channels, in the order of evaluation."""
    graph = _Counting()
    seen = []

    def watch(node: lumped.Node, inputs: np.ndarray) -> None:
        seen.append(Observed("relu", inputs, graph.channels[node]))

    engine.outputs(lumped.build(space, architecture, engine.image, graph), weight, watch)
    return seen


def observe_full_width(network: FullWidthNetwork, images: torch.Tensor) -> list[Observed]:
    """Return the same of tensors (N, C, H, W) of a network with constant weights.

    The description is run on lumped tensors at the same time, which say which channels are equal.
    """
    both = _Both(_Counting(), network.operations())
    logits = network.space.network(both, network.architecture, _Pair(both.graph.input(*images.shape[1:]), images))
    return [
        Observed("relu", both.rectified[node].flatten(1).numpy(), both.graph.channels[node])
        for node, _ in lumped.schedule(logits.runs[0][0])
        if node in both.rectified
    ]


class _Pair(NamedTuple):
    runs: lumped.Runs
    tensor: torch.Tensor


class _Both:
    """Operations on pairs of a lumped and a full-width tensor; keeps what is rectified, a channel for each map."""

    def __init__(self, graph: _Counting, full_width: FullWidth):
        self.graph, self.full_width = graph, full_width
        self.rectified: dict[lumped.Node, torch.Tensor] = {}

    def relu(self, x: _Pair) -> _Pair:
        result = self._both("relu", x)
        channel = 0
        for node, count in result.runs:
            self.rectified[node] = x.tensor[:, channel]
            channel += count
        return result

    def __getattr__(self, operation: str) -> Callable[..., _Pair]:
        return partial(self._both, operation)

    def _both(self, operation: str, x: Any, *attributes: int, **named: int) -> _Pair:
        runs, tensors = x if isinstance(x, _Pair) else map(list, zip(*x, strict=True))
        one, other = getattr(self.graph, operation), getattr(self.full_width, operation)
        return _Pair(one(runs, *attributes, **named), other(tensors, *attributes, **named))
