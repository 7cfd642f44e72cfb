"""Networks of images that attend, mix, or normalise over channels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.models.parts import (
    Built,
    ChannelsLastNorm,
    Residual,
    SqueezeExcitation,
    convolution,
    head,
    images,
    model,
    normalised,
)


class ConvNextBlock(nn.Module):
    """A large depthwise kernel, then everything with channels last, and a learned scale of each channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.depthwise = convolution(channels, channels, 7, groups=channels, bias=True)
        self.normalisation = nn.LayerNorm(channels, eps=1e-6)
        self.expand, self.reduce = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 1e-6))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.normalisation(self.depthwise(inputs).permute(0, 2, 3, 1))
        hidden = self.scale * self.reduce(F.gelu(self.expand(hidden)))
        return inputs + hidden.permute(0, 3, 1, 2)


@model
def convnext() -> Built:
    down = [ChannelsLastNorm(8), nn.Conv2d(8, 12, 2, 2)]
    last = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(12), nn.Linear(12, 5)]
    blocks = [ConvNextBlock(8), *down, ConvNextBlock(12), ConvNextBlock(12)]
    return nn.Sequential(nn.Conv2d(3, 8, 4, 4), *blocks, *last), images(side=32)


@model
def convnext_isotropic() -> Built:
    """One resolution, no normalisation of the residual stream itself: outputs vary with the image."""
    return nn.Sequential(nn.Conv2d(3, 8, 4, 4), *[ConvNextBlock(8) for _ in range(3)], head(8)), images()


class GlobalResponse(nn.Module):
    """Channels by their norms over space, relative to the mean norm (ConvNeXt v2)."""

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        norms = torch.linalg.vector_norm(inputs, dim=(2, 3), keepdim=True)
        return inputs + self.gamma * (inputs * (norms / (norms.mean(1, keepdim=True) + 1e-6))) + self.bias


@model
def convnext_v2() -> Built:
    def block(channels: int) -> Residual:
        layers = [convolution(channels, channels, 5, groups=channels), nn.GroupNorm(1, channels)]
        layers += [nn.Conv2d(channels, 16, 1), nn.GELU(), GlobalResponse(16), nn.Conv2d(16, channels, 1)]
        return Residual(nn.Sequential(*layers))

    return nn.Sequential(nn.Conv2d(3, 8, 2, 2), block(8), block(8), head(8)), images()


def perceptron(width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(0.1), nn.Linear(hidden, width))


class EncoderBlock(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.perceptron = perceptron(width, 2 * width)

    def forward(self, inputs: Tensor) -> Tensor:
        normal = self.first_norm(inputs)
        inputs = inputs + self.attention(normal, normal, normal, need_weights=False)[0]
        return inputs + self.perceptron(self.second_norm(inputs))


class VisionTransformer(nn.Module):
    def __init__(self, width: int = 12, patch: int = 4, side: int = 16, class_token: bool = True):
        super().__init__()
        self.embed = nn.Conv2d(3, width, patch, patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width)) if class_token else None
        self.position = nn.Parameter(torch.zeros(1, (side // patch) ** 2 + class_token, width))
        self.blocks = nn.Sequential(*[EncoderBlock(width, 3) for _ in range(2)])
        self.last_norm = nn.LayerNorm(width) if class_token else nn.Identity()
        self.head = nn.Linear(width, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        patches = self.embed(inputs).flatten(2).transpose(1, 2)
        if self.class_token is not None:
            patches = torch.cat([self.class_token.expand(len(inputs), -1, -1), patches], dim=1)
        outputs = self.last_norm(self.blocks(patches + self.position))
        return self.head(outputs[:, 0] if self.class_token is not None else outputs.mean(1))


@model
def vision_transformer() -> Built:
    return VisionTransformer(), images()


@model
def vision_transformer_averaged() -> Built:
    """The average of all patches without a last normalisation: outputs vary with the image."""
    return VisionTransformer(class_token=False), images()


class WindowAttention(nn.Module):
    """Attention inside windows, with a learned number for each relative position and a mask for rolled images."""

    def __init__(self, width: int, heads: int, window: int, shift: int, side: int):
        super().__init__()
        self.heads, self.window, self.shift, self.side = heads, window, shift, side
        self.queries_keys_values, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.relative = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        places = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        offsets = places[:, :, None] - places[:, None, :] + window - 1
        self.register_buffer("index", offsets[0] * (2 * window - 1) + offsets[1])
        self.register_buffer("mask", self.make_mask())

    def make_mask(self) -> Tensor | None:
        """Return what forbids pixels to attend to those that the roll brought in from the other side."""
        if not self.shift:
            return None
        region = torch.zeros(self.side, dtype=torch.long)
        region[-self.window : -self.shift], region[-self.shift :] = 1, 2
        regions = self.windows((region[:, None] * 3 + region[None, :]).view(1, self.side, self.side, 1)).squeeze(-1)
        return torch.where(regions[:, None, :] == regions[:, :, None], 0.0, -100.0)

    def windows(self, inputs: Tensor) -> Tensor:
        count, height, width, channels = inputs.shape
        size = self.window
        parts = inputs.view(count, height // size, size, width // size, size, channels)
        return parts.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, size * size, channels)

    def forward(self, inputs: Tensor) -> Tensor:
        count, height, width, channels = inputs.shape
        size = self.window
        if self.shift:
            inputs = torch.roll(inputs, shifts=(-self.shift, -self.shift), dims=(1, 2))
        windows = self.windows(inputs)
        split = self.queries_keys_values(windows).reshape(-1, size * size, 3, self.heads, channels // self.heads)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)
        logits = (queries * (channels // self.heads) ** -0.5) @ keys.transpose(-2, -1)
        relative = self.relative[self.index.view(-1)].view(size * size, size * size, -1).permute(2, 0, 1).contiguous()
        logits = logits + relative.unsqueeze(0)
        if self.mask is not None:
            logits = logits.view(count, -1, self.heads, size * size, size * size) + self.mask[None, :, None]
            logits = logits.view(-1, self.heads, size * size, size * size)
        mixed = (logits.softmax(-1) @ values).transpose(1, 2).reshape(-1, size * size, channels)
        mixed = self.project(mixed).view(count, height // size, width // size, size, size, channels)
        outputs = mixed.permute(0, 1, 3, 2, 4, 5).contiguous().view(count, height, width, channels)
        return torch.roll(outputs, (self.shift, self.shift), (1, 2)) if self.shift else outputs


class PatchMerging(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.normalisation, self.reduce = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        corners = [inputs[:, row::2, column::2, :] for column in (0, 1) for row in (0, 1)]
        return self.reduce(self.normalisation(torch.cat(corners, -1)))


class Permuted(nn.Module):
    def __init__(self, *order: int):
        super().__init__()
        self.order = order

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.permute(self.order)


@model
def swin_transformer() -> Built:
    def block(width: int, side: int, shift: int) -> nn.Sequential:
        attention = WindowAttention(width, 2, 4, shift, side)
        return nn.Sequential(
            Residual(nn.Sequential(nn.LayerNorm(width), attention)),
            Residual(nn.Sequential(nn.LayerNorm(width), perceptron(width, 2 * width))),
        )

    first = [nn.Conv2d(3, 8, 2, 2), Permuted(0, 2, 3, 1), nn.LayerNorm(8), block(8, 8, 0), block(8, 8, 2)]
    last = [PatchMerging(8), block(16, 4, 0), nn.LayerNorm(16), Permuted(0, 3, 1, 2), head(16)]
    return nn.Sequential(*first, *last), images()


@model
def swin_block_without_embedding_norm() -> Built:
    """Two windows' blocks between a patch embedding and an average: outputs vary with the image."""
    blocks = [
        Residual(nn.Sequential(nn.LayerNorm(8), WindowAttention(8, 2, 4, shift, 8), nn.Linear(8, 8)))
        for shift in (0, 2)
    ]
    return nn.Sequential(nn.Conv2d(3, 8, 2, 2), Permuted(0, 2, 3, 1), *blocks, Permuted(0, 3, 1, 2), head(8)), images()


class MixerBlock(nn.Module):
    def __init__(self, places: int, width: int):
        super().__init__()
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.across_places, self.across_channels = perceptron(places, 12), perceptron(width, 16)

    def forward(self, inputs: Tensor) -> Tensor:
        mixed = self.across_places(self.first_norm(inputs).transpose(1, 2)).transpose(1, 2)
        inputs = inputs + mixed
        return inputs + self.across_channels(self.second_norm(inputs))


class Mixer(nn.Module):
    def __init__(self, block, last_norm: nn.Module):
        super().__init__()
        self.embed, self.last_norm = nn.Conv2d(3, 10, 4, 4), last_norm
        self.blocks = nn.Sequential(block(16, 10), block(16, 10))
        self.head = nn.Linear(10, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.last_norm(self.blocks(self.embed(inputs).flatten(2).transpose(1, 2))).mean(dim=1))


@model
def mlp_mixer() -> Built:
    return Mixer(MixerBlock, nn.LayerNorm(10)), images()


class Affine(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.alpha, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.addcmul(self.bias, self.alpha, inputs)


class AffineMixerBlock(nn.Module):
    """As the mixer, without normalisation and with learned scales (ResMLP)."""

    def __init__(self, places: int, width: int):
        super().__init__()
        self.first, self.second, self.across_places = Affine(width), Affine(width), nn.Linear(places, places)
        self.across_channels = perceptron(width, 16)
        self.first_scale, self.second_scale = nn.Parameter(torch.ones(width)), nn.Parameter(torch.ones(width))

    def forward(self, inputs: Tensor) -> Tensor:
        mixed = self.across_places(self.first(inputs).transpose(1, 2)).transpose(1, 2)
        inputs = inputs + self.first_scale * mixed
        return inputs + self.second_scale * self.across_channels(self.second(inputs))


@model
def residual_mlp() -> Built:
    return Mixer(AffineMixerBlock, nn.Identity()), images()


class SpatialGating(nn.Module):
    """Half of the channels are mixed over places and multiply the other half (gMLP)."""

    def __init__(self, places: int, width: int):
        super().__init__()
        self.normalisation, self.mix = nn.LayerNorm(width // 2), nn.Linear(places, places)

    def forward(self, inputs: Tensor) -> Tensor:
        kept, gate = inputs.chunk(2, dim=-1)
        return kept * (self.mix(self.normalisation(gate).transpose(-1, -2)).transpose(-1, -2) + 1)


@model
def gated_mlp() -> Built:
    def block(places: int, width: int) -> Residual:
        layers = [nn.LayerNorm(width), nn.Linear(width, 12), nn.GELU(), SpatialGating(places, 12), nn.Linear(6, width)]
        return Residual(nn.Sequential(*layers))

    return Mixer(block, nn.Identity()), images()


@model
def conv_mixer() -> Built:
    def block(channels: int) -> nn.Sequential:
        depthwise = nn.Sequential(
            nn.Conv2d(channels, channels, 5, groups=channels, padding="same"), nn.GELU(), nn.BatchNorm2d(channels)
        )
        return nn.Sequential(Residual(depthwise), nn.Conv2d(channels, channels, 1), nn.GELU(), nn.BatchNorm2d(channels))

    first = [nn.Conv2d(3, 10, 2, 2), nn.GELU(), nn.BatchNorm2d(10)]
    return nn.Sequential(*first, block(10), block(10), head(10)), images()


class PoolingMixer(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return F.avg_pool2d(inputs, 3, 1, 1, count_include_pad=False) - inputs


@model
def poolformer() -> Built:
    def block(channels: int) -> nn.Sequential:
        layers = [nn.GroupNorm(1, channels), nn.Conv2d(channels, 16, 1), nn.GELU(), nn.Conv2d(16, channels, 1)]
        mixer = Residual(nn.Sequential(nn.GroupNorm(1, channels), PoolingMixer()))
        return nn.Sequential(mixer, Residual(nn.Sequential(*layers)))

    # The average of what a group norm of equal channels gives is zero: the head has the residual stream instead.
    return nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), block(8), nn.Conv2d(8, 12, 3, 2, 1), block(12), head(12)), images()


class RelativeAttention(nn.Module):
    """Attention over all pixels with a learned table of relative positions and 1x1 convolutions."""

    def __init__(self, channels: int, heads: int, side: int):
        super().__init__()
        self.heads = heads
        self.split, self.project = nn.Conv2d(channels, 3 * channels, 1), nn.Conv2d(channels, channels, 1)
        self.table = nn.Parameter(torch.zeros(heads, 2 * side - 1, 2 * side - 1))
        row = torch.arange(side).repeat_interleave(side)
        column = torch.arange(side).repeat(side)
        self.rows, self.columns = row[:, None] - row + side - 1, column[:, None] - column + side - 1

    def forward(self, inputs: Tensor) -> Tensor:
        count, channels, height, width = inputs.shape
        split = self.split(inputs).view(count, 3, self.heads, channels // self.heads, height * width)
        queries, keys, values = split.unbind(1)
        logits = torch.einsum("nhcq,nhck->nhqk", queries, keys) * (channels // self.heads) ** -0.5
        weights = torch.softmax(logits + self.table[:, self.rows, self.columns], -1)
        mixed = torch.einsum("nhqk,nhck->nhcq", weights, values)
        return self.project(mixed.reshape(count, channels, height, width))


@model
def coatnet() -> Built:
    """First inverted bottlenecks with gates, then attention with relative positions."""

    def convolutional(channels: int) -> Residual:
        layers = [nn.BatchNorm2d(channels), normalised(channels, 16, 1, activation=nn.GELU)]
        layers += [normalised(16, 16, 3, groups=16, activation=nn.GELU), SqueezeExcitation(16, 4, nn.SiLU())]
        return Residual(nn.Sequential(*layers, nn.Conv2d(16, channels, 1)))

    def attending(channels: int) -> nn.Sequential:
        layers = [ChannelsLastNorm(channels), nn.Conv2d(channels, 16, 1), nn.GELU(), nn.Conv2d(16, channels, 1)]
        attention = nn.Sequential(ChannelsLastNorm(channels), RelativeAttention(channels, 2, 4))
        return nn.Sequential(Residual(attention), Residual(nn.Sequential(*layers)))

    return nn.Sequential(normalised(3, 8, 3, 2), convolutional(8), nn.MaxPool2d(2), attending(8), head(8)), images()


class NonLocal(nn.Module):
    """Every pixel adds a mean of all, weighted by similarity."""

    def __init__(self, channels: int):
        super().__init__()
        self.query, self.key, self.value = (nn.Conv2d(channels, channels // 2, 1) for _ in range(3))
        self.output = normalised(channels // 2, channels, 1, activation=None)

    def forward(self, inputs: Tensor) -> Tensor:
        count, _, height, width = inputs.shape
        query = self.query(inputs).flatten(2).transpose(1, 2)
        key = F.max_pool2d(self.key(inputs), 2).flatten(2)
        value = F.max_pool2d(self.value(inputs), 2).flatten(2).transpose(1, 2)
        mixed = torch.bmm(torch.softmax(torch.bmm(query, key), dim=-1), value)
        return inputs + self.output(mixed.transpose(1, 2).reshape(count, -1, height, width))


@model
def non_local_network() -> Built:
    return nn.Sequential(normalised(3, 8, 3, 2), NonLocal(8), normalised(8, 8), NonLocal(8), head(8)), images()


class CrossCovariance(nn.Module):
    """Channels attend to channels, by their normalised products over places (XCiT)."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads, self.split = heads, nn.Linear(channels, 3 * channels, bias=False)
        self.project, self.temperature = nn.Linear(channels, channels), nn.Parameter(torch.ones(heads, 1, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        count, places, channels = inputs.shape
        split = self.split(inputs).reshape(count, places, 3, self.heads, channels // self.heads)
        queries, keys, values = split.permute(2, 0, 3, 4, 1).unbind(0)
        products = F.normalize(queries, dim=-1) @ F.normalize(keys, dim=-1).transpose(-2, -1)
        mixed = (products * self.temperature).softmax(dim=-1) @ values
        return self.project(mixed.permute(0, 3, 1, 2).reshape(count, places, channels))


@model
def cross_covariance_transformer() -> Built:
    def block(places: int, width: int) -> Residual:
        return Residual(nn.Sequential(CrossCovariance(width, 2), nn.GELU()))

    return Mixer(block, nn.Identity()), images()


class AxialAttention(nn.Module):
    """Attention along the rows, then along the columns."""

    def __init__(self, channels: int):
        super().__init__()
        self.rows = nn.MultiheadAttention(channels, 2, batch_first=True)
        self.columns = nn.MultiheadAttention(channels, 1, bias=False, batch_first=True)

    def forward(self, inputs: Tensor) -> Tensor:
        for attention in (self.rows, self.columns):
            count, channels, height, width = inputs.shape
            lines = inputs.permute(0, 2, 3, 1).reshape(count * height, width, channels)
            lines = lines + attention(lines, lines, lines)[0]
            # Turned, so that the second round works on the other axis.
            inputs = lines.view(count, height, width, channels).permute(0, 3, 2, 1)
        return inputs


@model
def axial_attention_network() -> Built:
    return nn.Sequential(normalised(3, 8, 3, 2), AxialAttention(8), normalised(8, 8), head(8)), images(side=12)
