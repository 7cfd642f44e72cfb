"""A benchmark of one's own: which networks are trained."""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from epsinas.engines.images import lumped
from epsinas.engines.images.counting import count
from epsinas.scoring import distinct
from epsinas.spaces.base import ImageSpace
from epsinas.streams import stream


def trained_by(space: ImageSpace, architectures: Sequence[str]) -> np.ndarray:
    """Find, for each architecture, which of them is trained in its place.

    Networks share a training if they are the same function of the images *and of their weights*. That is a finer
    distinction than between constant-weight networks: a doubled convolution and the sum of two have equal scores,
    but train differently. A convolution that nothing reaches counts as `none`, as in the benchmark's own count of
    unique networks; in training it could at most learn a shift. Of the architectures that share one, the one with
    the fewest layers is trained (edges that reach nothing cost time), the first of them in case of a tie.

    Returns:
        int64 (architectures,), positions.

    Raises:
        InputError: an architecture is malformed; the message gives its position from 1.
    """
    _, members = distinct(space, architectures)
    crowded = np.bincount(members)[members] > 1
    groups: dict[tuple[int, bytes], list[int]] = {}
    for position, architecture in enumerate(architectures):
        # Only networks that are equal under constant weights can be equal at all.
        fine = weighted_identity(space, architecture) if crowded[position] else b""
        groups.setdefault((int(members[position]), fine), []).append(position)
    chosen = np.empty(len(architectures), dtype=np.int64)
    for group in groups.values():
        chosen[group] = min(group, key=lambda position: count(space, architectures[position]).layers)
    return chosen


_ORDINALS = {k: k for k in range(64)}
"""Every convolution called by its place in the description."""


_NAMED = 6
"""Convolutions of a cell of which all orders are tried."""


class _Weighted(lumped.Graph):
    """A graph in which the k-th convolution has weights of its own, called `names.get(k)`."""

    def __init__(self, names: dict[int, int]):
        super().__init__()
        self.names, self.convolutions = names, itertools.count()

    def conv(self, x: lumped.Runs, channels: int, kernel: int, stride: int = 1) -> lumped.Runs:
        name = self.names.get(next(self.convolutions))
        ((node, count),) = super().conv(x, channels, kernel, stride)
        return ((node if node.is_zero else self._node("weights", (name,), (node,), node.size), count),)


def weighted_identity(space: ImageSpace, architecture: str) -> bytes:
    """Return a digest that two architectures share if and only if they are equal up to the names of weights.

    The digest is the smallest over all ways to name the convolutions that reach the cell's output. Where these are too
    many, as in other spaces than NAS-Bench-201, every architecture has a digest of its own.
    """
    output = lumped.cell(space, architecture, _Weighted(_ORDINALS))
    used = [node.attributes[0] for node, _ in lumped.schedule(output) if node.operation == "weights"]
    if len(used) > _NAMED:
        return architecture.encode()
    return min(
        lumped.cell(space, architecture, _Weighted(dict(zip(used, order, strict=True)))).digest
        for order in itertools.permutations(range(len(used)))
    )


def choose(space: ImageSpace, networks: int | None, seed: int) -> pd.DataFrame:
    """Choose the networks of a benchmark and say which of them are trained.

    Args:
        space: the search space.
        networks: how many to draw at random; None for the whole space, in random order.
        seed: of the draw.

    Returns:
        `index` from 0, `architecture`, and `trained`: the index of the network that is trained in its place (see
        `trained_by`).
    """
    size = len(list(space.architectures())) if networks is None else networks
    architectures = space.sample(size, stream(seed, "networks to train"))
    return pd.DataFrame(
        {
            "index": np.arange(size, dtype=np.int32),
            "architecture": architectures,
            "trained": trained_by(space, architectures).astype(np.int32),
        }
    )
