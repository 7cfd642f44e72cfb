"""Networks with few operations: depthwise and grouped convolutions, shuffles, cheap features."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.models.parts import (
    Built,
    Residual,
    SqueezeExcitation,
    convolution,
    head,
    images,
    model,
    normalised,
    shuffled,
)


@model
def mobilenet_v1() -> Built:
    def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
        return nn.Sequential(normalised(inputs, inputs, 3, stride, inputs), normalised(inputs, outputs, 1))

    return nn.Sequential(normalised(3, 8, 3, 2), block(8, 12), block(12, 16, 2), block(16, 16), head(16)), images()


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, an optional gate, and a projection without activation."""

    def __init__(self, inputs, outputs, stride=1, expansion=3, kernel=3, activation=nn.ReLU6, gate=None):
        super().__init__()
        hidden = inputs * expansion
        layers = [] if expansion == 1 else [normalised(inputs, hidden, 1, activation=activation)]
        layers.append(normalised(hidden, hidden, kernel, stride, hidden, activation=activation))
        if gate is not None:
            layers.append(gate(hidden))
        layers.append(normalised(hidden, outputs, 1, activation=None))
        self.block = nn.Sequential(*layers)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.block(inputs) if self.adds else self.block(inputs)


@model
def mobilenet_v2() -> Built:
    blocks = [
        InvertedResidual(8, 6, expansion=1),
        InvertedResidual(6, 8, 2),
        InvertedResidual(8, 8),
        InvertedResidual(8, 8),
    ]
    last = [normalised(8, 24, 1, activation=nn.ReLU6), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2)]
    return nn.Sequential(normalised(3, 8, 3, 2, activation=nn.ReLU6), *blocks, *last, nn.Linear(24, 5)), images()


@model
def mobilenet_v3() -> Built:
    def gate(channels: int) -> SqueezeExcitation:
        return SqueezeExcitation(channels, 4, gate=F.hardsigmoid)

    blocks = [
        InvertedResidual(8, 8, activation=nn.ReLU, gate=gate, expansion=1),
        InvertedResidual(8, 8, 2, activation=nn.ReLU),
        InvertedResidual(8, 8, 1, kernel=5, activation=nn.Hardswish, gate=gate, expansion=2),
        InvertedResidual(8, 8, 1, kernel=5, activation=nn.Hardswish, gate=gate, expansion=2),
    ]
    last = [normalised(8, 24, 1, activation=nn.Hardswish), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    classifier = [nn.Linear(24, 16), nn.Hardswish(inplace=True), nn.Dropout(0.2, inplace=True), nn.Linear(16, 5)]
    return nn.Sequential(normalised(3, 8, 3, 2, activation=nn.Hardswish), *blocks, *last, *classifier), images()


class DropPath(nn.Module):
    """Stochastic depth: nothing in evaluation."""

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            return inputs
        return inputs * inputs.new_empty(len(inputs), 1, 1, 1).bernoulli_(0.8).div_(0.8)


@model
def efficientnet() -> Built:
    def gate(channels: int) -> SqueezeExcitation:
        return SqueezeExcitation(channels, 8, nn.SiLU())

    def block(inputs: int, outputs: int, stride: int, kernel: int) -> nn.Module:
        inner = InvertedResidual(inputs, outputs, stride, 4, kernel, nn.SiLU, gate)
        if inner.adds:
            return Residual(nn.Sequential(inner.block, DropPath()))
        return inner

    blocks = [block(8, 8, 1, 3), block(8, 12, 2, 5), block(12, 12, 1, 5)]
    last = [normalised(12, 24, 1, activation=nn.SiLU), head(24)]
    return nn.Sequential(normalised(3, 8, 3, 2, activation=nn.SiLU), *blocks, *last), images()


@model
def mnasnet() -> Built:
    separable = nn.Sequential(normalised(8, 8, groups=8), normalised(8, 6, 1, activation=None))
    blocks = [
        InvertedResidual(6, 8, 2, 3, 3, nn.ReLU),
        InvertedResidual(8, 8, 1, 3, 3, nn.ReLU),
        InvertedResidual(8, 10, 2, 3, 5, nn.ReLU),
        InvertedResidual(10, 10, 1, 3, 5, nn.ReLU),
    ]
    return nn.Sequential(normalised(3, 8, 3, 2), separable, *blocks, normalised(10, 20, 1), head(20)), images()


class ShuffleNetV1Unit(nn.Module):
    """Grouped 1x1 convolutions with a shuffle between; a stride appends the averaged input."""

    def __init__(self, inputs: int, outputs: int, stride: int, groups: int = 3):
        super().__init__()
        self.groups, self.stride = groups, stride
        made = outputs - inputs if stride == 2 else outputs
        self.reduce = normalised(inputs, 6, 1, groups=groups)
        self.depthwise = normalised(6, 6, 3, stride, 6, activation=None)
        self.expand = normalised(6, made, 1, groups=groups, activation=None)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.expand(self.depthwise(shuffled(self.reduce(inputs), self.groups)))
        if self.stride == 2:
            return F.relu(torch.cat([F.avg_pool2d(inputs, 3, 2, 1), outputs], 1))
        return F.relu(inputs + outputs)


@model
def shufflenet_v1() -> Built:
    units = [ShuffleNetV1Unit(6, 12, 2), ShuffleNetV1Unit(12, 12, 1), ShuffleNetV1Unit(12, 12, 1)]
    return nn.Sequential(normalised(3, 6), nn.MaxPool2d(3, 2, 1), *units, head(12)), images()


class ShuffleNetV2Unit(nn.Module):
    """Half of the channels pass, the two halves are shuffled; a stride works on all channels twice."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.stride, half = stride, outputs // 2
        if stride == 2:
            depthwise = normalised(inputs, inputs, 3, 2, inputs, activation=None)
            self.first = nn.Sequential(depthwise, normalised(inputs, half, 1))
        self.second = nn.Sequential(
            normalised(inputs if stride == 2 else half, half, 1),
            normalised(half, half, 3, stride, half, activation=None),
            normalised(half, half, 1),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        if self.stride == 2:
            return shuffled(torch.cat((self.first(inputs), self.second(inputs)), dim=1), 2)
        kept, changed = inputs.chunk(2, dim=1)
        return shuffled(torch.cat((kept, self.second(changed)), dim=1), 2)


@model
def shufflenet_v2() -> Built:
    units = [ShuffleNetV2Unit(6, 12, 2), ShuffleNetV2Unit(12, 12, 1), ShuffleNetV2Unit(12, 12, 1)]
    return nn.Sequential(normalised(3, 6), nn.MaxPool2d(3, 2, 1), *units, normalised(12, 20, 1), head(20)), images()


class Ghost(nn.Module):
    """Half of the features by a convolution, the others cheaply from those; surplus features are cut off."""

    def __init__(self, inputs: int, outputs: int, activation: bool = True):
        super().__init__()
        self.outputs, made = outputs, (outputs + 1) // 2
        kind = nn.ReLU if activation else None
        self.primary = normalised(inputs, made, 1, activation=kind)
        self.cheap = normalised(made, made, 3, groups=made, activation=kind)

    def forward(self, inputs: Tensor) -> Tensor:
        primary = self.primary(inputs)
        return torch.cat([primary, self.cheap(primary)], dim=1)[:, : self.outputs, :, :]


@model
def ghostnet() -> Built:
    def block(inputs: int, hidden: int, outputs: int, stride: int = 1) -> Residual:
        layers: list[nn.Module] = [Ghost(inputs, hidden)]
        around: nn.Module = nn.Identity()
        if stride == 2:
            layers.append(normalised(hidden, hidden, 3, 2, hidden, activation=None))
        if stride == 2 or inputs != outputs:
            depthwise = normalised(inputs, inputs, 3, stride, inputs, activation=None)
            around = nn.Sequential(depthwise, normalised(inputs, outputs, 1, activation=None))
        gate = SqueezeExcitation(hidden, 4, gate=F.hardsigmoid)
        return Residual(nn.Sequential(*layers, gate, Ghost(hidden, outputs, False)), around)

    return nn.Sequential(normalised(3, 8, 3, 2), block(8, 13, 8), block(8, 16, 11, 2), head(11)), images()


class MixedDepthwise(nn.Module):
    """Parts of the channels under kernels of different sizes (MixConv)."""

    def __init__(self, sizes: tuple[int, ...], kernels: tuple[int, ...]):
        super().__init__()
        self.sizes = sizes
        self.layers = nn.ModuleList(
            convolution(size, size, kernel, groups=size) for size, kernel in zip(sizes, kernels, strict=True)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        parts = torch.split(inputs, list(self.sizes), dim=1)
        return torch.cat([layer(part) for layer, part in zip(self.layers, parts, strict=True)], 1)


@model
def mixnet() -> Built:
    def block(channels: int) -> Residual:
        layers = [normalised(channels, 14, 1, activation=nn.SiLU), MixedDepthwise((6, 4, 4), (3, 5, 7))]
        layers += [nn.BatchNorm2d(14), nn.SiLU(), normalised(14, channels, 1, activation=None)]
        return Residual(nn.Sequential(*layers))

    return nn.Sequential(normalised(3, 8, 3, 2), block(8), block(8), head(8)), images()


class Involution(nn.Module):
    """A kernel for each pixel, computed from the pixel, and applied to its unfolded neighbourhood."""

    def __init__(self, channels: int, groups: int = 2, kernel: int = 3):
        super().__init__()
        self.groups, self.kernel = groups, kernel
        self.reduce = normalised(channels, channels // 2, 1)
        self.span = nn.Conv2d(channels // 2, groups * kernel * kernel, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        count, channels, height, width = inputs.shape
        weight = self.span(self.reduce(inputs)).view(count, self.groups, 1, self.kernel**2, height, width)
        patches = F.unfold(inputs, self.kernel, padding=self.kernel // 2)
        patches = patches.view(count, self.groups, channels // self.groups, self.kernel**2, height, width)
        return (weight * patches).sum(dim=3).view(count, channels, height, width)


@model
def involution_network() -> Built:
    def block(channels: int) -> Residual:
        return Residual(nn.Sequential(Involution(channels), nn.BatchNorm2d(channels), nn.ReLU()))

    return nn.Sequential(normalised(3, 8, 3, 2), block(8), block(8), head(8)), images()
