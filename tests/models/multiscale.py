"""Networks that work at several resolutions, and whose outputs may be images."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.models.parts import Built, Residual, convolution, head, images, model, normalised


class HighResolution(nn.Module):
    """Two resolutions side by side that exchange their features twice, and a bilinear enlargement at the end."""

    def __init__(self):
        super().__init__()
        self.stem = normalised(3, 6)
        self.fine, self.coarse = normalised(6, 6), normalised(6, 10, 3, 2)
        self.fine_again, self.coarse_again = normalised(6, 6), normalised(10, 10)
        self.down, self.up = normalised(6, 10, 3, 2, activation=None), normalised(10, 6, 1, activation=None)
        self.last = nn.Conv2d(16, 5, 1)

    def fuse(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        enlarged = F.interpolate(self.up(coarse), scale_factor=2, mode="nearest")
        return F.relu(fine + enlarged), F.relu(coarse + self.down(fine))

    def forward(self, inputs: Tensor) -> Tensor:
        stem = self.stem(inputs)
        fine, coarse = self.fuse(self.fine(stem), self.coarse(stem))
        fine, coarse = self.fuse(self.fine_again(fine), self.coarse_again(coarse))
        enlarged = F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False)
        return self.last(torch.cat([fine, enlarged], 1)).mean((2, 3))


@model
def high_resolution_network() -> Built:
    return HighResolution(), images()


class UNet(nn.Module):
    """Down by pooling, up by transposed convolutions, with the features of the way down beside those of the way up."""

    def __init__(self):
        super().__init__()
        self.first, self.second = self.twice(3, 6), self.twice(6, 10)
        self.bottom = self.twice(10, 16)
        self.up_second, self.up_first = nn.ConvTranspose2d(16, 10, 2, 2), nn.ConvTranspose2d(10, 6, 2, 2)
        self.join_second, self.join_first = self.twice(20, 10), self.twice(12, 6)
        self.last = nn.Conv2d(6, 2, 1)

    @staticmethod
    def twice(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(normalised(inputs, outputs), normalised(outputs, outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        first = self.first(inputs)
        second = self.second(F.max_pool2d(first, 2))
        bottom = self.bottom(F.max_pool2d(second, 2))
        second = self.join_second(torch.cat([self.up_second(bottom), second], dim=1))
        first = self.join_first(torch.cat([self.up_first(second), first], dim=1))
        return self.last(first)


@model
def unet() -> Built:
    return UNet(), images()


class FeaturePyramid(nn.Module):
    """Features of three sizes, each with the enlarged coarser one added; a head shared by all of them."""

    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList([normalised(3, 8, 3, 2), normalised(8, 12, 3, 2), normalised(12, 16, 3, 2)])
        self.lateral = nn.ModuleList(nn.Conv2d(channels, 8, 1) for channels in (8, 12, 16))
        self.smooth = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(3))
        self.head = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, inputs: Tensor) -> Tensor:
        bottom_up = []
        for stage in self.stages:
            inputs = stage(inputs)
            bottom_up.append(inputs)
        merged = self.lateral[2](bottom_up[2])
        levels = [merged]
        for index in (1, 0):
            finer = self.lateral[index](bottom_up[index])
            merged = finer + F.interpolate(merged, size=finer.shape[-2:], mode="nearest")
            levels.insert(0, merged)
        outputs = [self.head(smooth(level)) for smooth, level in zip(self.smooth, levels, strict=True)]
        # Boxes of all levels in one row, as a detector has them.
        return torch.cat([output.permute(0, 2, 3, 1).reshape(len(output), -1, 4) for output in outputs], 1)


@model
def feature_pyramid_network() -> Built:
    return FeaturePyramid(), images()


class WeightedPyramid(nn.Module):
    """Each sum is weighted by learned weights that are rectified and divided by their sum (BiFPN)."""

    def __init__(self, channels: int = 8):
        super().__init__()
        self.top_down, self.bottom_up = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))
        self.first, self.second = normalised(3, channels, 3, 2), normalised(channels, channels, 3, 2)
        self.fine, self.coarse = normalised(channels, channels), normalised(channels, channels)
        self.head = head(channels)

    def forward(self, inputs: Tensor) -> Tensor:
        fine = self.first(inputs)
        coarse = self.second(fine)
        weights = F.relu(self.top_down)
        weights = weights / (weights.sum() + 1e-4)
        merged = self.fine(F.silu(weights[0] * fine + weights[1] * F.interpolate(coarse, scale_factor=2)))
        weights = F.relu(self.bottom_up)
        parts = torch.stack([coarse, F.max_pool2d(merged, 2), F.avg_pool2d(fine, 2)])
        normal = (weights / (weights.sum() + 1e-4)).view(3, 1, 1, 1, 1)
        return self.head(self.coarse(F.silu((normal * parts).sum(0))))


@model
def weighted_feature_pyramid() -> Built:
    return WeightedPyramid(), images()


class AtrousPyramid(nn.Module):
    """Convolutions of several dilations beside a global average that is enlarged again (DeepLab v3)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.branches = nn.ModuleList([normalised(inputs, outputs, 1)])
        self.branches.extend(normalised(inputs, outputs, 3, dilation=dilation) for dilation in (2, 3))
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), normalised(inputs, outputs, 1))
        self.project = nn.Sequential(normalised(4 * outputs, outputs, 1), nn.Dropout(0.5))

    def forward(self, inputs: Tensor) -> Tensor:
        size = inputs.shape[-2:]
        features = [branch(inputs) for branch in self.branches]
        features.append(F.interpolate(self.pooled(inputs), size=size, mode="bilinear", align_corners=False))
        return self.project(torch.cat(features, dim=1))


class DeepLab(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.features = normalised(3, 6, 3, 2), normalised(6, 10, 3, 2)
        self.pyramid, self.low = AtrousPyramid(10, 8), normalised(6, 4, 1)
        self.last = nn.Sequential(normalised(12, 8), nn.Conv2d(8, 3, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        low = self.stem(inputs)
        high = F.interpolate(self.pyramid(self.features(low)), size=low.shape[-2:], mode="bilinear", align_corners=True)
        outputs = self.last(torch.cat([high, self.low(low)], dim=1))
        return F.interpolate(outputs, size=inputs.shape[-2:], mode="bilinear", align_corners=False)


@model
def deeplab() -> Built:
    return DeepLab(), images()


class PyramidPooling(nn.Module):
    """Averages over grids of several sizes, enlarged beside the features themselves (PSPNet)."""

    def __init__(self, channels: int, sizes: tuple[int, ...] = (1, 2, 3, 6)):
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(size), nn.Conv2d(channels, channels // len(sizes), 1), nn.ReLU())
            for size in sizes
        )

    def forward(self, inputs: Tensor) -> Tensor:
        size = inputs.shape[-2:]
        pooled = [F.interpolate(stage(inputs), size, mode="bilinear", align_corners=True) for stage in self.stages]
        return torch.cat([inputs, *pooled], 1)


@model
def pyramid_pooling_network() -> Built:
    return nn.Sequential(normalised(3, 8, 3, 2), PyramidPooling(8), normalised(16, 8), head(8)), images()


class Hourglass(nn.Module):
    """A recursion: half the size, the next hourglass, twice the size, plus what stayed at the size."""

    def __init__(self, channels: int, depth: int):
        super().__init__()
        self.stay, self.before, self.after = (Residual(normalised(channels, channels)) for _ in range(3))
        self.inner = Hourglass(channels, depth - 1) if depth > 1 else Residual(normalised(channels, channels))
        self.up = nn.Upsample(scale_factor=2)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.stay(inputs) + self.up(self.after(self.inner(self.before(F.max_pool2d(inputs, 2, 2)))))


@model
def hourglass() -> Built:
    return nn.Sequential(normalised(3, 6), Hourglass(6, 2), nn.Conv2d(6, 4, 1)), images()


@model
def super_resolution() -> Built:
    """Residual blocks without normalisation, a scaled sum, and channels rearranged to pixels (EDSR)."""

    class Block(nn.Module):
        def __init__(self, channels: int):
            super().__init__()
            self.body = nn.Sequential(
                convolution(channels, channels, bias=True), nn.ReLU(True), convolution(channels, channels, bias=True)
            )

        def forward(self, inputs: Tensor) -> Tensor:
            return self.body(inputs).mul(0.1) + inputs

    body = Residual(nn.Sequential(Block(6), Block(6), convolution(6, 6, bias=True)))
    tail = [convolution(6, 24, bias=True), nn.PixelShuffle(2), convolution(6, 3, bias=True)]
    return nn.Sequential(convolution(3, 6, bias=True), body, *tail), images(side=8)


@model
def style_transfer() -> Built:
    """Reflection padding and instance normalisation throughout; enlarged by shuffled pixels."""

    def layer(inputs: int, outputs: int, kernel: int, stride: int = 1, activation: bool = True) -> nn.Sequential:
        layers = [nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, stride)]
        layers.append(nn.InstanceNorm2d(outputs, affine=True))
        return nn.Sequential(*layers, *([nn.ReLU()] if activation else []))

    blocks = [Residual(nn.Sequential(layer(8, 8, 3), layer(8, 8, 3, activation=False))) for _ in range(2)]
    up = [layer(8, 16, 3), nn.PixelShuffle(2), nn.ReplicationPad2d(1), nn.Conv2d(4, 3, 3), nn.Tanh()]
    return nn.Sequential(layer(3, 6, 5), layer(6, 8, 3, 2), *blocks, *up), images()


class Passthrough(nn.Module):
    """Pixels of the finer features become channels of the coarser ones (YOLO v2), boxes out of channels."""

    def __init__(self):
        super().__init__()
        leaky = {"activation": lambda: nn.LeakyReLU(0.1)}
        self.fine, self.coarse = normalised(3, 6, 3, 2, **leaky), normalised(6, 10, **leaky)
        self.last = nn.Conv2d(10 + 24, 2 * 7, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        fine = self.fine(inputs)
        count, channels, height, width = fine.shape
        blocks = fine.view(count, channels, height // 2, 2, width // 2, 2).permute(0, 3, 5, 1, 2, 4)
        blocks = blocks.reshape(count, 4 * channels, height // 2, width // 2)
        outputs = self.last(torch.cat([self.coarse(F.max_pool2d(fine, 2)), blocks], 1))
        boxes = outputs.view(count, 2, 7, height // 2, width // 2).permute(0, 1, 3, 4, 2)
        centres, sizes, scores = boxes[..., :2].sigmoid(), boxes[..., 2:4].tanh().exp(), boxes[..., 4:].softmax(-1)
        return torch.cat([centres, sizes, scores], -1).flatten(1)


@model
def detector_with_passthrough() -> Built:
    return Passthrough(), images()


@model
def focus_stem() -> Built:
    """Every second pixel of four offsets side by side as channels, then nn.PixelUnshuffle for the same."""

    class Focus(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            corners = [inputs[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
            return torch.cat(corners, 1)

    body = Residual(normalised(8, 8))
    return nn.Sequential(Focus(), normalised(12, 8), body, nn.PixelUnshuffle(2), normalised(32, 8), head(8)), images()


class MaxUnpooling(nn.Module):
    """The places of the maxima on the way down are where the values stand on the way up (SegNet)."""

    def __init__(self):
        super().__init__()
        self.down, self.up = normalised(3, 6), normalised(6, 6)
        self.last = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, inputs: Tensor) -> Tensor:
        pooled, places = F.max_pool2d(self.down(inputs), 2, return_indices=True)
        return self.last(F.max_unpool2d(self.up(pooled), places, 2))


@model
def segnet() -> Built:
    return MaxUnpooling(), images(side=8)
