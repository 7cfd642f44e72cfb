"""The counting interpreter: shapes only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from epsinas.spaces import ImageSpace
from epsinas.spaces.operations import output_size

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """A trainable layer: its kind (`conv`, `batch_norm`, `linear`), its weight's shape, whether it has a bias."""

    kind: str
    weight: Shape
    bias: bool

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return math.prod(self.weight) + (self.weight[0] if self.bias else 0)


@dataclass
class Counting:
    """Operations on shapes (channels, height, width); records the layers in the order of the description.

    `flops` counts multiplications and additions of convolutions and linear layers for one image, two for each
    weight that is applied.
    """

    layers: list[Layer] = field(default_factory=list)
    flops: int = 0

    def conv(self, x: Shape, channels: int, kernel: int, stride: int = 1) -> Shape:
        """Record a convolution."""
        y = (channels, *(output_size(side, kernel, stride) for side in x[1:]))
        self.layers.append(Layer("conv", (channels, x[0], kernel, kernel), bias=False))
        self.flops += 2 * math.prod(self.layers[-1].weight) * math.prod(y[1:])
        return y

    def batch_norm(self, x: Shape) -> Shape:
        """Record a batch normalisation."""
        self.layers.append(Layer("batch_norm", (x[0],), bias=True))
        return x

    def relu(self, x: Shape) -> Shape:
        """Keep the shape."""
        return x

    def avg_pool(self, x: Shape, kernel: int, stride: int) -> Shape:
        """Shrink the image."""
        return (x[0], *(output_size(side, kernel, stride) for side in x[1:]))

    def max_pool(self, x: Shape, kernel: int, stride: int) -> Shape:
        """Shrink the image."""
        return self.avg_pool(x, kernel, stride)

    def add(self, xs: Sequence[Shape]) -> Shape:
        """Keep the shape."""
        return xs[0]

    def concat(self, xs: Sequence[Shape]) -> Shape:
        """Add the channels up."""
        return (sum(x[0] for x in xs), *xs[0][1:])

    def truncate(self, x: Shape, channels: int) -> Shape:
        """Drop channels."""
        return (channels, *x[1:])

    def zeros(self, x: Shape) -> Shape:
        """Keep the shape."""
        return x

    def global_avg_pool(self, x: Shape) -> Shape:
        """Drop the image's sides."""
        return x[:1]

    def linear(self, x: Shape, features: int) -> Shape:
        """Record a linear layer."""
        self.layers.append(Layer("linear", (features, x[0]), bias=True))
        self.flops += 2 * features * x[0]
        return (features,)


@dataclass(frozen=True)
class Counts:
    """What `count` finds: parameters, FLOPs for one image, convolutions, trainable layers."""

    parameters: int
    flops: int
    convolutions: int
    layers: int


def layers(space: ImageSpace, architecture: str, image: Shape = (3, 32, 32)) -> Counting:
    """Run the counting interpreter over one network on images of shape (channels, height, width)."""
    counting = Counting()
    space.network(counting, architecture, image)
    return counting


def count(space: ImageSpace, architecture: str, image: Shape = (3, 32, 32)) -> Counts:
    """Count a network's parameters, FLOPs (two for a multiplication and addition), convolutions and layers.

    Edges that reach nothing count too, as in the benchmark: for NAS-Bench-201 and ten classes the parameters are
    73,306 + 243,040 for each 3x3 edge + 28,000 for each 1x1 edge.

    Args:
        space: the search space.
        architecture: its architecture string.
        image: channels, height and width of the images.

    Raises:
        InputError: the architecture is malformed.

    Example:
        >>> from epsinas.spaces import NasBench201
        >>> count(NasBench201(), "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|").parameters
        344346
    """
    counting = layers(space, architecture, image)
    return Counts(
        parameters=sum(layer.parameters for layer in counting.layers),
        flops=counting.flops,
        convolutions=sum(layer.kind == "conv" for layer in counting.layers),
        layers=len(counting.layers),
    )
