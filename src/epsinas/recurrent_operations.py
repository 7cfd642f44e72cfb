"""The abstract operations in which a search space of recurrent cells describes its networks.

The counterpart of `epsinas.operations`: what a layer means is the business of the interpreters in
`epsinas.engines.recurrent`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

Tensor = TypeVar("Tensor")

Cell = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]
"""Maps a time step's input and the previous hidden states to the new hidden states, as many."""

LEAK = 0.01
"""Slope of the leaky rectifier for negative entries."""


class RecurrentOperations(Protocol[Tensor]):
    """Operations of a recurrent network over batches of sequences."""

    def linear(self, xs: Sequence[Tensor], features: int) -> Tensor:
        """Sum a weight matrix of its own times each input, and one bias."""

    def prod(self, xs: Sequence[Tensor]) -> Tensor:
        """Multiply entry by entry."""

    def sum(self, xs: Sequence[Tensor]) -> Tensor:
        """Add entry by entry."""

    def blend(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        """Return `a * b + (1 - a) * c`, entry by entry."""

    def activation_tanh(self, x: Tensor) -> Tensor:
        """Return the hyperbolic tangent."""

    def activation_sigm(self, x: Tensor) -> Tensor:
        """Return the logistic sigmoid `1 / (1 + exp(-x))`."""

    def activation_leaky_relu(self, x: Tensor) -> Tensor:
        """Multiply negative entries by LEAK."""

    def recurrent(self, cell: Cell, x: Tensor, features: int, states: int) -> Tensor:
        """Run a cell with `states` hidden states of `features` units along a sequence.

        Returns:
            The first hidden state after every time step.
        """
