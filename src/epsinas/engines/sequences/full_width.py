"""The full-width interpreter of recurrent networks: a torch module with real weight matrices, the reference."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from epsinas.engines.sequences.counting import layers
from epsinas.spaces import SequenceSpace
from epsinas.spaces.operations import LEAK, RecurrentCell

Initialiser = Callable[[Sequence[Tensor], Tensor], None]
"""Fills a linear layer's weight matrices, one for each input, and its bias, in place."""

Parameters = list[tuple[list[Tensor], Tensor]]
"""Weight matrices and bias of each linear layer of a recurrent layer, in the order of the description."""


class FullWidthRecurrent:
    """Operations on torch tensors (batch, units).

    Args:
        parameters: of each recurrent layer.
        start: what every hidden state is before the first time step.
    """

    def __init__(self, parameters: Sequence[Parameters], start: float):
        self.layers, self.start = iter(parameters), start
        self.parameters: Iterator[tuple[list[Tensor], Tensor]] = iter(())

    def linear(self, xs: Sequence[Tensor], features: int) -> Tensor:
        """Apply the next linear layer."""
        weights, bias = next(self.parameters)
        first, *others = (functional.linear(x, weight) for x, weight in zip(xs, weights, strict=True))
        return sum(others, start=first) + bias

    def prod(self, xs: Sequence[Tensor]) -> Tensor:
        """Multiply in the order given."""
        product = xs[0]
        for x in xs[1:]:
            product = product * x
        return product

    def sum(self, xs: Sequence[Tensor]) -> Tensor:
        """Add in the order given."""
        return sum(xs[1:], start=xs[0])

    def blend(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        """Return `a * b + (1 - a) * c`."""
        return a * b + (1 - a) * c

    def activation_tanh(self, x: Tensor) -> Tensor:
        """Return the hyperbolic tangent."""
        return torch.tanh(x)

    def activation_sigm(self, x: Tensor) -> Tensor:
        """Return the logistic sigmoid."""
        return torch.sigmoid(x)

    def activation_leaky_relu(self, x: Tensor) -> Tensor:
        """Multiply negative entries by LEAK."""
        return functional.leaky_relu(x, LEAK)

    def recurrent(self, cell: RecurrentCell[Tensor], x: Tensor, features: int, states: int) -> Tensor:
        """Run the cell along (time, batch, units)."""
        parameters = next(self.layers)
        # copy_ makes a start out of the dtype's range infinite, which torch.full refuses.
        start = x.new_empty(x.shape[1], features).copy_(torch.tensor(self.start, dtype=torch.float64))
        hidden, outputs = (start,) * states, []
        for step in x:
            self.parameters = iter(parameters)
            hidden = cell(step, hidden)
            outputs.append(hidden[0])
        return torch.stack(outputs)


class _Trainable(nn.Module):
    """The weight matrices and the bias of one linear layer."""

    def __init__(self, weights: Iterable[Tensor], bias: Tensor):
        super().__init__()
        self.weights = nn.ParameterList(weights)
        self.bias = nn.Parameter(bias)


class FullWidthRecurrentNetwork(nn.Module):
    """The recurrent layers of a network of a search space as a torch module, without dropout.

    Args:
        space: the search space.
        architecture: the recipe's JSON.
        initialise: fills the parameters, linear layer by linear layer in the order of the description.
        start: what every hidden state is before the first time step.
        dtype: of the parameters.
    """

    def __init__(
        self,
        space: SequenceSpace,
        architecture: str,
        initialise: Initialiser,
        start: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__()
        self.space, self.architecture, self.start = space, architecture, start
        self.layers = nn.ModuleList()
        for recorded in layers(space, architecture):
            linears = nn.ModuleList()
            for shapes in recorded:
                weights = (torch.empty(shape, dtype=dtype) for shape in shapes.weights)
                linear = _Trainable(weights, torch.empty(shapes.weights[0][0], dtype=dtype))
                with torch.no_grad():
                    initialise(list(linear.weights), linear.bias)
                linears.append(linear)
            self.layers.append(linears)

    def forward(self, embedded: Tensor) -> Tensor:
        """Map embedded tokens (time, batch, embedding) to the last layer's first hidden state, of the same shape."""
        return self.space.network(self.operations(), self.architecture, embedded)

    def operations(self) -> FullWidthRecurrent:
        """Return operations with this network's weights, for one pass of the space's description."""
        parameters: list[Parameters] = [
            [(list(linear.weights), linear.bias) for linear in linears]
            for linears in cast(Iterable[Iterable[_Trainable]], self.layers)
        ]
        return FullWidthRecurrent(parameters, self.start)
