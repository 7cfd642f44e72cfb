"""The lumped interpreter: one map per class of identical channels, on an interned expression graph.

With every weight equal to w and every bias 0, all output channels of a convolution, linear layer or batch
normalisation are identical, so a tensor of C channels is a short run-length list of (map, count). A convolution
is w times the sum of its window over all input channels; a batch normalisation over identical channels is that of
one map. This is exact: only the order of floating-point additions differs from the full-width network.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np

from epsinas.engines.base import dtype_of
from epsinas.engines.images import kernels
from epsinas.spaces import ImageSpace
from epsinas.spaces.operations import BATCH_NORM_EPSILON, output_size, padding

_WINDOWS = ((1, 1), (2, 1), (2, 2), (3, 1), (3, 2))
"""Kernels and strides that `kernels` has."""


class Node:
    """An expression: an operation, its attributes and its inputs. Nodes of one graph are equal iff identical."""

    __slots__ = ("attributes", "digest", "inputs", "operation", "size")

    def __init__(
        self,
        operation: str,
        attributes: tuple,
        inputs: tuple["Node", ...],
        size: tuple[int, int],
        digest: bytes,
    ):
        self.operation, self.attributes, self.inputs = operation, attributes, inputs
        self.size, self.digest = size, digest

    @property
    def is_zero(self) -> bool:
        """Whether this is the empty sum."""
        return self.operation == "sum" and not self.inputs


Runs = tuple[tuple[Node, int], ...]
"""A lumped tensor: maps and the number of consecutive channels that each stands for."""


class Graph:
    """Operations on lumped tensors that build the expression graph, each expression once.

    Sums are sorted by a digest of their inputs' structure, so that the graph, and with it every rounding, depends
    neither on the order in which a description adds nor on what else the graph holds.
    """

    def __init__(self) -> None:
        self.nodes: dict[tuple[str, tuple, tuple[Node, ...], tuple[int, int]], Node] = {}

    def input(self, channels: int, height: int, width: int) -> Runs:
        """Return images: every channel its own map."""
        return tuple((self._node("channel", (channel,), (), (height, width)), 1) for channel in range(channels))

    def conv(self, x: Runs, channels: int, kernel: int, stride: int = 1) -> Runs:
        """Sum the channels, then the window; all output channels are the same."""
        total = self._sum(x)
        return ((self._windowed("conv", total, kernel, stride), channels),)

    def batch_norm(self, x: Runs) -> Runs:
        """Normalise each map."""
        return tuple((self._absorbing("batch_norm", node), count) for node, count in x)

    def relu(self, x: Runs) -> Runs:
        """Rectify each map."""
        return tuple((self._absorbing("relu", node), count) for node, count in x)

    def avg_pool(self, x: Runs, kernel: int, stride: int) -> Runs:
        """Average each map over windows."""
        return tuple((self._windowed("avg_pool", node, kernel, stride), count) for node, count in x)

    def max_pool(self, x: Runs, kernel: int, stride: int) -> Runs:
        """Take the maximum of each map over windows."""
        return tuple((self._windowed("max_pool", node, kernel, stride), count) for node, count in x)

    def add(self, xs: Sequence[Runs]) -> Runs:
        """Add maps over the common refinement of the runs."""
        if all(len(x) == 1 for x in xs):  # as everywhere where nothing is concatenated
            return ((self._sum([(x[0][0], 1) for x in xs]), xs[0][0][1]),)
        result = []
        remaining = [list(x) for x in xs]
        while remaining[0]:
            count = min(runs[0][1] for runs in remaining)
            result.append((self._sum([(runs[0][0], 1) for runs in remaining]), count))
            remaining = [
                ([(runs[0][0], runs[0][1] - count)] if runs[0][1] > count else []) + runs[1:] for runs in remaining
            ]
        return _joined(result)

    def concat(self, xs: Sequence[Runs]) -> Runs:
        """Put the runs one after the other."""
        return _joined([run for x in xs for run in x])

    def truncate(self, x: Runs, channels: int) -> Runs:
        """Keep the first runs."""
        kept, left = [], channels
        for node, count in x:
            if left > 0:
                kept.append((node, min(count, left)))
            left -= count
        return tuple(kept)

    def zeros(self, x: Runs) -> Runs:
        """Return the empty sum."""
        return ((self._zero(x[0][0].size), sum(count for _, count in x)),)

    def global_avg_pool(self, x: Runs) -> Runs:
        """Average each map over the image."""
        return tuple((self._absorbing("mean", node, (1, 1)), count) for node, count in x)

    def linear(self, x: Runs, features: int) -> Runs:
        """Sum the features; all outputs are the same."""
        counts: dict[Node, int] = {}
        for node, count in x:
            if not node.is_zero:
                counts[node] = counts.get(node, 0) + count
        if not counts:
            return ((self._zero((1, 1)), features),)
        ordered = sorted(counts, key=_digest)
        return ((self._node("linear", tuple(counts[node] for node in ordered), tuple(ordered), (1, 1)), features),)

    def stages(self, xs: Sequence[tuple[Node, int]]) -> Node:
        """Return a node that holds these maps in order; it has an identity, but no value."""
        return self._node("stages", (), tuple(node for node, _ in xs), (1, 1))

    def _sum(self, terms: Sequence[tuple[Node, int]]) -> Node:
        """Return the sum of maps with multiplicities; nested sums are opened, equal maps joined."""
        if len(terms) == 1 and terms[0][1] == 1:
            return terms[0][0]
        counts: dict[Node, int] = {}
        for node, count in terms:
            if node.operation != "sum":
                counts[node] = counts.get(node, 0) + count
                continue
            for inner, multiplicity in zip(node.inputs, node.attributes, strict=True):
                counts[inner] = counts.get(inner, 0) + count * multiplicity
        if len(counts) == 1:
            ((node, count),) = counts.items()
            return node if count == 1 else self._node("sum", (count,), (node,), node.size)
        ordered = sorted(counts, key=_digest)
        return self._node("sum", tuple(counts[node] for node in ordered), tuple(ordered), terms[0][0].size)

    def _windowed(self, operation: str, x: Node, kernel: int, stride: int) -> Node:
        """Apply an operation over windows that maps zero to zero."""
        if (kernel, stride) not in _WINDOWS:
            raise NotImplementedError(f"window of {kernel}x{kernel} with stride {stride}")
        size = (output_size(x.size[0], kernel, stride), output_size(x.size[1], kernel, stride))
        return self._zero(size) if x.is_zero else self._node(operation, (kernel, stride), (x,), size)

    def _absorbing(self, operation: str, x: Node, size: tuple[int, int] | None = None) -> Node:
        """Apply an operation that maps zero to zero."""
        size = size or x.size
        return self._zero(size) if x.is_zero else self._node(operation, (), (x,), size)

    def _zero(self, size: tuple[int, int]) -> Node:
        return self._node("sum", (), (), size)

    def _node(self, operation: str, attributes: tuple, inputs: tuple[Node, ...], size: tuple[int, int]) -> Node:
        key = (operation, attributes, inputs, size)
        node = self.nodes.get(key)
        if node is None:
            content = _written(operation, attributes, size) + b"".join([inner.digest for inner in inputs])
            digest = hashlib.blake2b(content, digest_size=16).digest()
            node = self.nodes[key] = Node(operation, attributes, inputs, size, digest)
        return node


_digest = attrgetter("digest")


@lru_cache(maxsize=4096)
def _written(operation: str, attributes: tuple, size: tuple[int, int]) -> bytes:
    """Write what an expression is beside its inputs; networks have few different ones."""
    return repr((operation, attributes, size)).encode()


def _joined(runs: Sequence[tuple[Node, int]]) -> Runs:
    """Make one run of neighbours with the same map."""
    result: list[tuple[Node, int]] = []
    for node, count in runs:
        if result and result[-1][0] is node:
            count += result.pop()[1]
        result.append((node, count))
    return tuple(result)


def cell(space: ImageSpace, architecture: str, graph: Graph) -> Node:
    """Return a node, in the given graph, that says what one cell makes of an input of one map.

    It is the output map if there is one. Otherwise it holds the maps and how many channels each of them has in
    the cells of every stage: what follows a cell looks at every map by itself and adds channels up, and cells
    whose channels are divided differently are different functions.
    """
    ((x, _),) = graph.input(1, 8, 8)
    outputs: list[tuple[Node, int]] = []
    for channels in space.widths:
        output = space.cell(graph, architecture, ((x, channels),), channels)
        if len(output) == 1:
            return output[0][0]
        outputs += graph.linear(graph.global_avg_pool(output), 1)
    return graph.stages(outputs)


def identity(space: ImageSpace, architecture: str) -> bytes:
    """Return a digest of the cell's graph: networks of one space with equal digests are the same function.

    Raises:
        InputError: the architecture is malformed.

    Example:
        Both cells are a 3x3 convolution of their input, in the second one behind a skip connection.

        >>> from epsinas.spaces import NasBench201
        >>> first = identity(NasBench201(), "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
        >>> first == identity(NasBench201(), "|skip_connect~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|")
        True
    """
    return cell(space, architecture, Graph()).digest


def build(space: ImageSpace, architecture: str, image: tuple[int, int, int], graph: Graph | None = None) -> Node:
    """Return the output node of one network in a graph of its own, for images of (channels, height, width)."""
    graph = graph or Graph()
    ((output, _),) = space.network(graph, architecture, graph.input(*image))
    return output


def reaches_output(space: ImageSpace, architecture: str) -> bool:
    """Say whether the images reach a network's output."""
    return any(node.operation == "channel" for node, _ in schedule(build(space, architecture, (1, 8, 8))))


_PLAIN, _RECTIFIED = kernels.View(0.0, 0), kernels.View(0.0, 1)


class Field:
    """A stored map in the layout of `kernels`, and the mean and variance of those of its views that were asked.

    Args:
        array: the map.
        bound: which no entry exceeds in magnitude.
        spares: receives the array when the field is no longer used. Fresh memory costs more than the arithmetic.
    """

    __slots__ = ("array", "bound", "moments", "spares")

    def __init__(self, array: np.ndarray, bound: float, spares: list[np.ndarray] | None = None):
        self.array, self.bound, self.spares = array, bound, spares
        self.moments: dict[kernels.View, tuple[float, float]] = {}

    def bound_of(self, view: kernels.View) -> float:
        """Bound the entries of a view."""
        entries = view.kernel**2 if view.mode == kernels.SUM else 1
        return entries * (self.bound + abs(view.threshold))

    def __del__(self) -> None:
        if self.spares is not None:
            self.spares.append(self.array)


@dataclass(eq=False, slots=True)
class Form:
    """An unstored map: `2**exponent * (sum of coefficient * view(field) + constant)`; without terms it is zero.

    Convolution, batch normalisation and sums change the coefficients only; pixels are touched when a form is
    stored, because a layer needs more than a view of one field.
    """

    terms: tuple[tuple[float, kernels.View, Field], ...] = ()
    constant: float = 0.0
    exponent: int = 0

    def scaled(self, factor: float, exponent: int = 0) -> "Form":
        """Return the product with `factor * 2**exponent`."""
        terms = tuple([(coefficient * factor, view, stored) for coefficient, view, stored in self.terms])
        return Form(terms, self.constant * factor, self.exponent + exponent)


ZERO = Form()


@dataclass(frozen=True)
class Outputs:
    """A network's outputs for a batch: `values * 2**exponent`, values (N,) of the precision's dtype.

    All logits are equal, so there is one entry for each image. Only `extended` has an exponent other than 0.
    """

    values: np.ndarray
    exponent: int = 0


class Lumped:
    """Evaluates graphs on one batch of images.

    Args:
        batch: (N, C, H, W), any floating dtype, finite.
        precision: `single` is float32, under- and overflowing as in the published experiments, `double` is
            float64, `extended` is float64 with a power of two beside each map: nothing under- or overflows.

    Raises:
        InputError: unknown precision.
    """

    def __init__(self, batch: np.ndarray, precision: str = "single"):
        self.dtype = dtype_of(precision)
        self.extended = precision == "extended"
        info: Any = np.finfo(self.dtype)
        self.largest, self.normal, self.subnormal = float(info.max), int(info.minexp), int(info.minexp - info.nmant)
        self.lanes = lanes(len(batch))
        self.blocks = len(batch) // self.lanes
        self.spares: dict[tuple[int, ...], list[np.ndarray]] = {}
        self.image: tuple[int, int, int] = batch.shape[1:]
        self.channels = [
            Field(self._interleave(images), float(np.abs(images).max())) for images in batch.swapaxes(0, 1)
        ]

    @np.errstate(over="ignore", invalid="ignore")
    def outputs(self, output: Node, weight: float) -> Outputs:
        """Return a network's outputs when every weight is `weight` and every bias 0."""
        ((_, result),) = self._values([output], weight)
        return result if isinstance(result, Outputs) else self._constant_outputs()

    @np.errstate(over="ignore", invalid="ignore")
    def maps(self, nodes: Sequence[Node], weight: float) -> list[np.ndarray]:
        """Return the pixels of some nodes' maps, (N, H * W), up to a power of two."""
        found = {node: self._pixels(form, node.size) for node, form in self._values(nodes, weight)}
        return [found[node] for node in nodes]

    def _values(self, wanted: Sequence[Node], weight: float) -> Iterator[tuple[Node, Any]]:
        """Yield some nodes with their values, as they are computed; a value is forgotten when it is no longer used."""
        values: dict[Node, Any] = {}
        asked = set(wanted)
        for node, done in schedule(*wanted):
            values[node] = _METHODS[node.operation](self, node, [values[inner] for inner in node.inputs], weight)
            if node in asked:
                yield node, values[node]
            for one in done:
                del values[one]

    # One method for each operation of the graph: the node, its inputs' values, the weight.

    def _channel(self, node: Node, inputs: list[Form], weight: float) -> Form:
        return Form(((1.0, _PLAIN, self.channels[node.attributes[0]]),))

    def _sum(self, node: Node, inputs: list[Form], weight: float) -> Form:
        exponent = max((form.exponent for form in inputs if form.terms), default=0)
        joined: dict[tuple[kernels.View, Field], float] = {}
        constant = 0.0
        for form, count in zip(inputs, node.attributes, strict=True):
            factor = math.ldexp(count, form.exponent - exponent) if form.terms else 0.0
            constant += form.constant * factor
            for coefficient, view, stored in form.terms:
                joined[view, stored] = joined.get((view, stored), 0.0) + coefficient * factor
        return Form(tuple((coefficient, *key) for key, coefficient in joined.items()), constant, exponent)

    def _conv(self, node: Node, inputs: list[Form], weight: float) -> Form:
        form = self._weighted(inputs[0], weight)
        return form if node.attributes == (1, 1) else self._window(form, kernels.SUM, node)

    def _avg_pool(self, node: Node, inputs: list[Form], weight: float) -> Form:
        return self._window(inputs[0], kernels.MEAN, node)

    def _max_pool(self, node: Node, inputs: list[Form], weight: float) -> Form:
        return self._window(inputs[0], kernels.MAX, node)

    def _window(self, form: Form, mode: int, node: Node) -> Form:
        """Sum, average or take the maximum over windows: a view, if the input is an unwindowed view of one field."""
        if not form.terms:
            return ZERO
        is_view = len(form.terms) == 1 and form.terms[0][1].kernel == 1
        # Zero padding pads the map and not the form, so a constant may only pass where padding does not count.
        passes = form.constant == 0 if mode == kernels.SUM else mode == kernels.MEAN or form.terms[0][0] > 0
        if not (is_view and passes):
            self._store(form, node.inputs[0].size)
            if not form.terms:
                return ZERO
        (coefficient, view, stored) = form.terms[0]
        kernel, stride = node.attributes
        window = kernels.View(view.threshold, view.rectify, mode, kernel, stride, padding(kernel))
        return Form(((coefficient, window, stored),), form.constant, form.exponent)

    def _relu(self, node: Node, inputs: list[Form], weight: float) -> Form:
        """Rectify: c * v + constant for a map v is c * (v - threshold), so that this is a view of v, if c is positive.

        A rectified map v - t takes a further threshold; one with a positive constant is not changed.
        """
        form = inputs[0]
        if len(form.terms) == 1:
            coefficient, view, stored = form.terms[0]
            if view.rectify and form.constant >= 0 < coefficient:
                return form
            threshold = view.threshold - form.constant / coefficient if coefficient > 0 else math.nan
            # A threshold that the maps' dtype cannot hold is left to its arithmetic.
            if view.kernel == 1 and abs(threshold) <= self.largest:
                return Form(((coefficient, kernels.View(threshold, 1), stored),), 0.0, form.exponent)
        form = self._store(form, node.size)
        return Form(((1.0, _RECTIFIED, form.terms[0][2]),), 0.0, form.exponent) if form.terms else ZERO

    def _batch_norm(self, node: Node, inputs: list[Form], weight: float) -> Form:
        form = inputs[0] if len(inputs[0].terms) == 1 else self._store(inputs[0], node.size)
        if not form.terms:
            return ZERO
        coefficient, view, stored = form.terms[0]
        if view not in stored.moments:
            # What the windows of a view give is met again by every layer that follows, so it is kept.
            out = self._empty(node.size) if view.kernel > 1 else stored.array
            bound = stored.bound_of(view)
            found = kernels.moments(stored.array, view, out, self._scale(bound), self.lanes)
            if view.kernel > 1:
                stored, view = Field(out, bound, self.spares[out.shape]), _PLAIN
                form.terms = ((coefficient, view, stored),)
            stored.moments[view] = found
        mean, variance = stored.moments[view]
        # For 2**e * (c * v + constant) the factor of v is 2**e * w * c / sqrt(4**e * c**2 * variance + eps); a
        # positive e is divided out of the root, so that neither power can overflow.
        below = min(form.exponent, 0)
        spread = math.ldexp(coefficient * coefficient * variance, 2 * below)
        slack = math.ldexp(BATCH_NORM_EPSILON, 2 * (below - form.exponent))
        # Both vanish for a constant map far above 1, of which nothing remains.
        factor = coefficient / math.sqrt(spread + slack) if spread + slack else 0.0
        return self._weighted(Form(((factor, view, stored),), -factor * mean, below), weight)

    def _mean(self, node: Node, inputs: list[Form], weight: float) -> Outputs:
        form = inputs[0]
        if len(form.terms) != 1 or form.terms[0][1].kernel > 1:
            self._store(form, node.inputs[0].size)
        if not form.terms:
            return self._constant_outputs()
        coefficient, view, stored = form.terms[0]
        maps = stored.array.reshape(self.blocks, -1, self.lanes) - self.dtype.type(view.threshold)
        values = (np.maximum(maps, 0) if view.rectify else maps).mean(axis=1, dtype=np.float64).ravel()
        values = coefficient * values + form.constant
        if not self.extended:
            return Outputs(np.ldexp(values, form.exponent).astype(self.dtype))
        return Outputs(values, form.exponent)

    def _linear(self, node: Node, inputs: list[Outputs], weight: float) -> Outputs:
        exponent = max(term.exponent for term in inputs)
        total = sum(
            count * np.ldexp(term.values, term.exponent - exponent)
            for term, count in zip(inputs, node.attributes, strict=True)
        )
        mantissa, power = math.frexp(weight) if self.extended else (weight, 0)
        return Outputs(total * self.dtype.type(mantissa), exponent + power)

    def _store(self, form: Form, size: tuple[int, int]) -> Form:
        """Compute a form's pixels and make it, in place, the plain view of a new field, or zero; return it."""
        if not form.terms or (form.terms[0][:2] == (1.0, _PLAIN) and len(form.terms) == 1 and not form.constant):
            return form
        bound = abs(form.constant)
        bound += sum(abs(coefficient) * stored.bound_of(view) for coefficient, view, stored in form.terms)
        if not self.extended:
            bound, unit = self._away_from_subnormal(form, bound)
            if bound < unit / 2:
                form.terms, form.constant = (), 0.0
                return form
        out = self._combined(form, size)
        if not self.extended:
            if unit:
                kernels.round_to(out, self.dtype.type(unit))
        elif abs(shift := math.frexp(max(out.max(), -out.min()))[1]) > _SLACK:
            np.ldexp(out, -shift, out=out)
            bound = 1.0
            form.exponent += shift
        stored = Field(out, bound, self.spares[out.shape])
        form.terms = () if kernels.is_zero(out) else ((1.0, _PLAIN, stored),)
        form.constant = 0.0
        return form

    def _combined(self, form: Form, size: tuple[int, int]) -> np.ndarray:
        """Return a form's pixels, less its power of two, in the layout of `kernels`."""
        out = self._empty(size)
        constant = self.dtype.type(form.constant)
        # The kernel takes a fixed number of maps; what is left over is added in further rounds.
        for done in range(0, len(form.terms), _ARITY):
            now = form.terms[done : done + _ARITY]
            arrays = [stored.array for _, _, stored in now] + [out] * (_ARITY - len(now))
            views = np.array([view for _, view, _ in now], np.float64)
            coefficients = np.array([coefficient for coefficient, _, _ in now], self.dtype)
            kernels.combine(out, tuple(arrays), views, coefficients, constant, done > 0, self.lanes)
        return out

    def _pixels(self, form: Any, size: tuple[int, int]) -> np.ndarray:
        """Return a form's pixels, less its power of two, (N, H * W)."""
        count = self.blocks * self.lanes
        if not form.terms:
            return np.zeros((count, size[0] * size[1]), self.dtype)
        out = self._combined(form, size)
        pixels = out.reshape(self.blocks, -1, self.lanes).swapaxes(1, 2).reshape(count, -1).copy()
        self.spares[out.shape].append(out)
        return pixels

    def _away_from_subnormal(self, form: Form, bound: float) -> tuple[float, float]:
        """Give a form of numbers near the dtype's smallest ones an exponent, any other the exponent 0.

        Numbers below the normal range make an operation many times slower. With the exponent they are in that range,
        and rounding them to multiples of a unit gives what they would be without.

        Returns:
            The bound of the form in its new scale, and the unit, 0 for numbers that need no rounding.
        """
        power = math.frexp(bound)[1] + form.exponent if math.isfinite(bound) else 0
        exponent = power if power < self.normal + _SLACK else 0
        shift = form.exponent - exponent
        form.terms = tuple((math.ldexp(coefficient, shift), view, stored) for coefficient, view, stored in form.terms)
        form.constant, form.exponent = math.ldexp(form.constant, shift), exponent
        return math.ldexp(bound, shift), math.ldexp(1.0, self.subnormal - exponent) if exponent else 0.0

    def _empty(self, size: tuple[int, int]) -> np.ndarray:
        """Return memory for a map."""
        shape = (self.blocks, size[0], size[1] * self.lanes)
        spares = self.spares.setdefault(shape, [])
        return spares.pop() if spares else kernels.empty(shape, self.dtype)

    def _scale(self, bound: float) -> float:
        """Return the power of two, of the dtype's normal range, that brings a bound near 1."""
        if not math.isfinite(bound):
            return 1.0
        limit = -self.normal
        return math.ldexp(1.0, max(min(-math.frexp(bound)[1], limit), -limit))

    def _weighted(self, form: Form, weight: float) -> Form:
        """Multiply by the weight; in extended precision, move powers of two into the exponent."""
        if not self.extended or not form.terms:
            return form.scaled(weight)
        form = form.scaled(*math.frexp(weight))
        shift = math.frexp(max(abs(coefficient) for coefficient, _, _ in form.terms))[1]
        return form.scaled(math.ldexp(1.0, -shift), shift)

    def _constant_outputs(self) -> Outputs:
        return Outputs(np.zeros(self.blocks * self.lanes, self.dtype))

    def _interleave(self, images: np.ndarray) -> np.ndarray:
        """Bring one channel (N, H, W) into the layout of `kernels`."""
        _, height, width = images.shape
        blocks = images.reshape(self.blocks, self.lanes, height, width).transpose(0, 2, 3, 1)
        array = kernels.empty(blocks.shape, self.dtype)
        array[...] = blocks
        return array.reshape(self.blocks, height, width * self.lanes)


_OPERATIONS = ("channel", "sum", "conv", "avg_pool", "max_pool", "relu", "batch_norm", "mean", "linear")
_METHODS: dict[str, Callable[[Lumped, Node, list, float], Form | Outputs]] = {
    name: getattr(Lumped, f"_{name}") for name in _OPERATIONS
}
"""What each operation of a node that has a value means."""

_ARITY = 4
"""How many maps `kernels.combine` takes at once."""

_SLACK = 64
"""Powers of two by which an extended map may be off 1, and one in another precision has to be above the smallest normal
number, to be stored as it is."""


def lanes(images: int) -> int:
    """Return how many images share a block: the smallest divisor of `images` that is 32 or more, or all of them."""
    return next((divisor for divisor in range(32, images) if images % divisor == 0), images)


def schedule(*outputs: Node) -> list[tuple[Node, list[Node]]]:
    """Order the nodes that `outputs` need, inputs first, each with the nodes that nothing after it needs."""
    order: list[Node] = []
    seen: set[Node] = set()
    for output in outputs:
        if output in seen:
            continue
        seen.add(output)
        stack = [output]
        while stack:
            for inner in stack[-1].inputs:
                if inner not in seen:
                    seen.add(inner)
                    stack.append(inner)
                    break
            else:
                order.append(stack.pop())
    steps: list[tuple[Node, list[Node]]] = []
    needed: set[Node] = set()
    for node in reversed(order):
        done = []
        for one in (node, *node.inputs):
            if one not in needed:
                needed.add(one)
                done.append(one)
        steps.append((node, done))
    return steps[::-1]
