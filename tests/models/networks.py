"""A Hypothesis strategy for networks of images: random steps in a row, some with steps inside.

Every step is a small description that is made into a module for the shape that reaches it. Where a shape does not suit
a step (an odd number of channels to halve, an image that would grow too large), the step takes the nearest that does,
or does nothing: so any list of steps is a network, and Hypothesis shrinks a failure by leaving steps out. What is
printed is the description, and `example` makes the network of it again.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.models.parts import normal, shuffled

MOST_CHANNELS, LARGEST_SIDE = 24, 12


class Shape(NamedTuple):
    """What one image is at some point of a network."""

    channels: int
    height: int
    width: int

    @property
    def small(self) -> bool:
        """Whether the image may have twice the height and width."""
        return 2 * max(self.height, self.width) <= LARGEST_SIDE

    def groups(self, wanted: str) -> int:
        """Return into how many equal groups the channels fall: two or three if that is possible, one, or all."""
        if wanted == "all":
            return self.channels
        number = {"one": 1, "two": 2, "three": 3}[wanted]
        return number if self.channels % number == 0 else 1


class Function(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.function = function

    def forward(self, inputs: Tensor) -> Tensor:
        return self.function(inputs)


def nothing() -> nn.Module:
    return nn.Identity()


class Step:
    """One operation; `build` makes its module for the shape that reaches it."""

    def build(self, shape: Shape) -> nn.Module:
        raise NotImplementedError


Row = tuple[Step, ...]


# Convolutions and linear maps of the channels.


@dataclass(frozen=True)
class Convolution(Step):
    outputs: Literal[1, 2, 3, 4, 6, 8]
    kernel: Literal[1, 3, 5]
    stride: Literal[1, 2]
    dilation: Literal[1, 2]
    groups: Literal["one", "two", "all"]
    padding: Literal["zeros", "replicate"]
    bias: bool

    def build(self, shape: Shape) -> nn.Module:
        groups = shape.groups(self.groups)
        padding = self.kernel // 2 * self.dilation
        return nn.Conv2d(
            shape.channels,
            rounded_up(self.outputs, groups),
            self.kernel,
            self.stride,
            padding,
            self.dilation,
            groups,
            self.bias,
            self.padding,
        )


def rounded_up(number: int, divisor: int) -> int:
    return -(-number // divisor) * divisor


@dataclass(frozen=True)
class UnpaddedConvolution(Step):
    """A kernel that is not square and makes the image smaller."""

    outputs: Literal[1, 2, 3, 4]
    height: Literal[1, 2, 3]
    width: Literal[1, 2, 3]

    def build(self, shape: Shape) -> nn.Module:
        kernel = min(self.height, shape.height), min(self.width, shape.width)
        return nn.Conv2d(shape.channels, self.outputs, kernel)


@dataclass(frozen=True)
class TransposedConvolution(Step):
    outputs: Literal[1, 2, 3, 4, 6]
    kernel: Literal[1, 2, 3]
    stride: Literal[1, 2]
    groups: Literal["one", "two", "all"]
    bias: bool

    def build(self, shape: Shape) -> nn.Module:
        groups = shape.groups(self.groups)
        stride = self.stride if shape.small else 1
        padding = (self.kernel - 1) // 2
        outputs = rounded_up(self.outputs, groups)
        return nn.ConvTranspose2d(shape.channels, outputs, self.kernel, stride, padding, groups=groups, bias=self.bias)


@dataclass(frozen=True)
class Einsum(Step):
    """A matrix on the channels, as a sum over indices."""

    outputs: Literal[1, 2, 3, 5]
    channels_last: bool

    def build(self, shape: Shape) -> nn.Module:
        return EinsumModule(shape.channels, self.outputs, self.channels_last)


class EinsumModule(nn.Module):
    def __init__(self, inputs: int, outputs: int, channels_last: bool):
        super().__init__()
        self.matrix, self.channels_last = nn.Parameter(torch.ones(inputs, outputs)), channels_last

    def forward(self, inputs: Tensor) -> Tensor:
        if self.channels_last:
            return torch.einsum("...c,cd->...d", inputs.movedim(1, -1), self.matrix).movedim(-1, 1)
        return torch.einsum("nchw,cd->ndhw", inputs, self.matrix)


@dataclass(frozen=True)
class LinearChannels(Step):
    outputs: Literal[1, 2, 3, 4, 6]
    bias: bool

    def build(self, shape: Shape) -> nn.Module:
        return LastDimension(nn.Linear(shape.channels, self.outputs, self.bias))


class LastDimension(nn.Module):
    """A module on images with channels last."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, inputs: Tensor) -> Tensor:
        return self.module(inputs.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class LinearColumns(Step):
    """A linear layer on the rows of the image: the last dimension."""

    outputs: Literal[1, 2, 5]

    def build(self, shape: Shape) -> nn.Module:
        return nn.Linear(shape.width, self.outputs)


# Normalisation.


@dataclass(frozen=True)
class Normalisation(Step):
    kind: Literal["batch", "instance", "group", "layer over channels", "layer over all", "local response", "length"]
    groups: Literal["one", "two", "three", "all"]
    affine: bool

    def build(self, shape: Shape) -> nn.Module:
        channels = shape.channels
        match self.kind:
            case "batch":
                return nn.BatchNorm2d(channels, affine=self.affine)
            case "instance":
                single = shape.height * shape.width == 1
                return nothing() if single else nn.InstanceNorm2d(channels, affine=self.affine)
            case "group":
                return nn.GroupNorm(shape.groups(self.groups), channels, affine=self.affine)
            case "layer over channels":
                return LastDimension(nn.LayerNorm(channels, elementwise_affine=self.affine))
            case "layer over all":
                return nn.LayerNorm(shape, elementwise_affine=self.affine)
            case "local response":
                return nn.LocalResponseNorm(3)
            case _:
                return Function(lambda inputs: F.normalize(inputs, dim=1))


# One element at a time.

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "relu in place": lambda inputs: F.relu(inputs.clone(), inplace=True),
    "relu6": F.relu6,
    "leaky": lambda inputs: F.leaky_relu(inputs, 0.1),
    "gelu": F.gelu,
    "silu": F.silu,
    "elu": F.elu,
    "hardswish": F.hardswish,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "absolute": torch.abs,
    "clamp": lambda inputs: inputs.clamp(-1.0, 2.0),
    "root": lambda inputs: torch.sign(inputs) * (inputs.abs() + 0.01).sqrt(),
    "one minus": lambda inputs: 1 - inputs,
    "half": lambda inputs: inputs / 2 + 0.25,
    "where": lambda inputs: torch.where(inputs > 0, inputs, inputs.new_tensor(0.5)),
    "masked": lambda inputs: inputs.masked_fill(inputs < -1, 0.0),
    "in place": lambda inputs: inputs.clone().mul_(0.5).add_(inputs),
}


@dataclass(frozen=True)
class Activation(Step):
    kind: Literal[tuple(ACTIVATIONS)]  # type: ignore[valid-type]

    def build(self, shape: Shape) -> nn.Module:
        return Function(ACTIVATIONS[self.kind])


@dataclass(frozen=True)
class LearnedSlope(Step):
    for_each_channel: bool

    def build(self, shape: Shape) -> nn.Module:
        return nn.PReLU(shape.channels if self.for_each_channel else 1)


@dataclass(frozen=True)
class Learned(Step):
    """A learned factor or summand for each channel, place, or number, or one for all."""

    extent: Literal["one", "channels", "places", "all"]
    adds: bool

    def build(self, shape: Shape) -> nn.Module:
        extents = {
            "one": (),
            "channels": (shape.channels, 1, 1),
            "places": (1, 1, shape.height, shape.width),
            "all": tuple(shape),
        }
        return LearnedModule(extents[self.extent], self.adds)


class LearnedModule(nn.Module):
    def __init__(self, extents: tuple[int, ...], adds: bool):
        super().__init__()
        self.values, self.adds = nn.Parameter(torch.ones(extents)), adds

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.values if self.adds else self.values * inputs


@dataclass(frozen=True)
class Constant(Step):
    """Numbers that differ between channels, or between places, times the input."""

    along: Literal["channels", "columns"]

    def build(self, shape: Shape) -> nn.Module:
        size = shape.channels if self.along == "channels" else shape.width
        values = torch.arange(1, size + 1) / size
        return ConstantModule(values.view(-1, 1, 1) if self.along == "channels" else values)


class ConstantModule(nn.Module):
    def __init__(self, values: Tensor):
        super().__init__()
        self.register_buffer("values", values)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.values


# Space.


@dataclass(frozen=True)
class Pooling(Step):
    kind: Literal["max", "average"]
    kernel: Literal[2, 3]
    stride: Literal[1, 2]
    padded: bool
    ceiling: bool

    def build(self, shape: Shape) -> nn.Module:
        kernel = min(self.kernel, shape.height, shape.width)
        padding = kernel // 2 if self.padded else 0
        if self.kind == "max":
            return nn.MaxPool2d(kernel, self.stride, padding, ceil_mode=self.ceiling)
        # Padding counts in the averages where the size is rounded down, so that both ways occur.
        return nn.AvgPool2d(kernel, self.stride, padding, self.ceiling, not self.ceiling)


@dataclass(frozen=True)
class AdaptivePooling(Step):
    kind: Literal["max", "average"]
    size: Literal[1, 2, 3]

    def build(self, shape: Shape) -> nn.Module:
        return (nn.AdaptiveMaxPool2d if self.kind == "max" else nn.AdaptiveAvgPool2d)(self.size)


@dataclass(frozen=True)
class Enlargement(Step):
    mode: Literal["nearest", "bilinear", "bilinear, aligned corners"]

    def build(self, shape: Shape) -> nn.Module:
        if not shape.small:
            return nothing()
        if self.mode == "nearest":
            return nn.Upsample(scale_factor=2)
        return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=self.mode.endswith("corners"))


@dataclass(frozen=True)
class PixelShuffle(Step):
    """Four channels become four pixels, or four pixels four channels."""

    direction: Literal["to pixels", "to channels"]

    def build(self, shape: Shape) -> nn.Module:
        if self.direction == "to pixels":
            return nn.PixelShuffle(2) if shape.channels % 4 == 0 and shape.small else nothing()
        fits = shape.height % 2 == 0 and shape.width % 2 == 0 and 4 * shape.channels <= MOST_CHANNELS
        return nn.PixelUnshuffle(2) if fits else nothing()


@dataclass(frozen=True)
class SpacePadding(Step):
    mode: Literal["zeros", "reflection", "replication"]

    def build(self, shape: Shape) -> nn.Module:
        sides = shape.height, shape.width
        if max(sides) + 2 > LARGEST_SIDE or (self.mode == "reflection" and min(sides) < 2):
            return nothing()
        return {"zeros": nn.ZeroPad2d, "reflection": nn.ReflectionPad2d, "replication": nn.ReplicationPad2d}[self.mode](
            1
        )


@dataclass(frozen=True)
class SpaceMove(Step):
    kind: Literal["flip", "roll", "transpose", "crop", "every second"]

    def build(self, shape: Shape) -> nn.Module:
        moves: dict[str, Callable[[Tensor], Tensor]] = {
            "flip": lambda inputs: inputs.flip(3),
            "roll": lambda inputs: torch.roll(inputs, (1, -1), (2, 3)),
            "transpose": lambda inputs: inputs.transpose(2, 3),
            "crop": lambda inputs: inputs[:, :, : max(1, shape.height - 1), min(1, shape.width - 1) :],
            "every second": lambda inputs: inputs[..., ::2, ::2],
        }
        return Function(moves[self.kind])


# Channels.


@dataclass(frozen=True)
class ChannelShuffle(Step):
    groups: Literal["two", "three", "all"]
    ready_made: bool

    def build(self, shape: Shape) -> nn.Module:
        groups = shape.groups(self.groups)
        return nn.ChannelShuffle(groups) if self.ready_made else Function(lambda inputs: shuffled(inputs, groups))


@dataclass(frozen=True)
class ChannelSlice(Step):
    start: Literal[0, 1, 2, -2]
    step: Literal[1, 2]

    def build(self, shape: Shape) -> nn.Module:
        start = self.start if abs(self.start) < shape.channels else 0
        return Function(lambda inputs: inputs[:, start :: self.step])


@dataclass(frozen=True)
class ChannelOrder(Step):
    """Flips, rolls and an index along the channels."""

    kind: Literal["flip", "roll by one", "roll back by two", "index", "gather"]

    def build(self, shape: Shape) -> nn.Module:
        # Every channel but the last, and the first again.
        order = torch.tensor([*range(shape.channels - 1), 0])
        orders: dict[str, Callable[[Tensor], Tensor]] = {
            "flip": lambda inputs: inputs.flip(1),
            "roll by one": lambda inputs: inputs.roll(1, 1),
            "roll back by two": lambda inputs: torch.roll(inputs, -2, dims=1),
            "index": lambda inputs: inputs[:, order],
            "gather": lambda inputs: inputs.gather(1, order.view(1, -1, 1, 1).expand_as(inputs)),
        }
        return Function(orders[self.kind])


@dataclass(frozen=True)
class ChannelPadding(Step):
    before: Literal[0, 1, 2]
    after: Literal[0, 1, 3]
    value: Literal[0.0, 1.0]
    concatenated: bool

    def build(self, shape: Shape) -> nn.Module:
        def concatenate(inputs: Tensor) -> Tensor:
            count, _, height, width = inputs.shape
            sides = [inputs.new_full((count, size, height, width), self.value) for size in (self.before, self.after)]
            return torch.cat([sides[0], inputs, sides[1]], 1)

        if shape.channels + self.before + self.after > MOST_CHANNELS:
            return nothing()
        if self.concatenated:
            return Function(concatenate)
        return Function(lambda inputs: F.pad(inputs, (0, 0, 0, 0, self.before, self.after), value=self.value))


@dataclass(frozen=True)
class ChannelRepeat(Step):
    kind: Literal["repeat", "interleave", "stack", "expand", "append activated"]

    def build(self, shape: Shape) -> nn.Module:
        repeats: dict[str, Callable[[Tensor], Tensor]] = {
            "repeat": lambda inputs: inputs.repeat(1, 2, 1, 1),
            "interleave": lambda inputs: inputs.repeat_interleave(2, dim=1),
            "stack": lambda inputs: torch.stack([inputs, -inputs], 2).flatten(1, 2),
            "expand": lambda inputs: inputs[:, :1].expand(-1, shape.channels, -1, -1),
            "append activated": lambda inputs: torch.cat([inputs, inputs.tanh()], 1),
        }
        return Function(repeats[self.kind]) if 2 * shape.channels <= MOST_CHANNELS else nothing()


@dataclass(frozen=True)
class ChannelAssignment(Step):
    """Some channels are written over with what others give."""

    kind: Literal["copy", "add in place", "fill", "from zeros", "masked", "through a part", "through a flat view"]

    def build(self, shape: Shape) -> nn.Module:
        half = shape.channels // 2

        def assign(inputs: Tensor) -> Tensor:
            outputs = torch.zeros_like(inputs) if self.kind == "from zeros" else inputs.clone()
            if self.kind == "copy":
                outputs[:, :half] = inputs[:, shape.channels - half :].tanh()
            elif self.kind == "add in place":
                outputs[:, :half] += inputs[:, shape.channels - half :]
            elif self.kind == "fill":
                outputs[:, -1] = 0.5
            elif self.kind == "from zeros":
                outputs[:, half:, 1:] = inputs[:, half:, :-1]
            elif self.kind == "through a part":
                outputs[:, half:].tanh_()
            elif self.kind == "through a flat view":
                outputs.flatten(1)[:, 1:].clamp_(min=0)
            else:
                outputs[:, ::2].mul_(inputs[:, -1:].sigmoid())
            return outputs

        return Function(assign)


STATISTICS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda inputs: inputs.mean(1, keepdim=True),
    "sum": lambda inputs: inputs.sum(dim=1, keepdim=True),
    "max": lambda inputs: inputs.max(1, keepdim=True).values,
    "amin": lambda inputs: inputs.amin(1, keepdim=True),
    "variance": lambda inputs: inputs.var(1, correction=0, keepdim=True),
    "log of sum": lambda inputs: inputs.logsumexp(1, keepdim=True),
    "norm": lambda inputs: torch.linalg.vector_norm(inputs, dim=1, keepdim=True),
    "first": lambda inputs: inputs[:, :1],
    "last": lambda inputs: inputs[:, -1].unsqueeze(1),
    "cumulative sum": lambda inputs: inputs.cumsum(1),
    "median": lambda inputs: inputs.median(1, keepdim=True).values,
}


@dataclass(frozen=True)
class ChannelStatistic(Step):
    """A statistic over the channels, alone, beside them, taken off, or as a gate."""

    kind: Literal[tuple(STATISTICS)]  # type: ignore[valid-type]
    use: Literal["alone", "beside", "taken off", "gate"]

    def build(self, shape: Shape) -> nn.Module:
        statistic = STATISTICS[self.kind]
        uses: dict[str, Callable[[Tensor], Tensor]] = {
            "alone": statistic,
            "beside": lambda inputs: torch.cat([inputs, statistic(inputs)], 1),
            "taken off": lambda inputs: inputs - statistic(inputs),
            "gate": lambda inputs: inputs * torch.sigmoid(statistic(inputs)),
        }
        return Function(uses[self.use]) if 2 * shape.channels <= MOST_CHANNELS else Function(statistic)


@dataclass(frozen=True)
class Softmax(Step):
    over: Literal["channels", "rows", "columns", "places"]
    logarithm: bool

    def build(self, shape: Shape) -> nn.Module:
        function = F.log_softmax if self.logarithm else F.softmax
        if self.over == "places":
            return Function(lambda inputs: function(inputs.flatten(2), dim=-1).view_as(inputs))
        return Function(lambda inputs: function(inputs, dim={"channels": 1, "rows": 2, "columns": 3}[self.over]))


@dataclass(frozen=True)
class Sort(Step):
    """What depends on the order of all channels."""

    kind: Literal["ascending", "descending", "largest two", "smallest"]

    def build(self, shape: Shape) -> nn.Module:
        sorts: dict[str, Callable[[Tensor], Tensor]] = {
            "ascending": lambda inputs: inputs.sort(dim=1).values,
            "descending": lambda inputs: torch.sort(inputs, 1, descending=True)[0],
            "largest two": lambda inputs: inputs.topk(min(2, shape.channels), dim=1).values,
            "smallest": lambda inputs: torch.topk(inputs, 1, dim=1, largest=False)[0],
        }
        return Function(sorts[self.kind])


@dataclass(frozen=True)
class Halves(Step):
    """The first half of the channels with the second, or pairs of neighbours."""

    kind: Literal["gated", "maximum", "neighbours", "product", "difference"]

    def build(self, shape: Shape) -> nn.Module:
        def neighbours(inputs: Tensor) -> Tensor:
            return inputs.unflatten(1, (-1, 2)).amax(2)

        def parts(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
            return lambda inputs: function(*inputs.chunk(2, dim=1))

        halves: dict[str, Callable[[Tensor], Tensor]] = {
            "gated": lambda inputs: F.glu(inputs, dim=1),
            "maximum": parts(torch.maximum),
            "neighbours": neighbours,
            "product": parts(lambda first, second: first * second.tanh()),
            "difference": parts(torch.sub),
        }
        return Function(halves[self.kind]) if shape.channels % 2 == 0 else nothing()


@dataclass(frozen=True)
class Rearrangement(Step):
    """Channels and places change roles, or all numbers of an image move on by one."""

    kind: Literal["channels and columns", "channels and rows", "move on", "reshape"]

    def build(self, shape: Shape) -> nn.Module:
        moves: dict[str, Callable[[Tensor], Tensor]] = {
            "channels and columns": lambda inputs: inputs.transpose(1, 3),
            "channels and rows": lambda inputs: inputs.permute(0, 2, 1, 3),
            "move on": lambda inputs: inputs.flatten(1).roll(1, 1).view(inputs.shape),
            "reshape": lambda inputs: inputs.reshape(len(inputs), shape.height, shape.channels, shape.width),
        }
        return Function(moves[self.kind]) if max(shape) <= LARGEST_SIDE else nothing()


# Blocks.


@dataclass(frozen=True)
class Gate(Step):
    """Squeeze and excitation, from averages or maxima."""

    hidden: Literal[1, 2, 3]
    squeeze: Literal["average", "max"]

    def build(self, shape: Shape) -> nn.Module:
        return GateModule(shape.channels, self.hidden, self.squeeze)


class GateModule(nn.Module):
    def __init__(self, channels: int, hidden: int, squeeze: str):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())
        self.squeeze = squeeze

    def forward(self, inputs: Tensor) -> Tensor:
        squeezed = inputs.mean((2, 3)) if self.squeeze == "average" else inputs.amax((-2, -1))
        return inputs * self.network(squeezed)[:, :, None, None]


@dataclass(frozen=True)
class Attention(Step):
    """Places attend to places, or channels to channels."""

    of: Literal["places", "channels", "places, ready made"]
    width: Literal[1, 2, 4]

    def build(self, shape: Shape) -> nn.Module:
        return AttentionModule(shape.channels, self.width, self.of)


class AttentionModule(nn.Module):
    def __init__(self, channels: int, width: int, of: str):
        super().__init__()
        self.split, self.project = nn.Conv2d(channels, 3 * width, 1), nn.Conv2d(width, channels, 1)
        self.of = of

    def forward(self, inputs: Tensor) -> Tensor:
        height, width = inputs.shape[2:]
        # Bounded, so that products do not grow from one attention to the next.
        queries, keys, values = self.split(inputs).tanh().flatten(2).transpose(1, 2).chunk(3, -1)
        if self.of == "channels":
            products = torch.bmm(queries.transpose(1, 2), keys) / (height * width)
            mixed = values @ products.softmax(-1).transpose(1, 2)
        elif self.of == "places":
            mixed = torch.matmul(torch.softmax(queries @ keys.transpose(1, 2), dim=-1), values)
        else:
            mixed = F.scaled_dot_product_attention(queries, keys, values)
        return inputs + self.project(mixed.transpose(1, 2).unflatten(2, (height, width)))


@dataclass(frozen=True)
class Residual(Step):
    """The steps and a shortcut, summed; the shortcut is projected where the shapes differ."""

    steps: Row
    in_place: bool

    def build(self, shape: Shape) -> nn.Module:
        return ResidualModule(shape, self.steps, self.in_place)


class ResidualModule(nn.Module):
    def __init__(self, shape: Shape, steps: Row, in_place: bool):
        super().__init__()
        self.steps, self.in_place = Steps(shape, steps), in_place
        outputs = self.steps.outputs.channels
        self.project = nn.Identity() if outputs == shape.channels else nn.Conv2d(shape.channels, outputs, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        identity, outputs = self.project(inputs), self.steps(inputs)
        identity = resized(identity, outputs.shape[2:])
        if self.in_place:
            outputs = outputs.clone()
            outputs += identity
            return outputs
        return torch.add(outputs, identity)


def resized(inputs: Tensor, size: torch.Size) -> Tensor:
    """Return images of the size: the same, or each pixel the nearest."""
    return inputs if inputs.shape[2:] == size else F.interpolate(inputs, size=tuple(size))


@dataclass(frozen=True)
class Parts(Step):
    """The channels in parts, each through steps of its own, and side by side again."""

    first: Row
    second: Row
    cut: Literal["chunk", "split", "slices"]

    def build(self, shape: Shape) -> nn.Module:
        if shape.channels == 1:
            return Steps(shape, self.first)
        return PartsModule(shape, self.first, self.second, self.cut)


class PartsModule(nn.Module):
    def __init__(self, shape: Shape, first: Row, second: Row, cut: str):
        super().__init__()
        self.size = 1 if cut == "split" else -(-shape.channels // 2)
        self.cut, self.rest = cut, shape.channels - self.size
        self.first = Steps(shape._replace(channels=self.size), first)
        self.second = Steps(shape._replace(channels=self.rest), second)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.cut == "chunk":
            first, second = inputs.chunk(2, 1)
        elif self.cut == "split":
            first, second = torch.split(inputs, [self.size, self.rest], dim=1)
        else:
            first, second = inputs[:, : self.size], inputs[:, self.size :]
        first, second = self.first(first), self.second(second)
        return torch.cat([first, resized(second, first.shape[2:])], dim=1)


@dataclass(frozen=True)
class Branches(Step):
    """Two rows of steps on the same input, side by side, or multiplied where the channels agree."""

    first: Row
    second: Row
    join: Literal["side by side", "mean", "product"]

    def build(self, shape: Shape) -> nn.Module:
        return BranchesModule(shape, self.first, self.second, self.join)


class BranchesModule(nn.Module):
    def __init__(self, shape: Shape, first: Row, second: Row, join: str):
        super().__init__()
        self.first, self.second = Steps(shape, first), Steps(shape, second)
        agree = self.first.outputs.channels == self.second.outputs.channels
        self.join = join if agree else "side by side"

    def forward(self, inputs: Tensor) -> Tensor:
        first = self.first(inputs)
        second = resized(self.second(inputs), first.shape[2:])
        if self.join == "mean":
            return torch.stack([first, second]).mean(0)
        return torch.cat((first, second), 1) if self.join == "side by side" else first * second.tanh()


# Networks.


class Steps(nn.Module):
    """Steps in a row for images of a shape; `outputs` is the shape after the last."""

    def __init__(self, shape: Shape, steps: Row):
        super().__init__()
        self.inputs, self.steps, self.layers = shape, steps, nn.ModuleList()
        for step in steps:
            self.layers.append(step.build(shape).double())
            shape = shape_after(self.layers[-1], shape)
            if shape.channels > MOST_CHANNELS:
                self.layers.append(Function(lambda inputs: inputs[:, :MOST_CHANNELS]))
                shape = shape._replace(channels=MOST_CHANNELS)
        self.outputs = shape

    def forward(self, inputs: Tensor) -> Tensor:
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    def __repr__(self) -> str:
        return f"Steps({self.inputs}, {self.steps})"


def shape_after(layer: nn.Module, shape: Shape) -> Shape:
    """Return the shape that a layer makes of a shape, from a pass over zeros that leaves the layer as it was."""
    mode = layer.training
    with torch.no_grad():
        outputs = layer.eval()(torch.zeros(2, *shape, dtype=torch.float64))
    layer.train(mode)
    return Shape(*outputs.shape[1:])


class Network(nn.Module):
    """Steps, and a head: none, averages and a linear layer, or a linear layer on all numbers."""

    def __init__(self, shape: Shape, steps: Row, head: str):
        super().__init__()
        self.kind, self.steps = head, Steps(shape, steps)
        numbers = {"none": 0, "averages": self.steps.outputs.channels, "all": math.prod(self.steps.outputs)}[head]
        self.head = nn.Linear(numbers, 3, dtype=torch.float64) if numbers else nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.steps(inputs)
        if self.kind == "none":
            return outputs
        return self.head(outputs.mean((2, 3)) if self.kind == "averages" else torch.flatten(outputs, 1))


class Example(NamedTuple):
    """A network and a batch, printed as what it takes to build them again."""

    module: Network
    batch: Tensor

    def __repr__(self) -> str:
        steps = "".join(f"\n    {step}," for step in self.module.steps.steps)
        return f"example({len(self.batch)}, {self.module.steps.inputs}, ({steps}\n), {self.module.kind!r})"


def example(count: int, shape: Shape, steps: Row, head: str, seed: int = 0) -> Example:
    """Build a network of a description, and a batch of normally distributed numbers for it."""
    return Example(Network(shape, tuple(steps), head), normal(count, *shape, seed=seed))


LEAVES = [
    Activation,
    Convolution,
    Normalisation,
    UnpaddedConvolution,
    TransposedConvolution,
    Einsum,
    LinearChannels,
    LinearColumns,
    LearnedSlope,
    Learned,
    Constant,
    Pooling,
    AdaptivePooling,
    Enlargement,
    PixelShuffle,
    SpacePadding,
    SpaceMove,
    ChannelShuffle,
    ChannelSlice,
    ChannelOrder,
    ChannelPadding,
    ChannelRepeat,
    ChannelAssignment,
    ChannelStatistic,
    Softmax,
    Sort,
    Halves,
    Rearrangement,
    Gate,
    Attention,
]
"""Steps without steps inside; the choices of their fields are in their annotations."""


BLOCKS = [Residual, Parts, Branches]


def choices(kind: type[Step]) -> dict[str, tuple]:
    """Return the values that the fields of a step may have, the simplest first; those that are steps are left out."""
    annotations = {name: annotation for name, annotation in kind.__annotations__.items() if annotation != Row}
    return {name: (False, True) if values is bool else get_args(values) for name, values in annotations.items()}


def rows(depth: int, most: int) -> st.SearchStrategy[Row]:
    """Return a strategy for steps in a row, with steps inside of steps down to a depth."""
    # Counted alike, convolutions would be one step in thirty.
    kinds = [*LEAVES, *[Convolution] * 8, *[Normalisation] * 4, *[Activation] * 4]
    inner = rows(depth - 1, 3) if depth > 0 else st.nothing()

    def step(kind: type[Step]) -> st.SearchStrategy[Step]:
        values = {name: st.sampled_from(simplest_first) for name, simplest_first in choices(kind).items()}
        return st.builds(kind, **{name: values.get(name, inner) for name in kind.__annotations__})

    steps = st.sampled_from([*kinds, *BLOCKS * 5] if depth > 0 else kinds).flatmap(step)
    return st.lists(steps, min_size=1, max_size=most).map(tuple)


def networks(most_steps: int = 10, depth: int = 2) -> st.SearchStrategy[Example]:
    """Return a strategy for pairs of a network in float64 and a batch of images for it."""
    shapes = st.builds(Shape, st.integers(1, 6), st.integers(1, 8), st.integers(1, 8))
    heads = st.sampled_from(["none", "averages", "all"])
    return st.builds(example, st.integers(2, 4), shapes, rows(depth, most_steps), heads, st.just(0))
