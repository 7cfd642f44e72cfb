"""The full-width interpreter: a torch module with real weight tensors, the reference for everything else."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from epsinas.engines.images.counting import Shape, layers
from epsinas.spaces import ImageSpace
from epsinas.spaces.operations import BATCH_NORM_EPSILON, padding

Initialiser = Callable[[str, Tensor, Tensor | None], None]
"""Fills a layer's weight and bias (None where it has none) in place, given its kind."""


Statistics = list[tuple[Tensor, Tensor]]
"""Mean and biased variance of each batch normalisation's input, in the order of the description."""


class FullWidth:
    """Operations on torch tensors (N, C, H, W) that take their weights from a sequence of layers.

    Args:
        parameters: weight and bias of each layer, in the order of the description.
        statistics: what batch normalisation uses; without it, the statistics of the batch itself.
        record: receives the statistics of the batch, if given.
        replicas: networks side by side, each with its own channels (N, replicas * C, H, W) and weights.
    """

    def __init__(
        self,
        parameters: Iterator[tuple[Tensor, Tensor | None]],
        statistics: Statistics | None = None,
        record: Statistics | None = None,
        replicas: int = 1,
    ):
        self.parameters, self.record, self.replicas = parameters, record, replicas
        self.statistics = None if statistics is None else iter(statistics)

    def conv(self, x: Tensor, channels: int, kernel: int, stride: int = 1) -> Tensor:
        """Convolve with the next weight."""
        weight, _ = next(self.parameters)
        return functional.conv2d(x, weight, stride=stride, padding=padding(kernel), groups=self.replicas)

    def batch_norm(self, x: Tensor) -> Tensor:
        """Normalise by the given statistics or by those of the batch itself; there are no running averages."""
        weight, bias = next(self.parameters)
        if self.record is not None:
            variance, mean = torch.var_mean(x.detach(), dim=(0, 2, 3), correction=0)
            self.record.append((mean, variance))
        if self.statistics is not None:
            return functional.batch_norm(
                x, *next(self.statistics), weight, bias, training=False, eps=BATCH_NORM_EPSILON
            )
        return functional.batch_norm(x, None, None, weight, bias, training=True, eps=BATCH_NORM_EPSILON)

    def relu(self, x: Tensor) -> Tensor:
        """Set negative entries to zero."""
        return functional.relu(x)

    def avg_pool(self, x: Tensor, kernel: int, stride: int) -> Tensor:
        """Average over windows without counting the padding."""
        return functional.avg_pool2d(x, kernel, stride, padding(kernel), count_include_pad=False)

    def max_pool(self, x: Tensor, kernel: int, stride: int) -> Tensor:
        """Take the maximum over windows, the padding being minus infinity."""
        return functional.max_pool2d(x, kernel, stride, padding(kernel))

    def add(self, xs: Sequence[Tensor]) -> Tensor:
        """Sum in the order given."""
        return sum(xs[1:], start=xs[0])

    def concat(self, xs: Sequence[Tensor]) -> Tensor:
        """Join the channels of each replica."""
        return torch.cat([x.unflatten(1, (self.replicas, -1)) for x in xs], dim=2).flatten(1, 2)

    def truncate(self, x: Tensor, channels: int) -> Tensor:
        """Keep the first channels of each replica."""
        return x.unflatten(1, (self.replicas, -1))[:, :, :channels].flatten(1, 2)

    def zeros(self, x: Tensor) -> Tensor:
        """Return zeros of the shape of `x`."""
        return torch.zeros_like(x)

    def global_avg_pool(self, x: Tensor) -> Tensor:
        """Average over the image."""
        return x.mean(dim=(2, 3))

    def linear(self, x: Tensor, features: int) -> Tensor:
        """Apply a linear layer with the next weight and bias."""
        weight, bias = next(self.parameters)
        if self.replicas == 1:
            return functional.linear(x, weight, bias)
        inputs = x.unflatten(1, (self.replicas, -1)).transpose(0, 1)
        outputs = inputs @ weight.unflatten(0, (self.replicas, -1)).transpose(1, 2)
        return outputs.transpose(0, 1).flatten(1) + bias


class _Trainable(nn.Module):
    """The weight and the bias of one layer."""

    def __init__(self, weight: Tensor, bias: Tensor | None):
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)


class FullWidthNetwork(nn.Module):
    """A network of a search space as a torch module.

    Args:
        space: the search space.
        architecture: its architecture string.
        image: (channels, height, width) of the images; height and width do not restrict later batches.
        initialise: fills the weights, layer by layer in the order of the description; see
            `epsinas.engines.images.initialisers`. With several, as many replicas of the network, with separate
            weights, run side by side: images are then (N, replicas * C, H, W) and logits (N, replicas * classes).
        dtype: of the weights.
    """

    def __init__(
        self,
        space: ImageSpace,
        architecture: str,
        image: Shape,
        initialise: Initialiser | Sequence[Initialiser],
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__()
        initialisers = [initialise] if callable(initialise) else list(initialise)
        self.space, self.architecture, self.replicas = space, architecture, len(initialisers)
        self.layers = nn.ModuleList()
        for recorded in layers(space, architecture, image):
            weight = torch.empty(self.replicas, *recorded.weight, dtype=dtype)
            bias = torch.empty(self.replicas, recorded.weight[0], dtype=dtype) if recorded.bias else None
            for replica, fill in enumerate(initialisers):
                fill(recorded.kind, weight[replica], None if bias is None else bias[replica])
            self.layers.append(_Trainable(weight.flatten(0, 1), None if bias is None else bias.flatten()))

    def forward(self, images: Tensor, statistics: Statistics | None = None) -> Tensor:
        """Map images (N, C, H, W) to logits (N, classes).

        Batch normalisation uses the given statistics (see `statistics`) or those of the batch itself.
        """
        return self._run(images, self.operations(statistics))

    def statistics(self, images: Tensor) -> Statistics:
        """Return the statistics that every batch normalisation sees on these images."""
        record: Statistics = []
        self._run(images, self.operations(record=record))
        return record

    def operations(self, statistics: Statistics | None = None, record: Statistics | None = None) -> FullWidth:
        """Return operations with this network's weights, for one pass of the space's description."""
        return FullWidth(self.weights_and_biases(), statistics, record, self.replicas)

    def weights_and_biases(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield those of each layer, in the order of the description, as operations take them."""
        return ((layer.weight, layer.bias) for layer in cast(Iterable[_Trainable], self.layers))

    def _run(self, images: Tensor, ops: FullWidth) -> Tensor:
        return self.space.network(ops, self.architecture, images)
