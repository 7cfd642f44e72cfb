"""The counting interpreter of recurrent networks: widths only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from epsinas.spaces import SequenceSpace
from epsinas.spaces.operations import RecurrentCell

Shape = tuple[int, int]


@dataclass(frozen=True)
class Linear:
    """A linear layer: the shape (units, input units) of the weight matrix of each input; it has one bias."""

    weights: tuple[Shape, ...]

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(map(math.prod, self.weights)) + self.weights[0][0]


class Units(NamedTuple):
    """A width, and the most linear layers on a path through one time step that leads here."""

    units: int
    depth: int = 0


@dataclass
class Counting:
    """Operations on `Units`; records the linear layers of each recurrent layer in the order of the description."""

    layers: list[list[Linear]] = field(default_factory=list)

    def linear(self, xs: Sequence[Units], features: int) -> Units:
        """Record a linear layer."""
        self.layers[-1].append(Linear(tuple((features, x.units) for x in xs)))
        return Units(features, max(x.depth for x in xs) + 1)

    def prod(self, xs: Sequence[Units]) -> Units:
        """Keep the width."""
        return max(xs, key=lambda x: x.depth)

    def sum(self, xs: Sequence[Units]) -> Units:
        """Keep the width."""
        return self.prod(xs)

    def blend(self, a: Units, b: Units, c: Units) -> Units:
        """Keep the width."""
        return self.prod([a, b, c])

    def activation_tanh(self, x: Units) -> Units:
        """Keep the width."""
        return x

    activation_sigm = activation_leaky_relu = activation_tanh

    def recurrent(self, cell: RecurrentCell[Units], x: Units, features: int, states: int) -> Units:
        """Record a recurrent layer: one time step has all of its weights, and begins with its hidden states."""
        self.layers.append([])
        return cell(x, (Units(features),) * states)[0]


class Counts(NamedTuple):
    """What `count` finds: parameters, FLOPs for one token, linear layers, and the most of these on a path.

    Paths are those to the last layer's output through one time step, from the token or a hidden state.
    """

    parameters: int
    flops: int
    layers: int
    depth: int


def layers(space: SequenceSpace, architecture: str) -> list[list[Linear]]:
    """Return the linear layers of every recurrent layer."""
    return _counted(space, architecture)[0].layers


def _counted(space: SequenceSpace, architecture: str) -> tuple[Counting, Units]:
    """Run the interpreter over a network; return what it recorded, and the last layer's units."""
    counting = Counting()
    return counting, space.network(counting, architecture, Units(space.embedding))


def count(space: SequenceSpace, architecture: str, vocabulary: int = 0) -> Counts:
    """Count a network's parameters, FLOPs (two for each weight of a recurrent layer), linear layers and depth.

    A linear layer of n units has n * m weights for each input of m units and n biases; nodes that nothing needs
    count too. With a vocabulary of V tokens, V * (embedding + 1) is added for the embedding, which the decoder
    shares, and the decoder's bias: that is the benchmark's number of parameters.

    Args:
        space: the search space.
        architecture: its architecture string.
        vocabulary: tokens of the decoder, 0 to count the recurrent layers only.

    Raises:
        InputError: the architecture is malformed.

    Example:
        >>> from epsinas.spaces import NasBenchNLP
        >>> recipe = '{"h_new_0": {"op": "linear", "input": ["x", "h_prev_0"]}}'
        >>> count(NasBenchNLP(layers=1, embedding=2), recipe).parameters  # 2 * 2 + 2 * 2 + 2
        10
    """
    counting, output = _counted(space, architecture)
    linears = [linear for layer in counting.layers for linear in layer]
    return Counts(
        parameters=sum(linear.parameters for linear in linears) + vocabulary * (space.embedding + 1),
        flops=sum(2 * math.prod(shape) for linear in linears for shape in linear.weights),
        layers=len(linears),
        depth=output.depth,
    )
