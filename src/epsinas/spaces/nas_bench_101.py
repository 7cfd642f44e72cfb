"""NAS-Bench-101: cells that are acyclic graphs of up to seven vertices and nine edges, an operation on each vertex.

Source: Ying et al. (2019), "NAS-Bench-101: Towards Reproducible Neural Architecture Search".
"""

import hashlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from epsinas.errors import InputError, shown
from epsinas.spaces.base import check_skeleton
from epsinas.spaces.operations import Operations, Tensor

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
"""What an interior vertex can do, in the order of the benchmark's labels."""
INPUT, OUTPUT = "input", "output"

MAX_VERTICES = 7
MAX_EDGES = 9
SIZE = 423_624
"""Number of cells that differ as labelled graphs."""

_WIDEST_CONCATENATION = 4
"""Nine edges let no more vertices lie between input and output side by side."""


class Cell(NamedTuple):
    """A directed acyclic graph whose first vertex is the input and whose last is the output.

    Attributes:
        matrix: adjacency, (vertices, vertices), 1 for an edge from the row's vertex to the column's, else 0.
        operations: (vertices,), `input` and `output` included.
    """

    matrix: tuple[tuple[int, ...], ...]
    operations: tuple[str, ...]

    @property
    def edges(self) -> int:
        """Number of edges."""
        return sum(map(sum, self.matrix))

    def sources(self, vertex: int) -> list[int]:
        """List the vertices with an edge into `vertex`, ascending."""
        return [source for source in range(vertex) if self.matrix[source][vertex]]

    def pruned(self) -> "Cell":
        """Leave out the vertices that are not on a path from the input to the output.

        The input and the output themselves stay, also if no path joins them.
        """
        vertices = len(self.matrix)
        last = vertices - 1
        forward, backward = {0}, {last}
        for vertex in range(1, vertices):
            if forward.intersection(self.sources(vertex)):
                forward.add(vertex)
        for vertex in range(last, 0, -1):
            if vertex in backward:
                backward.update(self.sources(vertex))
        kept = [vertex for vertex in range(vertices) if vertex in (0, last) or vertex in forward & backward]
        matrix = tuple(tuple(self.matrix[source][target] for target in kept) for source in kept)
        return Cell(matrix, tuple(self.operations[vertex] for vertex in kept))

    def widths(self, channels: int) -> list[int]:
        """Return the number of channels of each vertex of a pruned cell with `channels` outputs.

        The outputs are divided among the vertices that are concatenated as evenly as possible, the first ones
        getting one more; every other interior vertex has the largest width that it feeds. The input's entry is
        `channels`, whatever its width.
        """
        last = len(self.matrix) - 1
        joined = [vertex for vertex in self.sources(last) if vertex]
        widths = [0] * last + [channels]
        for place, vertex in enumerate(joined):
            widths[vertex] = channels // len(joined) + (place < channels % len(joined))
        for vertex in range(last - 1, 0, -1):
            if vertex not in joined:
                widths[vertex] = max(width for width, edge in zip(widths, self.matrix[vertex], strict=True) if edge)
        widths[0] = channels
        return widths

    def graph_hash(self) -> str:
        """Return the benchmark's own name of a pruned cell, equal for isomorphic labelled graphs.

        Every vertex starts with the MD5 of its numbers of outgoing and incoming edges and its label (-1 for the
        input, -2 for the output, otherwise the position in OPERATIONS); as many times as there are vertices, it
        gets that of its predecessors' sorted hashes, its successors' and its own. The name is the MD5 of the
        sorted result (Ying et al. 2019, Section 2.1 and the released code).
        """
        vertices = range(len(self.matrix))
        labels = [-1, *map(OPERATIONS.index, self.operations[1:-1]), -2]
        columns = list(zip(*self.matrix, strict=True))
        hashes = [_md5((sum(self.matrix[v]), sum(columns[v]), labels[v])) for v in vertices]
        for _ in vertices:
            before = [sorted(itertools.compress(hashes, columns[v])) for v in vertices]
            after = [sorted(itertools.compress(hashes, self.matrix[v])) for v in vertices]
            hashes = [_md5("|".join(("".join(before[v]), "".join(after[v]), hashes[v]))) for v in vertices]
        return _md5(sorted(hashes))

    def __str__(self) -> str:
        return "".join(str(edge) for row in self.matrix for edge in row) + ":" + ",".join(self.operations)


@dataclass(frozen=True)
class NasBench101:
    """The search space and its skeleton: a stem, then three stacks of cells with max pooling between them.

    Attributes:
        channels: width of the stem and of the first stack, at least 4; the second and third stack have twice and
            four times as many.
        cells: number of cells in each of the three stacks.
        classes: number of outputs of the classifier.

    Raises:
        InputError: one of these is no whole number, or too small: there are fewer channels than a cell can concatenate
            vertices.

    Example:
        >>> NasBench101(channels=16).widths
        (16, 32, 64)
    """

    channels: int = 128
    cells: int = 3
    classes: int = 10
    name: ClassVar[str] = "nas-bench-101"
    title: ClassVar[str] = "NAS-Bench-101"
    family: ClassVar[str] = "images"
    summary: ClassVar[str] = "cells with up to 7 vertices and 9 edges, 3 operations; 423,624 networks"
    size: ClassVar[int] = SIZE
    weights: ClassVar[tuple[float, float]] = (1e-4, 10.0)
    deepest: ClassVar[str] = "0100000001000000010000000100000001000000010000000:" + ",".join(
        [INPUT, *[OPERATIONS[0]] * 5, OUTPUT]
    )

    def __post_init__(self) -> None:
        check_skeleton(self, channels=_WIDEST_CONCATENATION, cells=0)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the cells of each stack."""
        return (self.channels, 2 * self.channels, 4 * self.channels)

    def parse(self, architecture: str) -> Cell:
        """Read an architecture string: the adjacency matrix row by row, a colon, the operations with commas.

        Vertices that are not on a path from the input to the output are admitted and kept; they are no part of the
        network, and their edges do not count.

        Raises:
            InputError: the matrix is not square, has more than seven vertices, an edge that does not lead to a
                later vertex, or more than nine edges, its input and output are not joined, or the operations are
                not one for each vertex, the first `input`, the last `output`, the others from OPERATIONS.

        Example:
            >>> NasBench101().parse("010001000:input,conv3x3-bn-relu,output").matrix
            ((0, 1, 0), (0, 0, 1), (0, 0, 0))
        """
        bits, colon, names = architecture.strip().partition(":")
        vertices = math.isqrt(len(bits))
        if not colon or set(bits) - {"0", "1"} or vertices**2 != len(bits) or vertices < 2:
            raise InputError(
                f"malformed architecture {shown(architecture.strip(), 200)}: expected the 0s and 1s of a square "
                "matrix, a colon and the operations, such as '010001000:input,conv3x3-bn-relu,output'"
            )
        matrix = tuple(tuple(map(int, bits[start : start + vertices])) for start in range(0, len(bits), vertices))
        cell = Cell(matrix, tuple(names.split(",")))
        _check(cell)
        return cell

    def format(self, cell: Cell) -> str:
        """Print a cell as its architecture string, the inverse of `parse`.

        Example:
            >>> NasBench101().format(Cell(((0, 1), (0, 0)), ("input", "output")))
            '0100:input,output'
        """
        return str(cell)

    def graph_hash(self, architecture: str) -> str:
        """Return the name under which the benchmark has this network; see `Cell.graph_hash`.

        Raises:
            InputError: as `parse`.

        Example:
            Vertex 2 leads nowhere.

            >>> space = NasBench101()
            >>> first = space.graph_hash("010001000:input,maxpool3x3,output")
            >>> first == space.graph_hash("0110000100000000:input,maxpool3x3,conv1x1-bn-relu,output")
            True
        """
        return self.parse(architecture).pruned().graph_hash()

    def architectures(self) -> Iterator[str]:
        """Enumerate the 423,624 cells, one of each class of isomorphic ones, without extraneous vertices.

        Ordered by the number of vertices, the matrix, then the operations. The first string takes a few seconds.
        """
        return (_architecture(*row) for row in _unique_cells().tolist())

    def sample(self, count: int, rng: np.random.Generator) -> list[str]:
        """Draw `count` different cells of `architectures()` uniformly, in random order.

        Raises:
            InputError: `count` is not between 0 and 423,624.
        """
        if not 0 <= count <= SIZE:
            raise InputError(f"count: found {count}, expected 0 to {SIZE}")
        return [_architecture(*row) for row in _unique_cells()[rng.choice(SIZE, count, replace=False)].tolist()]

    def neighbours(self, architecture: str) -> list[str]:
        """List the architectures at edit distance 1: one edge more or less, or one vertex with another operation.

        Edits are made to the matrix as it is written and leave a valid architecture. Vertices that an edit cuts
        off stay in the string, so that later edits may join them again; an edit to such a vertex does not change
        the network. Add unconnected vertices to a smaller cell to let it grow.

        Raises:
            InputError: as `parse`.

        Example:
            >>> for neighbour in NasBench101().neighbours("010001000:input,maxpool3x3,output"):
            ...     print(neighbour)
            011001000:input,maxpool3x3,output
            010001000:input,conv3x3-bn-relu,output
            010001000:input,conv1x1-bn-relu,output
        """
        cell = self.parse(architecture)
        return [str(edited) for edited in _edits(cell) if _flaw(edited) is None]

    def traits(self, architecture: str) -> dict[str, bool | int]:
        """Say whether a network belongs to each of three populations; all of the benchmark's are in the first two.

        `connected`: every network that can be parsed. `reachable`: every vertex lies on a path from the input to the
        output. `parameter_free`: one of the paths has max pooling only, or no vertex at all; the projections at the
        cell's input, which every path passes, are not counted.

        Raises:
            InputError: as `parse`.

        Example:
            >>> NasBench101().traits("010001000:input,maxpool3x3,output")
            {'connected': True, 'reachable': True, 'parameter_free': True}
        """
        cell, last = _network_cell(architecture)
        free = {0}
        for vertex in range(1, last + 1):
            if cell.operations[vertex] in ("maxpool3x3", OUTPUT) and free.intersection(cell.sources(vertex)):
                free.add(vertex)
        reachable = len(cell.operations) == architecture.count(",") + 1
        return {"connected": True, "reachable": reachable, "parameter_free": last in free}

    def encoding(self, architecture: str) -> tuple[int, ...]:
        """Return which edges there are and which operation each interior vertex has, as 0 or 1.

        The 21 edges between seven vertices, row by row, then for five vertices each of the three operations. Vertices
        of a smaller cell stand at the beginning, its output at the end.

        Raises:
            InputError: as `parse`.

        Example:
            Edges from the input to the first vertex and from there to the output.

            >>> found = NasBench101().encoding("010001000:input,maxpool3x3,output")
            >>> [place for place, one in enumerate(found) if one], len(found)
            ([0, 10, 23], 36)
        """
        cell = self.parse(architecture)
        last = len(cell.matrix) - 1
        places = {vertex: MAX_VERTICES - 1 if vertex == last else vertex for vertex in range(last + 1)}
        joined = {(places[source], places[target]) for target in range(last + 1) for source in cell.sources(target)}
        edges = [int(pair in joined) for pair in itertools.combinations(range(MAX_VERTICES), 2)]
        interior = [*cell.operations[1:-1], *[""] * (MAX_VERTICES - last - 1)]
        return (*edges, *(int(found == one) for found in interior for one in OPERATIONS))

    def cell(self, ops: Operations[Tensor], architecture: str, x: Tensor, channels: int) -> Tensor:
        """Apply one cell, from any number of channels to `channels`.

        The input enters a vertex through a 1x1 projection, other vertices enter as they are, without the channels
        that the vertex does not have. A vertex sums what comes in and applies its operation. The cell's output is
        the concatenation of the vertices that feed it, plus a projection of the input if there is such an edge.
        """
        cell, last = _network_cell(architecture)
        widths = cell.widths(channels)
        values: dict[int, Tensor] = {}
        for vertex in range(1, last):
            incoming = [
                ops.truncate(values[source], widths[vertex])
                if source
                else _conv_bn_relu(ops, x, widths[vertex], kernel=1)
                for source in cell.sources(vertex)
            ]
            total = ops.add(incoming)
            match cell.operations[vertex]:
                case "maxpool3x3":
                    values[vertex] = ops.max_pool(total, 3, 1)
                case "conv1x1-bn-relu":
                    values[vertex] = _conv_bn_relu(ops, total, widths[vertex], kernel=1)
                case _:
                    values[vertex] = _conv_bn_relu(ops, total, widths[vertex], kernel=3)
        outputs = []
        if joined := [values[source] for source in cell.sources(last) if source]:
            outputs.append(ops.concat(joined))
        if cell.matrix[0][last]:
            outputs.append(_conv_bn_relu(ops, x, channels, kernel=1))
        return ops.add(outputs)

    def network(self, ops: Operations[Tensor], architecture: str, images: Tensor) -> Tensor:
        """Describe the whole network, from images (N, channels, H, W) to logits (N, classes)."""
        x = _conv_bn_relu(ops, images, self.channels, kernel=3)
        for stack, channels in enumerate(self.widths):
            if stack:
                x = ops.max_pool(x, 2, 2)
            for _ in range(self.cells):
                x = self.cell(ops, architecture, x, channels)
        return ops.linear(ops.global_avg_pool(x), self.classes)


def _conv_bn_relu(ops: Operations[Tensor], x: Tensor, channels: int, kernel: int) -> Tensor:
    return ops.relu(ops.batch_norm(ops.conv(x, channels, kernel)))


@lru_cache(maxsize=16)
def _network_cell(architecture: str) -> tuple[Cell, int]:
    """Return the pruned cell and its last vertex; a network asks for them once for each of its cells."""
    cell = NasBench101().parse(architecture).pruned()
    return cell, len(cell.operations) - 1


def _check(cell: Cell) -> None:
    """Check what `NasBench101.parse` promises of a square matrix."""
    if len(cell.operations) != len(cell.matrix):
        raise InputError(f"found {len(cell.operations)} operations for {len(cell.matrix)} vertices, expected as many")
    if (cell.operations[0], cell.operations[-1]) != (INPUT, OUTPUT):
        raise InputError(
            f"found {shown(cell.operations[0])} as the first operation and {shown(cell.operations[-1])} as the last, "
            f"expected {INPUT} and {OUTPUT}"
        )
    for name in cell.operations[1:-1]:
        if name not in OPERATIONS:
            raise InputError(f"unknown operation {shown(name)}: expected one of {', '.join(OPERATIONS)}")
    if flaw := _flaw(cell):
        raise InputError(flaw)


def _flaw(cell: Cell) -> str | None:
    """Say what keeps a matrix from being a cell, if anything."""
    vertices = len(cell.matrix)
    if vertices > MAX_VERTICES:
        return f"found {vertices} vertices, expected at most {MAX_VERTICES}"
    for source, target in itertools.product(range(vertices), repeat=2):
        if source >= target and cell.matrix[source][target]:
            return f"found an edge from vertex {source} to vertex {target}, expected edges to later vertices only"
    pruned = cell.pruned()
    if not any(pruned.matrix[0]):
        return "found no path from input to output, expected one"
    if pruned.edges > MAX_EDGES:
        return f"found {pruned.edges} edges, expected at most {MAX_EDGES}"
    return None


def _edits(cell: Cell) -> Iterator[Cell]:
    """Yield every cell with one edge flipped, then with one operation changed."""
    for source, target in itertools.combinations(range(len(cell.matrix)), 2):
        rows = [list(row) for row in cell.matrix]
        rows[source][target] ^= 1
        yield cell._replace(matrix=tuple(map(tuple, rows)))
    for vertex in range(1, len(cell.matrix) - 1):
        for name in OPERATIONS:
            if name != cell.operations[vertex]:
                names = (*cell.operations[:vertex], name, *cell.operations[vertex + 1 :])
                yield cell._replace(operations=names)


def _md5(content: object) -> str:
    return hashlib.md5(str(content).encode(), usedforsecurity=False).hexdigest()


# Enumeration. A matrix is the number whose binary digits are its entries above the diagonal, row by row from the
# highest; the operations are a number in base 3.


@cache
def _pairs(vertices: int) -> tuple[tuple[int, int], ...]:
    """List (source, target) of the entries above the diagonal, that of the lowest digit first."""
    return tuple(itertools.combinations(range(vertices), 2))[::-1]


def _architecture(vertices: int, code: int, labels: int) -> str:
    """Print the cell with these numbers."""
    return f"{_bits(vertices, code)}:{_names(vertices, labels)}"


@lru_cache(maxsize=16)
def _bits(vertices: int, code: int) -> str:
    """Print a matrix."""
    bits = ["0"] * vertices**2
    for digit, (source, target) in enumerate(_pairs(vertices)):
        bits[source * vertices + target] = str(code >> digit & 1)
    return "".join(bits)


@cache
def _names(vertices: int, labels: int) -> str:
    """Print operations."""
    digits = [labels // 3**power % 3 for power in reversed(range(vertices - 2))]
    return ",".join((INPUT, *(OPERATIONS[digit] for digit in digits), OUTPUT))


@cache
def _unique_cells() -> np.ndarray:
    """Return int32 (423,624, 3): vertices, matrix and operations of one cell of each class of isomorphic ones."""
    return np.concatenate([_unique_cells_of(vertices) for vertices in range(2, MAX_VERTICES + 1)])


def _unique_cells_of(vertices: int) -> np.ndarray:
    """Return the rows of `_unique_cells` with so many vertices.

    Isomorphic graphs differ by a permutation of the interior vertices that leaves every edge leading to a later
    vertex. The graph with the smallest number stands for its class; of the ways to label it, those that one of its
    automorphisms turns into each other are one cell.
    """
    codes = _connected_graphs(vertices)
    permutations = list(itertools.permutations(range(1, vertices - 1)))
    smallest = codes.copy()
    for permutation in permutations:
        np.minimum(smallest, _permuted(codes, permutation, vertices), out=smallest)
    codes = codes[smallest == codes]
    labels = np.arange(3 ** (vertices - 2), dtype=np.int32)
    first = np.tile(labels, (len(codes), 1))
    for permutation in permutations:
        symmetric = np.flatnonzero(_permuted(codes, permutation, vertices) == codes)
        first[symmetric] = np.minimum(first[symmetric], _permuted_labels(labels, permutation))
    graph, label = np.nonzero(first == labels)
    return np.stack([np.full(len(graph), vertices), codes[graph], label], axis=1).astype(np.int32)


def _connected_graphs(vertices: int) -> np.ndarray:
    """Return the numbers of the matrices with at most nine edges and every vertex between input and output."""
    pairs = _pairs(vertices)
    codes = np.arange(2 ** len(pairs), dtype=np.int32)
    codes = codes[np.bitwise_count(codes) <= MAX_EDGES]
    # In an acyclic graph, an edge out of every vertex but the output and into every one but the input will do.
    for vertex in range(vertices):
        for end, none in ((0, vertices - 1), (1, 0)):
            if vertex != none:
                codes = codes[codes & sum(1 << digit for digit, pair in enumerate(pairs) if pair[end] == vertex) != 0]
    return codes


def _permuted(codes: np.ndarray, permutation: tuple[int, ...], vertices: int) -> np.ndarray:
    """Return the matrices with vertex v called `permutation[v - 1]`; the largest int32 where an edge leads back."""
    pairs = _pairs(vertices)
    place = (0, *permutation, vertices - 1)
    result = np.zeros_like(codes)
    back = 0
    for digit, (source, target) in enumerate(pairs):
        if place[source] < place[target]:
            result |= (codes >> digit & 1) << pairs.index((place[source], place[target]))
        else:
            back |= 1 << digit
    return np.where(codes & back, np.iinfo(codes.dtype).max, result)


def _permuted_labels(labels: np.ndarray, permutation: tuple[int, ...]) -> np.ndarray:
    """Return the numbers of the operations with vertex v called `permutation[v - 1]`."""
    interior = len(permutation)
    result = np.zeros_like(labels)
    for vertex, name in enumerate(permutation):
        result += labels // 3 ** (interior - 1 - vertex) % 3 * 3 ** (interior - name)
    return result


SPACE = NasBench101
