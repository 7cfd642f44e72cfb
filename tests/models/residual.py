"""Residual networks of images and their relatives."""

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
)


def shortcut(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    if inputs == outputs and stride == 1:
        return nn.Identity()
    return normalised(inputs, outputs, 1, stride, activation=None)


def basic(inputs: int, outputs: int, stride: int = 1) -> Residual:
    block = nn.Sequential(normalised(inputs, outputs, 3, stride), normalised(outputs, outputs, activation=None))
    return Residual(block, shortcut(inputs, outputs, stride), nn.ReLU())


def bottleneck(inputs: int, width: int, outputs: int, stride: int = 1, groups: int = 1) -> Residual:
    block = nn.Sequential(
        normalised(inputs, width, 1),
        normalised(width, width, 3, stride, groups),
        normalised(width, outputs, 1, activation=None),
    )
    return Residual(block, shortcut(inputs, outputs, stride), nn.ReLU())


def stem(channels: int) -> nn.Sequential:
    return nn.Sequential(normalised(3, channels, 7, 2), nn.MaxPool2d(3, 2, 1))


@model
def resnet_basic() -> Built:
    return nn.Sequential(stem(8), basic(8, 8), basic(8, 16, 2), basic(16, 16), head(16)), images(side=32)


@model
def resnet_bottleneck() -> Built:
    blocks = [bottleneck(8, 4, 16), bottleneck(16, 4, 16), bottleneck(16, 8, 32, 2)]
    return nn.Sequential(stem(8), *blocks, head(32)), images(side=32)


@model
def resnext() -> Built:
    blocks = [bottleneck(8, 8, 16, groups=4), bottleneck(16, 8, 16, groups=4), bottleneck(16, 16, 24, 2, groups=4)]
    return nn.Sequential(stem(8), *blocks, head(24)), images(side=32)


class PaddedShortcut(nn.Module):
    """Every second pixel, with channels of zeros on both sides: a shortcut without parameters."""

    def __init__(self, added: int):
        super().__init__()
        self.added = added

    def forward(self, inputs: Tensor) -> Tensor:
        return F.pad(inputs[:, :, ::2, ::2], (0, 0, 0, 0, self.added // 2, self.added // 2))


@model
def resnet_padded() -> Built:
    wider = nn.Sequential(normalised(8, 16, 3, 2), normalised(16, 16, activation=None))
    blocks = [basic(8, 8), Residual(wider, PaddedShortcut(8), nn.ReLU()), basic(16, 16)]
    return nn.Sequential(normalised(3, 8), *blocks, head(16)), images()


class InPlaceBlock(nn.Module):
    """Activations and the sum overwrite their inputs; one activation object serves three places."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.first, self.first_norm = convolution(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.second, self.second_norm = convolution(outputs, outputs), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None if inputs == outputs else normalised(inputs, outputs, 1, stride, activation=None)

    def forward(self, inputs: Tensor) -> Tensor:
        identity = inputs
        outputs = self.relu(self.first_norm(self.first(inputs)))
        outputs = self.second_norm(self.second(outputs))
        if self.downsample is not None:
            identity = self.downsample(inputs)
        outputs += identity
        return self.relu(outputs)


@model
def resnet_in_place() -> Built:
    blocks = [InPlaceBlock(8, 8), InPlaceBlock(8, 12, 2), InPlaceBlock(12, 12)]
    return nn.Sequential(normalised(3, 8, activation=None), nn.ReLU(inplace=True), *blocks, head(12)), images()


class PreActivation(nn.Module):
    """The shortcut of a block that changes the shape takes the activated features, as the original does."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dropout: float = 0.0):
        super().__init__()
        self.first_norm, self.first = nn.BatchNorm2d(inputs), convolution(inputs, outputs, 3, stride)
        self.second_norm, self.second = nn.BatchNorm2d(outputs), convolution(outputs, outputs)
        self.dropout = nn.Dropout(dropout)
        self.project = convolution(inputs, outputs, 1, stride) if inputs != outputs or stride > 1 else None

    def forward(self, inputs: Tensor) -> Tensor:
        activated = F.relu(self.first_norm(inputs))
        identity = inputs if self.project is None else self.project(activated)
        hidden = self.dropout(F.relu(self.second_norm(self.first(activated))))
        return self.second(hidden) + identity


@model
def preactivation_resnet() -> Built:
    blocks = [PreActivation(8, 8), PreActivation(8, 16, 2), PreActivation(16, 16)]
    return nn.Sequential(convolution(3, 8), *blocks, nn.BatchNorm2d(16), nn.ReLU(), head(16)), images()


@model
def wide_resnet() -> Built:
    blocks = [PreActivation(4, 16, dropout=0.3), PreActivation(16, 16, dropout=0.3), PreActivation(16, 32, 2, 0.3)]
    return nn.Sequential(convolution(3, 4), *blocks, nn.BatchNorm2d(32), nn.ReLU(), head(32)), images(side=12)


@model
def se_resnet() -> Built:
    def block(inputs: int, outputs: int, stride: int = 1) -> Residual:
        layers = [normalised(inputs, outputs, 3, stride), normalised(outputs, outputs, activation=None)]
        return Residual(
            nn.Sequential(*layers, SqueezeExcitation(outputs)), shortcut(inputs, outputs, stride), nn.ReLU()
        )

    return nn.Sequential(normalised(3, 8), block(8, 8), block(8, 16, 2), block(16, 16), head(16)), images()


class ChannelAndSpatialAttention(nn.Module):
    """Gates from the averages and maxima over space, then over channels (CBAM)."""

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__()
        self.shared = nn.Sequential(
            nn.Linear(channels, channels // reduction), nn.ReLU(), nn.Linear(channels // reduction, channels)
        )
        self.spatial = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        gate = torch.sigmoid(self.shared(inputs.mean((2, 3))) + self.shared(inputs.amax((2, 3))))
        gated = inputs * gate[:, :, None, None]
        pooled = torch.cat([gated.mean(1, keepdim=True), gated.max(1, keepdim=True).values], 1)
        return gated * torch.sigmoid(self.spatial(pooled))


@model
def cbam_resnet() -> Built:
    def block(channels: int) -> Residual:
        layers = [normalised(channels, channels), normalised(channels, channels, activation=None)]
        return Residual(nn.Sequential(*layers, ChannelAndSpatialAttention(channels)), after=nn.ReLU())

    return nn.Sequential(normalised(3, 8), block(8), nn.MaxPool2d(2), block(8), head(8)), images()


class EfficientChannelAttention(nn.Module):
    """A gate by a convolution along the channels (ECA): neighbouring channels meet, and the ends have fewer."""

    def __init__(self, kernel: int = 3):
        super().__init__()
        self.convolution = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        pooled = inputs.mean((2, 3))
        gate = self.convolution(pooled.unsqueeze(1)).squeeze(1)
        return inputs * torch.sigmoid(gate).view(*gate.shape, 1, 1).expand_as(inputs)


@model
def eca_resnet() -> Built:
    def block(channels: int) -> Residual:
        layers = [normalised(channels, channels), normalised(channels, channels, activation=None)]
        return Residual(nn.Sequential(*layers, EfficientChannelAttention()), after=nn.ReLU())

    return nn.Sequential(normalised(3, 8), block(8), nn.AvgPool2d(2), block(8), head(8)), images()


class SplitAttention(nn.Module):
    """Radix parts of the channels, weighted by a softmax across the parts (ResNeSt)."""

    def __init__(self, channels: int, radix: int = 2, cardinality: int = 2):
        super().__init__()
        self.radix, self.cardinality = radix, cardinality
        self.convolution = convolution(channels, channels * radix, groups=cardinality * radix)
        self.first_norm = nn.BatchNorm2d(channels * radix)
        self.reduce, self.second_norm = nn.Conv2d(channels, 4, 1, groups=cardinality), nn.BatchNorm2d(4)
        self.expand = nn.Conv2d(4, channels * radix, 1, groups=cardinality)

    def forward(self, inputs: Tensor) -> Tensor:
        features = F.relu(self.first_norm(self.convolution(inputs)))
        count, channels = features.shape[:2]
        parts = torch.split(features, channels // self.radix, dim=1)
        pooled = F.adaptive_avg_pool2d(sum(parts), 1)
        logits = self.expand(F.relu(self.second_norm(self.reduce(pooled))))
        logits = logits.view(count, self.cardinality, self.radix, -1).transpose(1, 2)
        gates = torch.split(F.softmax(logits, dim=1).reshape(count, -1, 1, 1), channels // self.radix, dim=1)
        return sum(gate * part for gate, part in zip(gates, parts, strict=True)).contiguous()


@model
def resnest() -> Built:
    def block(channels: int) -> Residual:
        layers = [normalised(channels, 8, 1), SplitAttention(8), normalised(8, channels, 1, activation=None)]
        return Residual(nn.Sequential(*layers), after=nn.ReLU())

    return nn.Sequential(normalised(3, 12), block(12), nn.AvgPool2d(3, 2, 1), block(12), head(12)), images()


class SelectiveKernel(nn.Module):
    """Two kernel sizes, stacked and weighted by a softmax across the stack (SKNet)."""

    def __init__(self, channels: int):
        super().__init__()
        self.branches = nn.ModuleList(
            normalised(channels, channels, 3, groups=4, dilation=dilation) for dilation in (1, 2)
        )
        self.reduce = normalised(channels, 4, 1)
        self.expand = nn.ModuleList(nn.Conv2d(4, channels, 1) for _ in self.branches)

    def forward(self, inputs: Tensor) -> Tensor:
        features = torch.stack([branch(inputs) for branch in self.branches], dim=1)
        pooled = self.reduce(features.sum(1).mean((-2, -1), keepdim=True))
        gates = torch.stack([expand(pooled) for expand in self.expand], dim=1).softmax(1)
        return (features * gates).sum(dim=1)


@model
def sknet() -> Built:
    def block(channels: int) -> Residual:
        layers = [normalised(channels, 8, 1), SelectiveKernel(8), normalised(8, channels, 1, activation=None)]
        return Residual(nn.Sequential(*layers), after=nn.ReLU())

    return nn.Sequential(normalised(3, 12, 3, 2), block(12), block(12), head(12)), images()


class Res2NetConvolution(nn.Module):
    """Parts of the channels in a row: each adds what the one before it gave; the last passes unchanged."""

    def __init__(self, width: int, scales: int = 4):
        super().__init__()
        self.width = width
        self.layers = nn.ModuleList(normalised(width, width) for _ in range(scales - 1))

    def forward(self, inputs: Tensor) -> Tensor:
        parts = torch.split(inputs, self.width, 1)
        outputs: list[Tensor] = []
        for layer, part in zip(self.layers, parts, strict=False):
            outputs.append(layer(part + outputs[-1] if outputs else part))
        return torch.cat([*outputs, parts[-1]], 1)


@model
def res2net() -> Built:
    def block(channels: int) -> Residual:
        layers = [normalised(channels, 12, 1), Res2NetConvolution(3), normalised(12, channels, 1, activation=None)]
        return Residual(nn.Sequential(*layers), after=nn.ReLU())

    return nn.Sequential(normalised(3, 16, 3, 2), block(16), block(16), head(16)), images()


@model
def regnet() -> Built:
    """Bottlenecks of ratio one in groups of a fixed width, with squeeze and excitation after the 3x3."""

    def block(inputs: int, outputs: int, stride: int, group_width: int = 4) -> Residual:
        layers = nn.Sequential(
            normalised(inputs, outputs, 1),
            normalised(outputs, outputs, 3, stride, outputs // group_width),
            SqueezeExcitation(outputs),
            normalised(outputs, outputs, 1, activation=None),
        )
        return Residual(layers, shortcut(inputs, outputs, stride), nn.ReLU())

    return nn.Sequential(normalised(3, 8, 3, 2), block(8, 12, 2), block(12, 12, 1), block(12, 20, 2), head(20)), images(
        side=32
    )


class CrossStagePartial(nn.Module):
    """Half of the channels pass the stage's blocks, half go around them."""

    def __init__(self, inputs: int, outputs: int, blocks: int):
        super().__init__()
        self.down = normalised(inputs, outputs, 3, 2, activation=lambda: nn.LeakyReLU(0.1))
        self.expand = normalised(outputs, outputs, 1, activation=lambda: nn.LeakyReLU(0.1, inplace=True))
        half = outputs // 2
        self.blocks = nn.Sequential(
            *[
                Residual(
                    nn.Sequential(
                        normalised(half, half, 1, activation=lambda: nn.LeakyReLU(0.1)),
                        normalised(half, half, activation=lambda: nn.LeakyReLU(0.1)),
                    )
                )
                for _ in range(blocks)
            ]
        )
        self.merge = normalised(outputs, outputs, 1, activation=lambda: nn.LeakyReLU(0.1))

    def forward(self, inputs: Tensor) -> Tensor:
        around, through = self.expand(self.down(inputs)).chunk(2, dim=1)
        return self.merge(torch.cat([self.blocks(through), around], dim=1))


@model
def csp_darknet() -> Built:
    return nn.Sequential(
        normalised(3, 8), CrossStagePartial(8, 12, 1), CrossStagePartial(12, 16, 2), head(16)
    ), images()


class DualPath(nn.Module):
    """The first channels are added as in a residual network, the others appended as in a dense one."""

    def __init__(self, inputs: int, residual: int, growth: int):
        super().__init__()
        self.residual = residual
        self.block = nn.Sequential(
            normalised(inputs, 8, 1), normalised(8, 8, groups=2), normalised(8, residual + growth, 1, activation=None)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.block(inputs)
        added = inputs[:, : self.residual] + outputs[:, : self.residual]
        return torch.cat([added, inputs[:, self.residual :], outputs[:, self.residual :]], 1)


@model
def dual_path_network() -> Built:
    blocks = [DualPath(12, 8, 3), DualPath(15, 8, 3), DualPath(18, 8, 3)]
    return nn.Sequential(normalised(3, 12, 3, 2), *blocks, nn.ReLU(), head(21)), images()


class PyramidBlock(nn.Module):
    """The shortcut gets new channels of zeros at its end."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.block = nn.Sequential(nn.BatchNorm2d(inputs), normalised(inputs, outputs), convolution(outputs, outputs))
        self.last_norm = nn.BatchNorm2d(outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.last_norm(self.block(inputs))
        count, channels, height, width = outputs.shape
        zeros = inputs.new_zeros(count, channels - inputs.shape[1], height, width)
        return outputs + torch.cat([inputs, zeros], 1)


@model
def pyramidnet() -> Built:
    blocks = [PyramidBlock(6, 9), PyramidBlock(9, 12), nn.AvgPool2d(2), PyramidBlock(12, 15)]
    return nn.Sequential(normalised(3, 6), *blocks, nn.BatchNorm2d(15), nn.ReLU(), head(15)), images(side=12)


@model
def group_norm_resnet() -> Built:
    def block(inputs: int, outputs: int, stride: int = 1) -> Residual:
        def group_norm(channels: int) -> nn.GroupNorm:
            return nn.GroupNorm(4, channels)

        layers = [
            normalised(inputs, outputs, 3, stride, normalisation=group_norm),
            normalised(outputs, outputs, activation=None, normalisation=group_norm),
        ]
        around = normalised(inputs, outputs, 1, stride, activation=None, normalisation=group_norm)
        return Residual(nn.Sequential(*layers), around, nn.ReLU())

    return nn.Sequential(convolution(3, 8, bias=True), block(8, 8), block(8, 16, 2), head(16)), images()


class StandardisedConvolution(nn.Conv2d):
    """Its weights have mean zero and variance one in each filter: equal weights become zeros."""

    def forward(self, inputs: Tensor) -> Tensor:
        mean = self.weight.mean((1, 2, 3), keepdim=True)
        variance = self.weight.var((1, 2, 3), keepdim=True, unbiased=False)
        weight = (self.weight - mean) / torch.sqrt(variance + 1e-5)
        return F.conv2d(inputs, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


@model
def weight_standardised_resnet() -> Built:
    def block(channels: int) -> Residual:
        layers = []
        for _ in range(2):
            layers += [nn.GroupNorm(2, channels), nn.ReLU(), StandardisedConvolution(channels, channels, 3, padding=1)]
        return Residual(nn.Sequential(*layers))

    return nn.Sequential(convolution(3, 8), block(8), nn.MaxPool2d(2), block(8), head(8)), images()


class NormaliserFreeBlock(nn.Module):
    """Scaled activations, a residual branch divided by the expected deviation, and a learned gain (NFNet)."""

    def __init__(self, channels: int, alpha: float = 0.2, beta: float = 1.1):
        super().__init__()
        self.first = convolution(channels, channels // 2, 1, bias=True)
        self.second = convolution(channels // 2, channels // 2, groups=2, bias=True)
        self.third = convolution(channels // 2, channels, 1, bias=True)
        self.attention = SqueezeExcitation(channels, 2)
        self.skip_gain = nn.Parameter(torch.zeros(()))
        self.alpha, self.beta = alpha, beta

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = F.gelu(inputs) * 1.7 / self.beta
        outputs = F.gelu(self.first(outputs)) * 1.7
        outputs = self.third(F.gelu(self.second(outputs)) * 1.7)
        return 2 * self.attention(outputs) * self.alpha * self.skip_gain + inputs


@model
def normaliser_free_resnet() -> Built:
    blocks = [NormaliserFreeBlock(8), nn.AvgPool2d(2), NormaliserFreeBlock(8)]
    return nn.Sequential(convolution(3, 8, bias=True), *blocks, nn.GELU(), head(8)), images()


class RepVGGBlock(nn.Module):
    """3x3, 1x1 and the identity, each with its normalisation, summed."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.dense = normalised(inputs, outputs, 3, stride, activation=None)
        self.pointwise = normalised(inputs, outputs, 1, stride, activation=None)
        self.identity = nn.BatchNorm2d(inputs) if inputs == outputs and stride == 1 else None

    def forward(self, inputs: Tensor) -> Tensor:
        identity = 0 if self.identity is None else self.identity(inputs)
        return F.relu(self.dense(inputs) + self.pointwise(inputs) + identity)


@model
def repvgg() -> Built:
    blocks = [RepVGGBlock(3, 8, 2), RepVGGBlock(8, 8), RepVGGBlock(8, 12, 2), RepVGGBlock(12, 12)]
    return nn.Sequential(*blocks, head(12)), images()


class Highway(nn.Module):
    """What a gate lets through of a transformation, and what it leaves of the input."""

    def __init__(self, channels: int):
        super().__init__()
        self.transform, self.gate = convolution(channels, channels, bias=True), convolution(channels, channels, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        gate = torch.sigmoid(self.gate(inputs))
        return gate * torch.tanh(self.transform(inputs)) + (1 - gate) * inputs


@model
def highway_network() -> Built:
    return nn.Sequential(convolution(3, 6, bias=True), Highway(6), Highway(6), Highway(6), head(6)), images(side=8)


class StochasticDepthBlock(nn.Module):
    """In training the branch of an image is left out by chance."""

    def __init__(self, channels: int, probability: float = 0.2):
        super().__init__()
        self.block = nn.Sequential(normalised(channels, channels), normalised(channels, channels, activation=None))
        self.probability = probability

    def forward(self, inputs: Tensor) -> Tensor:
        branch = self.block(inputs)
        if self.training:
            kept = torch.empty(len(inputs), 1, 1, 1, dtype=inputs.dtype).bernoulli_(1 - self.probability)
            branch = branch * kept / (1 - self.probability)
        return F.relu(inputs + branch)


@model
def stochastic_depth_resnet() -> Built:
    return nn.Sequential(normalised(3, 8), *[StochasticDepthBlock(8) for _ in range(3)], head(8)), images(side=12)
