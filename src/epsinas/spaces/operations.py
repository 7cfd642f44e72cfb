"""The abstract layer operations in which a search space describes its networks.

A space describes each network once, as a function of an object with the methods of one of the protocols below; what
a layer means is the business of the interpreter (`epsinas.engines`): full-width tensors, one map or unit per class of
identical channels or units, or shapes only.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

Tensor = TypeVar("Tensor")

BATCH_NORM_EPSILON = 1e-5
"""Added to the variance in batch normalisation."""


class Operations(Protocol[Tensor]):
    """Layers of a convolutional network over image batches; none of the convolutions has a bias."""

    def conv(self, x: Tensor, channels: int, kernel: int, stride: int = 1) -> Tensor:
        """Convolve with `channels` square filters, zero padding `(kernel - 1) // 2`."""

    def batch_norm(self, x: Tensor) -> Tensor:
        """Normalise each channel by the mean and biased variance of the batch, eps 1e-5, then scale and shift."""

    def relu(self, x: Tensor) -> Tensor:
        """Set negative entries to zero."""

    def avg_pool(self, x: Tensor, kernel: int, stride: int) -> Tensor:
        """Average over windows, padding `(kernel - 1) // 2` that is not counted."""

    def max_pool(self, x: Tensor, kernel: int, stride: int) -> Tensor:
        """Take the maximum over windows, padding `(kernel - 1) // 2` that never wins."""

    def add(self, xs: Sequence[Tensor]) -> Tensor:
        """Sum tensors of one shape."""

    def concat(self, xs: Sequence[Tensor]) -> Tensor:
        """Join tensors of one image size along the channels."""

    def truncate(self, x: Tensor, channels: int) -> Tensor:
        """Keep the first `channels` channels."""

    def zeros(self, x: Tensor) -> Tensor:
        """Return zeros of the shape of `x`."""

    def global_avg_pool(self, x: Tensor) -> Tensor:
        """Average over the image: (N, C, H, W) to (N, C)."""

    def linear(self, x: Tensor, features: int) -> Tensor:
        """Apply a linear layer with bias: (N, C) to (N, features)."""


def padding(kernel: int) -> int:
    """Return the padding on each side that every windowed operation here uses."""
    return (kernel - 1) // 2


def output_size(size: int, kernel: int, stride: int) -> int:
    """Return the side of the output of a windowed operation on an image of side `size`.

    Example:
        >>> output_size(32, kernel=3, stride=2)
        16
    """
    return (size + 2 * padding(kernel) - kernel) // stride + 1


RecurrentCell = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]
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

    def recurrent(self, cell: RecurrentCell[Tensor], x: Tensor, features: int, states: int) -> Tensor:
        """Run a cell with `states` hidden states of `features` units along a sequence.

        Returns:
            The first hidden state after every time step.
        """
