"""The counting interpreter: shapes only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from epsinas.spaces import ImageSpace
from epsinas.spaces.operations import output_size

Shape = tuple[int, ...]


class Maps(NamedTuple):
    """The shape of maps, and how deep they are.

    `depth` is the most convolutions and linear layers on a path from the images to here, minus infinity where there is
    no path.
    """

    channels: int
    height: int = 1
    width: int = 1
    depth: float = 0


class Layer(NamedTuple):
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
    """Operations on `Maps`; records the layers in the order of the description.

    `flops` counts multiplications and additions of convolutions and linear layers for one image, two for each
    weight that is applied; `relus` counts how often a ReLU is applied to maps.
    """

    layers: list[Layer] = field(default_factory=list)
    flops: int = 0
    relus: int = 0

    def conv(self, x: Maps, channels: int, kernel: int, stride: int = 1) -> Maps:
        """Record a convolution."""
        y = Maps(channels, *_sides(x, kernel, stride), x.depth + 1)
        self.layers.append(Layer("conv", (channels, x.channels, kernel, kernel), bias=False))
        self.flops += 2 * channels * x.channels * kernel**2 * y.height * y.width
        return y

    def batch_norm(self, x: Maps) -> Maps:
        """Record a batch normalisation."""
        self.layers.append(Layer("batch_norm", (x.channels,), bias=True))
        return x

    def relu(self, x: Maps) -> Maps:
        """Count it."""
        self.relus += 1
        return x

    def avg_pool(self, x: Maps, kernel: int, stride: int) -> Maps:
        """Shrink the image."""
        return Maps(x.channels, *_sides(x, kernel, stride), x.depth)

    def max_pool(self, x: Maps, kernel: int, stride: int) -> Maps:
        """Shrink the image."""
        return self.avg_pool(x, kernel, stride)

    def add(self, xs: Sequence[Maps]) -> Maps:
        """Keep the shape."""
        return xs[0] if len(xs) == 1 else Maps(*xs[0][:3], max(x.depth for x in xs))

    def concat(self, xs: Sequence[Maps]) -> Maps:
        """Add the channels up."""
        return Maps(sum(x.channels for x in xs), *xs[0][1:3], max(x.depth for x in xs))

    def truncate(self, x: Maps, channels: int) -> Maps:
        """Drop channels."""
        return Maps(channels, *x[1:])

    def zeros(self, x: Maps) -> Maps:
        """Keep the shape; nothing leads here."""
        return Maps(*x[:3], -math.inf)

    def global_avg_pool(self, x: Maps) -> Maps:
        """Drop the image's sides."""
        return Maps(x.channels, depth=x.depth)

    def linear(self, x: Maps, features: int) -> Maps:
        """Record a linear layer."""
        self.layers.append(Layer("linear", (features, x.channels), bias=True))
        self.flops += 2 * features * x.channels
        return Maps(features, depth=x.depth + 1)


def _sides(x: Maps, kernel: int, stride: int) -> tuple[int, int]:
    return output_size(x.height, kernel, stride), output_size(x.width, kernel, stride)


class Counts(NamedTuple):
    """What `count` finds.

    Attributes:
        parameters: weights and biases.
        flops: multiplications and additions for one image.
        convolutions: of the whole network.
        layers: that have parameters, batch normalisations among them.
        relus: applications of ReLU to maps.
        depth: the most convolutions and linear layers on a path from the images to the logits; 0 where no path is.
    """

    parameters: int
    flops: int
    convolutions: int
    layers: int
    relus: int
    depth: int


def layers(space: ImageSpace, architecture: str, image: Shape = (3, 32, 32)) -> list[Layer]:
    """Return the trainable layers of a network on images of shape (channels, height, width)."""
    return _counted(space, architecture, image)[0].layers


def _counted(space: ImageSpace, architecture: str, image: Shape) -> tuple[Counting, Maps]:
    """Run the interpreter over a network; return what it recorded, and the logits."""
    counting = Counting()
    return counting, space.network(counting, architecture, Maps(*image))


def count(space: ImageSpace, architecture: str, image: Shape = (3, 32, 32)) -> Counts:
    """Count what a network is made of; a multiplication and an addition are two FLOPs.

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
    counting, logits = _counted(space, architecture, image)
    return Counts(
        parameters=sum(layer.parameters for layer in counting.layers),
        flops=counting.flops,
        convolutions=sum(layer.kind == "conv" for layer in counting.layers),
        layers=len(counting.layers),
        relus=counting.relus,
        depth=int(max(logits.depth, 0)),
    )
