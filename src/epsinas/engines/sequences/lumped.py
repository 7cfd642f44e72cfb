"""The lumped interpreter of recurrent networks: one unit for each layer.

With every weight and every bias equal to w, and every hidden state starting at w, all units of a layer are
identical: a linear operation over n equal units u and m equal units v is `w * (n * u + m * v) + w`. The embedding
enters the first layer only through the sum of a token's entries. So a layer is the recurrence of one vector over
the batch. This is exact: only the order of floating-point additions differs from the full-width network.

Small weights make the outputs of many recurrent networks nearly constant: only the last digits of 0.5 + 1e-12
differ from sequence to sequence, and min-max normalisation makes these digits the score. More digits
would only put the limit off, in double-double numbers at many times the cost, in 80-bit ones not on every machine: a
sigmoid behind a linear operation multiplies small differences by 600 w / 4, and a network can have tens of them in a
row. `extended` therefore writes every value as a sum of
three float64 numbers: a constant, what a time step adds to it, and what a sequence adds to that. The first is a
fixed point of the cell for the mean input, to which its states tend; the second comes from running the cell once on
the mean input; the third is what is left. Every operation computes the parts of its output from those of its inputs
without cancellation. To round a constant shifts values by the same 1e-16 everywhere, which normalisation takes out
again, so the other parts keep their digits however small they are. (Of a state that has no fixed point but drifts
slowly, the drift is known to a rounding of the state.) Unlike that of convolutional networks, `extended` has the range
of float64: states that grow beyond 1e308 have no score.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from epsinas.engines.base import Deviations, dtype_of
from epsinas.engines.sequences import kernels
from epsinas.engines.sequences.batches import TokenBatch
from epsinas.engines.sequences.fixed_points import find_constants
from epsinas.spaces import SequenceSpace
from epsinas.spaces.operations import LEAK, RecurrentCell


@dataclass(frozen=True, eq=False)
class Expression:
    """An expression over one unit of each input: equal expressions of one graph are identical objects."""

    operation: str
    inputs: tuple["Expression", ...]
    units: tuple[int, ...]
    digest: bytes


Lump = tuple[Expression, int]
"""A lumped tensor: one unit, and how many equal units it stands for."""

_CODES = {
    "linear": kernels.LINEAR,
    "prod": kernels.PROD,
    "sum": kernels.SUM,
    "blend": kernels.BLEND,
    "tanh": kernels.TANH,
    "sigm": kernels.SIGM,
    "leaky_relu": kernels.LEAKY_RELU,
}


@dataclass(frozen=True)
class Program:
    """A recurrent layer as a program for `kernels`.

    Attributes:
        code: see `kernels.run_values`, as `factors` and `outputs`.
        factors: the units that an operation's inputs stand for.
        outputs: registers of the new hidden states.
        registers: which holds each expression that is needed.
        digest: of what the layer computes.
        reads_input: whether it does.
    """

    code: np.ndarray
    factors: np.ndarray
    outputs: np.ndarray
    registers: dict[Expression, int]
    digest: bytes
    reads_input: bool


class Graph:
    """Operations on lumped tensors that build expressions, each once, and a program for every recurrent layer.

    Inputs of sums, products and linear operations are sorted by a digest of their structure, so that equal cells
    round alike however their recipes are written.
    """

    def __init__(self) -> None:
        self.expressions: dict[tuple[str, tuple[Expression, ...], tuple[int, ...]], Expression] = {}
        self.layers: list[Program] = []

    def linear(self, xs: Sequence[Lump], features: int) -> Lump:
        """Add up the units of equal inputs."""
        counts: dict[Expression, int] = {}
        for expression, units in xs:
            counts[expression] = counts.get(expression, 0) + units
        inputs = sorted(counts, key=lambda expression: expression.digest)
        return self._expression("linear", inputs, [counts[expression] for expression in inputs]), features

    def prod(self, xs: Sequence[Lump]) -> Lump:
        """Multiply two at a time, in the order of the digests."""
        return self._fold("prod", xs)

    def sum(self, xs: Sequence[Lump]) -> Lump:
        """Add two at a time, in the order of the digests."""
        return self._fold("sum", xs)

    def blend(self, a: Lump, b: Lump, c: Lump) -> Lump:
        """Keep the order."""
        return self._expression("blend", [a[0], b[0], c[0]]), a[1]

    def activation_tanh(self, x: Lump) -> Lump:
        """Return the hyperbolic tangent."""
        return self._expression("tanh", [x[0]]), x[1]

    def activation_sigm(self, x: Lump) -> Lump:
        """Return the logistic sigmoid."""
        return self._expression("sigm", [x[0]]), x[1]

    def activation_leaky_relu(self, x: Lump) -> Lump:
        """Return the leaky rectifier."""
        return self._expression("leaky_relu", [x[0]]), x[1]

    def recurrent(self, cell: RecurrentCell[Lump], x: Lump, features: int, states: int) -> Lump:
        """Compile the cell; the layer's output is the next layer's input."""
        hidden = tuple(self._expression(f"h_prev_{state}", []) for state in range(states))
        outputs = cell(x, tuple((state, features) for state in hidden))
        self.layers.append(_compile(x[0], hidden, [expression for expression, _ in outputs]))
        return x[0], features

    def input(self) -> Lump:
        """Return the input of a layer."""
        return self._expression("x", []), 1

    def _fold(self, operation: str, xs: Sequence[Lump]) -> Lump:
        ordered = sorted((expression for expression, _ in xs), key=lambda expression: expression.digest)
        return reduce(lambda a, b: self._expression(operation, [a, b]), ordered), xs[0][1]

    def _expression(self, operation: str, inputs: Sequence[Expression], units: Sequence[int] = ()) -> Expression:
        key = (operation, tuple(inputs), tuple(units))
        if key not in self.expressions:
            content = repr((operation, tuple(units))).encode() + b"".join(inner.digest for inner in inputs)
            digest = hashlib.blake2b(content, digest_size=16).digest()
            self.expressions[key] = Expression(*key, digest)
        return self.expressions[key]


def _compile(x: Expression, hidden: tuple[Expression, ...], new: Sequence[Expression]) -> Program:
    """Write the program of what the first new hidden state needs, in this time step and in those before it."""
    order: list[Expression] = []
    needed = [0]
    for state in needed:  # grows while it is read
        _append(order, new[state])
        for expression in order:
            if expression in hidden and (number := hidden.index(expression)) not in needed:
                needed.append(number)
    operations = [expression for expression in order if expression.inputs]
    registers = {x: 0, **{hidden[state]: 1 + at for at, state in enumerate(needed)}}
    code = np.zeros((len(operations), 4), np.int64)
    factors = np.zeros((len(operations), 3))
    for at, expression in enumerate(operations):
        code[at, : 1 + len(expression.inputs)] = (
            _CODES[expression.operation],
            *(registers[inner] for inner in expression.inputs),
        )
        factors[at, : len(expression.units)] = expression.units
        registers[expression] = 1 + len(needed) + at
    outputs = np.array([registers[new[state]] for state in needed], np.int64)
    digest = b"".join(new[state].digest for state in needed)
    return Program(code, factors, outputs, registers, digest, x in order)


def _append(order: list[Expression], expression: Expression) -> None:
    """Append an expression behind those that it needs, unless it is there."""
    if expression not in order:
        for inner in expression.inputs:
            _append(order, inner)
        order.append(expression)


def build(space: SequenceSpace, architecture: str) -> list[Program]:
    """Return the layers of a network; the first reads the sum of a token's embedding."""
    graph = Graph()
    space.network(graph, architecture, graph.input())
    return graph.layers


def identity(space: SequenceSpace, architecture: str) -> bytes:
    """Return a digest: networks of one space with equal digests are the same function."""
    return hashlib.blake2b(b"|".join(layer.digest for layer in build(space, architecture)), digest_size=16).digest()


def reaches_output(space: SequenceSpace, architecture: str) -> bool:
    """Say whether the tokens reach a network's output: every layer must read its input, in some time step."""
    return all(layer.reads_input for layer in build(space, architecture))


class LumpedRecurrent:
    """Evaluates networks on one batch of token sequences.

    Args:
        batch: tokens int64 (time, batch) and the embedding, float (vocabulary, units).
        precision: `single` is float32, as published; `double` is float64; `extended` is float64 deviations from
            constants (see the module).

    Raises:
        InputError: unknown precision.
    """

    def __init__(self, batch: TokenBatch, precision: str = "single"):
        self.dtype, self.extended = dtype_of(precision), precision == "extended"
        used, places = np.unique(batch.tokens, return_inverse=True)
        # Rounded once, so that `extended` begins with all of its digits.
        sums = np.array([math.fsum(row) for row in batch.embedding[used].tolist()])
        self.constant = float(sums.mean()) if self.extended else 0.0
        with np.errstate(over="ignore"):
            self.x = (sums - self.constant).astype(self.dtype)[places.reshape(batch.tokens.shape)]

    def outputs(self, layers: Sequence[Program], weight: float) -> np.ndarray | Deviations:
        """Return one unit of the last layer when every weight, bias and initial state is `weight`.

        Returns:
            (time, batch) of the precision's dtype, or `Deviations` in `extended`.
        """
        if self.extended:
            return self._deviations(layers, weight)
        x = self.x
        for layer in layers:
            x = np.ascontiguousarray(self.ways(layer, x, weight, layer.outputs[:1])[:, 0])
        return x

    def ways(self, layer: Program, x: np.ndarray, weight: float, kept: np.ndarray) -> np.ndarray:
        """Return some registers of a layer's program in every time step, (time, kept, batch).

        Args:
            layer: one of the network's.
            x: (time, batch), its input.
            weight: every weight, bias and initial state.
            kept: the registers; those of hidden states are as they are before a time step.
        """
        with np.errstate(over="ignore"):
            w, leak = self.dtype.type(weight), self.dtype.type(LEAK)
        return kernels.run_values(layer.code, layer.factors.astype(self.dtype), layer.outputs, x, w, leak, kept)

    def _deviations(self, layers: Sequence[Program], weight: float) -> Deviations:
        count = len(self.x)
        constant, steps, x, drifting = self.constant, np.zeros((count, 1)), self.x, False
        for layer in layers:
            program = (layer.code, layer.factors, layer.outputs)
            fixed, start, drift = find_constants(*program, constant, weight, count)
            states, output = len(drift), layer.outputs[0]
            drifting |= bool(drift.any())
            everywhere = np.tile(fixed, (count, 1))
            every = np.arange(len(fixed))
            trajectory = kernels.run_deviations(*program, steps, weight, LEAK, everywhere, start, drift, every)[:, :, 0]
            none, kept = np.zeros(states), layer.outputs[:1]
            x = kernels.run_deviations(*program, x, weight, LEAK, everywhere + trajectory, none, none, kept)[:, 0]
            constant, steps = fixed[output], np.ascontiguousarray(trajectory[:, output, None])
        return Deviations(steps[:, 0], x, drifting)
