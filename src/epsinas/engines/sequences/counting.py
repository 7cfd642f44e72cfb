"""The counting interpreter of recurrent networks: widths only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

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


@dataclass
class Counting:
    """Operations on widths; records the linear layers of each recurrent layer in the order of the description."""

    layers: list[list[Linear]] = field(default_factory=list)

    def linear(self, xs: Sequence[int], features: int) -> int:
        """Record a linear layer."""
        self.layers[-1].append(Linear(tuple((features, units) for units in xs)))
        return features

    def prod(self, xs: Sequence[int]) -> int:
        """Keep the width."""
        return xs[0]

    def sum(self, xs: Sequence[int]) -> int:
        """Keep the width."""
        return xs[0]

    def blend(self, a: int, b: int, c: int) -> int:
        """Keep the width."""
        return a

    def activation_tanh(self, x: int) -> int:
        """Keep the width."""
        return x

    activation_sigm = activation_leaky_relu = activation_tanh

    def recurrent(self, cell: RecurrentCell[int], x: int, features: int, states: int) -> int:
        """Record a recurrent layer: one time step has all of its weights."""
        self.layers.append([])
        return cell(x, (features,) * states)[0]


@dataclass(frozen=True)
class Counts:
    """What `count` finds: parameters, FLOPs for one token, linear layers."""

    parameters: int
    flops: int
    layers: int


def layers(space: SequenceSpace, architecture: str) -> list[list[Linear]]:
    """Return the linear layers of every recurrent layer."""
    counting = Counting()
    space.network(counting, architecture, space.embedding)
    return counting.layers


def count(space: SequenceSpace, architecture: str, vocabulary: int = 0) -> Counts:
    """Count a network's parameters, FLOPs (two for each weight of a recurrent layer) and linear layers.

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
    linears = [linear for layer in layers(space, architecture) for linear in layer]
    return Counts(
        parameters=sum(linear.parameters for linear in linears) + vocabulary * (space.embedding + 1),
        flops=sum(2 * math.prod(shape) for linear in linears for shape in linear.weights),
        layers=len(linears),
    )
