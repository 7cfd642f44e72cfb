"""The abstract layer operations in which a search space describes its networks.

A space describes each network once, as a function of an object with the methods below; what a layer means is
the business of the interpreter (`epsinas.engines`): full-width tensors, one map per class of identical
channels, or shapes only.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

Tensor = TypeVar("Tensor")

EPSILON = 1e-5
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
    """Return the side of the output of a windowed operation on an image of side `size`."""
    return (size + 2 * padding(kernel) - kernel) // stride + 1
