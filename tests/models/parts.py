"""What the models of the zoo share: the collection, batches, and blocks that several families use."""

import copy
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

Batch = Tensor | tuple[Tensor, ...] | dict[str, Tensor]
Built = tuple[nn.Module, Batch]

MODELS: dict[str, Callable[[], Built]] = {}
"""Models by name; `tests.models.zoo` fills it."""


def model(build: Callable[[], Built]) -> Callable[[], Built]:
    """Add a function that builds a model and a batch for it to the collection, under its own name and in float64."""

    @wraps(build)
    def in_double() -> Built:
        module, batch = build()
        return module.double(), batch

    assert build.__name__ not in MODELS, f"two models of the name {build.__name__}"
    MODELS[build.__name__] = in_double
    return in_double


def fill(module: nn.Module, weight: float) -> nn.Module:
    """Set every floating parameter to the weight and every bias to zero, in place."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.is_floating_point():
                parameter.fill_(0.0 if "bias" in name.rsplit(".", 1)[-1] else weight)
    return module


def call(module: nn.Module, batch: Batch) -> Any:
    """Run a module on a tensor, on positional tensors, or on tensors by keyword."""
    if isinstance(batch, dict):
        return module(**batch)
    return module(*batch) if isinstance(batch, tuple) else module(batch)


def logits(outputs: Any) -> Tensor:
    """Return the tensor that counts of what a module returned: itself, the first of several, or `logits` by name."""
    if isinstance(outputs, dict):
        return outputs["logits"]
    return outputs[0] if isinstance(outputs, tuple) else outputs


def rounding(module: nn.Module, batch: Batch, seed: int = 0) -> float:
    """Return how far outputs move, relative to the largest, when every parameter moves by about its last digit.

    No two ways of computing a network agree better than that. It is nan where all outputs are zero or some are not
    finite.
    """
    generator = torch.Generator().manual_seed(seed)
    moved = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in moved.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.mul_(1 + torch.finfo(parameter.dtype).eps * noise)
        outputs, others = logits(call(module, batch)), logits(call(moved, batch))
    return float((outputs - others).abs().max() / outputs.abs().max())


# Batches.


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Return normally distributed numbers in float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def images(count: int = 4, channels: int = 3, side: int = 16, seed: int = 0) -> Tensor:
    return normal(count, channels, side, side, seed=seed)


def tokens(count: int = 4, length: int = 9, vocabulary: int = 20, seed: int = 0) -> Tensor:
    """Return sequences of integers below the size of the vocabulary."""
    return torch.randint(vocabulary, (count, length), generator=torch.Generator().manual_seed(seed))


# Blocks.


def same(kernel: int | tuple[int, int], dilation: int = 1) -> int | tuple[int, int]:
    """Return the padding with which an odd kernel keeps the size."""
    if isinstance(kernel, tuple):
        return kernel[0] // 2 * dilation, kernel[1] // 2 * dilation
    return kernel // 2 * dilation


def convolution(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int] = 3,
    stride: int = 1,
    groups: int = 1,
    dilation: int = 1,
    bias: bool = False,
) -> nn.Conv2d:
    """Return a convolution that keeps the size of images but for the stride."""
    return nn.Conv2d(inputs, outputs, kernel, stride, same(kernel, dilation), dilation, groups, bias)


def normalised(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int] = 3,
    stride: int = 1,
    groups: int = 1,
    dilation: int = 1,
    activation: Callable[[], nn.Module] | None = nn.ReLU,
    normalisation: Callable[[int], nn.Module] = nn.BatchNorm2d,
) -> nn.Sequential:
    """Return a convolution, a normalisation and, unless it is None, an activation."""
    layers = [convolution(inputs, outputs, kernel, stride, groups, dilation), normalisation(outputs)]
    return nn.Sequential(*layers, *([activation()] if activation else []))


def head(channels: int, classes: int = 5) -> nn.Sequential:
    """Return global average pooling and a linear classifier."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


class Residual(nn.Module):
    """The sum of a block and a shortcut, and what follows the sum."""

    def __init__(self, block: nn.Module, shortcut: nn.Module | None = None, after: nn.Module | None = None):
        super().__init__()
        self.block, self.shortcut = block, shortcut or nn.Identity()
        self.after = after or nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.after(self.block(inputs) + self.shortcut(inputs))


class SqueezeExcitation(nn.Module):
    """Channels times a gate that is computed from their averages."""

    def __init__(self, channels: int, reduction: int = 4, activation: nn.Module | None = None, gate=torch.sigmoid):
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // reduction, 1)
        self.activation = activation or nn.ReLU()
        self.expand = nn.Conv2d(channels // reduction, channels, 1)
        self.gate = gate

    def forward(self, inputs: Tensor) -> Tensor:
        squeezed = inputs.mean(dim=(2, 3), keepdim=True)
        return inputs * self.gate(self.expand(self.activation(self.reduce(squeezed))))


class Concatenated(nn.Module):
    """The outputs of several branches on the same inputs, side by side along the channels."""

    def __init__(self, *branches: nn.Module):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.cat([branch(inputs) for branch in self.branches], dim=1)


class ChannelsLastNorm(nn.Module):
    """Layer normalisation over the channels of images."""

    def __init__(self, channels: int):
        super().__init__()
        self.normalisation = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.normalisation(inputs.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def shuffled(inputs: Tensor, groups: int) -> Tensor:
    """Return the channels of all groups in turn."""
    count, channels, height, width = inputs.shape
    grouped = inputs.view(count, groups, channels // groups, height, width)
    return grouped.transpose(1, 2).reshape(count, channels, height, width)
