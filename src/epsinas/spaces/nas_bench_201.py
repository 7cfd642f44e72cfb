"""NAS-Bench-201: cells of four nodes with one of five operations on each of the six edges.

Source: Dong and Yang (2020), "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search".
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from epsinas.errors import InputError, shown
from epsinas.spaces.base import check_skeleton
from epsinas.spaces.operations import Operations, Tensor

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = tuple((source, target) for target in range(1, 4) for source in range(target))
"""(source, target) of the six edges, in the order of the architecture string."""

_PATHS = (((0, 3),), ((0, 1), (1, 3)), ((0, 2), (2, 3)), ((0, 1), (1, 2), (2, 3)))
"""From the input of a cell to its output."""

_NONE, _SKIP = OPERATIONS.index("none"), OPERATIONS.index("skip_connect")
_PARAMETER_FREE = (_SKIP, OPERATIONS.index("avg_pool_3x3"))
_TEMPLATE = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"


@dataclass(frozen=True)
class NasBench201:
    """The search space and its skeleton.

    Attributes:
        channels: width of the first stage; the second and third have twice and four times as many.
        cells: number of cells in each of the three stages.
        classes: number of outputs of the classifier.

    Raises:
        InputError: one of these is no whole number, or below 1 (`cells`: below 0).

    Example:
        >>> NasBench201(channels=4).widths
        (4, 8, 16)
    """

    channels: int = 16
    cells: int = 5
    classes: int = 10
    name: ClassVar[str] = "nas-bench-201"
    title: ClassVar[str] = "NAS-Bench-201"
    family: ClassVar[str] = "images"
    summary: ClassVar[str] = "cells with 4 nodes, 5 operations; 15,625 networks"
    size: ClassVar[int] = len(OPERATIONS) ** len(EDGES)
    weights: ClassVar[tuple[float, float]] = (1e-7, 1.0)
    deepest: ClassVar[str] = _TEMPLATE.format(*["nor_conv_3x3"] * 6)
    all_skips: ClassVar[str] = _TEMPLATE.format(*["skip_connect"] * 6)
    all_pooling: ClassVar[str] = _TEMPLATE.format(*["avg_pool_3x3"] * 6)

    def __post_init__(self) -> None:
        check_skeleton(self, cells=0)  # the layers between the stages are a network, too

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the cells of each stage."""
        return (self.channels, 2 * self.channels, 4 * self.channels)

    def parse(self, architecture: str) -> tuple[int, ...]:
        """Read an architecture string such as `|nor_conv_3x3~0|+|none~0|skip_connect~1|+|...|`.

        Returns:
            One index into OPERATIONS for each of EDGES.

        Raises:
            InputError: the string does not have three nodes with one, two and three inputs in order, or an
                operation is not one of OPERATIONS.

        Example:
            >>> text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"
            >>> NasBench201().parse(text)
            (3, 0, 1, 0, 0, 2)
        """
        tokens = [token for node in architecture.strip().split("+") for token in node.strip("|").split("|")]
        names = [token.partition("~")[0] for token in tokens]
        for name in names:
            if name not in OPERATIONS:
                raise InputError(f"unknown operation {shown(name)}: expected one of {', '.join(OPERATIONS)}")
        if len(names) != len(EDGES) or _TEMPLATE.format(*names) != architecture.strip():
            raise InputError(
                f"malformed architecture {shown(architecture.strip(), 200)}: expected {_TEMPLATE.format(*['op'] * 6)!r}"
            )
        return tuple(OPERATIONS.index(name) for name in names)

    def format(self, cell: Sequence[int]) -> str:
        """Print a cell as its architecture string, the inverse of `parse`.

        Example:
            >>> NasBench201().format((3, 0, 1, 0, 0, 2))
            '|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|'
        """
        return _TEMPLATE.format(*(OPERATIONS[operation] for operation in cell))

    def architectures(self) -> Iterator[str]:
        """Enumerate all 15,625 architecture strings in the order of `index`.

        Example:
            >>> next(NasBench201().architectures())
            '|none~0|+|none~0|none~1|+|none~0|none~1|none~2|'
        """
        return (self.format(cell) for cell in itertools.product(range(len(OPERATIONS)), repeat=len(EDGES)))

    def index(self, architecture: str) -> int:
        """Return the position in `architectures()`: the operations as digits of a number in base 5.

        Raises:
            InputError: as `parse`.

        Example:
            >>> NasBench201().index("|none~0|+|none~0|none~1|+|none~0|skip_connect~1|avg_pool_3x3~2|")
            9
        """
        position = 0
        for operation in self.parse(architecture):
            position = position * len(OPERATIONS) + operation
        return position

    def neighbours(self, architecture: str) -> list[str]:
        """List the 24 architectures at edit distance 1: one edge with another operation.

        Raises:
            InputError: as `parse`.

        Example:
            >>> NasBench201().neighbours("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")[0]
            '|skip_connect~0|+|none~0|none~1|+|none~0|none~1|none~2|'
        """
        cell = self.parse(architecture)
        return [
            self.format((*cell[:edge], operation, *cell[edge + 1 :]))
            for edge in range(len(EDGES))
            for operation in range(len(OPERATIONS))
            if operation != cell[edge]
        ]

    def traits(self, architecture: str) -> dict[str, bool | int]:
        """Say whether a network belongs to each of three populations, and how many edges are skip connections.

        Of the 15,625 networks, 15,284 are `connected`: a path of operations other than `none` leads from the cell's
        input to its output. 9,445 are `reachable`: every such operation lies on such a path; these are the networks of
        NAS-Bench-Suite-Zero, among them the one that has no such operation. 9,226 are `parameter_free`: one of the
        paths has skip connections and pooling only.

        Raises:
            InputError: as `parse`.

        Example:
            Only the convolution is on the path; the skip connection leads nowhere.

            >>> NasBench201().traits("|skip_connect~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
            {'connected': True, 'reachable': False, 'parameter_free': False, 'skips': 1}
        """
        cell = _operations(architecture)
        present = [edge for edge, operation in zip(EDGES, cell, strict=True) if operation != _NONE]
        free = [edge for edge, operation in zip(EDGES, cell, strict=True) if operation in _PARAMETER_FREE]
        forward, backward = _reached(present, 0), _reached([edge[::-1] for edge in reversed(present)], 3)
        return {
            "connected": 3 in forward,
            "reachable": all(start in forward and end in backward for start, end in present),
            "parameter_free": 3 in _reached(free, 0),
            "skips": cell.count(_SKIP),
        }

    def without_convolutions(self, architecture: str) -> str:
        """Return the architecture with `none` in the place of every convolution.

        Raises:
            InputError: as `parse`.

        Example:
            >>> NasBench201().without_convolutions("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|none~2|")
            '|none~0|+|none~0|skip_connect~1|+|none~0|none~1|none~2|'
        """
        return self.format([one if one in _PARAMETER_FREE else _NONE for one in _operations(architecture)])

    def poolings(self, architecture: str) -> tuple[int, float]:
        """Count what pools on the paths of skip connections and pooling only, from the cell's input to its output.

        Returns:
            How many edges pool that lie on such a path, and how many a path has in the mean over the paths; 0 and NaN
            without such a path. The cell without its convolutions is a filter, the sum of its paths; the mean is its
            variance along a row, in units of that of one pooling edge.

        Raises:
            InputError: as `parse`.

        Example:
            A path pools once, on edge (0, 1), and another one does not.

            >>> NasBench201().poolings("|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|none~2|")
            (1, 0.5)
        """
        cell = dict(zip(EDGES, _operations(architecture), strict=True))
        paths = [path for path in _PATHS if all(cell[edge] in _PARAMETER_FREE for edge in path)]
        pooling = [[edge for edge in path if cell[edge] != _SKIP] for path in paths]
        return len({edge for path in pooling for edge in path}), float(np.mean([*map(len, pooling)] or np.nan))

    def encoding(self, architecture: str) -> tuple[int, ...]:
        """Return which operation each edge has, 0 or 1 for each of the 6 edges and 5 operations.

        Raises:
            InputError: as `parse`.

        Example:
            >>> NasBench201().encoding("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|")[:10]
            (0, 0, 0, 1, 0, 1, 0, 0, 0, 0)
        """
        return tuple(int(found == one) for found in self.parse(architecture) for one in range(len(OPERATIONS)))

    def sample(self, count: int, rng: np.random.Generator) -> list[str]:
        """Draw `count` different architectures uniformly, in random order.

        Raises:
            InputError: `count` is not between 0 and 15,625.

        Example:
            >>> sample = NasBench201().sample(15_625, np.random.default_rng(0))
            >>> set(sample) == set(NasBench201().architectures())
            True
        """
        if not 0 <= count <= self.size:
            raise InputError(f"count: found {count}, expected 0 to {self.size}")
        digits = [len(OPERATIONS) ** power for power in reversed(range(len(EDGES)))]
        drawn = rng.choice(self.size, count, replace=False)
        return [self.format([int(position) // digit % len(OPERATIONS) for digit in digits]) for position in drawn]

    def cell(self, ops: Operations[Tensor], architecture: str, x: Tensor, channels: int) -> Tensor:
        """Apply one cell: node j is the sum over i < j of the operation of edge (i, j) applied to node i."""
        nodes = [x]
        for edges in _edges(architecture):
            incoming = [_apply(ops, operation, nodes[source], channels) for source, operation in edges]
            nodes.append(ops.add(incoming) if incoming else ops.zeros(x))
        return nodes[-1]

    def network(self, ops: Operations[Tensor], architecture: str, images: Tensor) -> Tensor:
        """Describe the whole network, from images (N, channels, H, W) to logits (N, classes)."""
        x = ops.batch_norm(ops.conv(images, self.channels, 3))
        for stage in range(3):
            channels = self.channels * 2**stage
            if stage:
                x = _reduce(ops, x, channels)
            for _ in range(self.cells):
                x = self.cell(ops, architecture, x, channels)
        x = ops.global_avg_pool(ops.relu(ops.batch_norm(x)))
        return ops.linear(x, self.classes)


@lru_cache(maxsize=16)
def _operations(architecture: str) -> tuple[int, ...]:
    """Parse a string; a network is asked for it more than once."""
    return NasBench201().parse(architecture)


@lru_cache(maxsize=16)
def _edges(architecture: str) -> list[list[tuple[int, str]]]:
    """List for each node but the first the edges into it, (source, operation); a network asks for each of its cells."""
    pairs = list(zip(EDGES, _operations(architecture), strict=True))
    found = [[(source, OPERATIONS[number]) for (source, end), number in pairs if end == target] for target in (1, 2, 3)]
    return [[edge for edge in edges if edge[1] != "none"] for edges in found]


def _reached(edges: Sequence[tuple[int, int]], start: int) -> set[int]:
    """Return the nodes that edges, in the order of a walk, lead to from a node."""
    reached = {start}
    for source, target in edges:
        if source in reached:
            reached.add(target)
    return reached


def _apply(ops: Operations[Tensor], operation: str, x: Tensor, channels: int) -> Tensor:
    """Apply the operation of one edge."""
    match operation:
        case "skip_connect":
            return x
        case "avg_pool_3x3":
            return ops.avg_pool(x, 3, 1)
        case "nor_conv_1x1":
            return ops.batch_norm(ops.conv(ops.relu(x), channels, 1))
        case _:
            return ops.batch_norm(ops.conv(ops.relu(x), channels, 3))


def _reduce(ops: Operations[Tensor], x: Tensor, channels: int) -> Tensor:
    """Halve the image and widen to `channels`: two convolutions beside a pooled, projected shortcut."""
    residual = ops.batch_norm(ops.conv(ops.relu(x), channels, 3, stride=2))
    residual = ops.batch_norm(ops.conv(ops.relu(residual), channels, 3))
    return ops.add([residual, ops.conv(ops.avg_pool(x, 2, 2), channels, 1)])


SPACE = NasBench201
