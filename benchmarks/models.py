"""Measure the score of torch models, lumped against full width, on one thread.

Prints a Markdown table: a ResNet-50 on 16 images of 224x224, and a ResNet-20 on 8 images of 32x32. Both engines copy
the model, set its weights and run it twice. Seconds differ from machine to machine; the ratio is what to compare.
"""

import time
import warnings
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from epsinas import score


class Residual(nn.Module):
    """Convolutions with batch normalisation beside a shortcut; the first of 3x3 has the stride."""

    def __init__(self, widths: list[int], kernels: list[int], stride: int):
        super().__init__()
        layers: list[nn.Module] = []
        strided = kernels.index(3)
        for place, (width, after, kernel) in enumerate(zip(widths[:-1], widths[1:], kernels, strict=True)):
            step = stride if place == strided else 1
            layers += [nn.Conv2d(width, after, kernel, step, kernel // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or widths[0] != widths[-1]:
            shortcut = nn.Conv2d(widths[0], widths[-1], 1, stride, bias=False)
            self.shortcut = nn.Sequential(shortcut, nn.BatchNorm2d(widths[-1]))

    def forward(self, x: Tensor) -> Tensor:
        """Add the two branches."""
        return torch.relu(self.layers(x) + self.shortcut(x))


def resnet(stem: list[nn.Module], blocks: list[Residual], width: int, classes: int) -> nn.Module:
    """Put a stem, residual blocks and a classifier together."""
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


def resnet_50() -> nn.Module:
    """Return the network of He et al. (2015) for ImageNet."""
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    blocks, width = [], 64
    for inner, count in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for place in range(count):
            stride = 2 if place == 0 and inner > 64 else 1
            blocks.append(Residual([width, inner, inner, 4 * inner], [1, 3, 1], stride))
            width = 4 * inner
    return resnet(stem, blocks, width, 1000)


def resnet_20() -> nn.Module:
    """Return the network of He et al. (2015) for CIFAR-10."""
    stem = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    blocks, width = [], 16
    for inner in (16, 32, 64):
        for place in range(3):
            blocks.append(Residual([width, inner, inner], [3, 3], 2 if place == 0 and inner > 16 else 1))
            width = inner
    return resnet(stem, blocks, width, 10)


def milliseconds(function: Callable[[], object], times: int) -> float:
    """Return the shortest of several runs, after one that is not counted."""
    function()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        found.append(1e3 * (time.perf_counter() - start))
    return min(found)


def main() -> None:
    """Run all measurements."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # that rounding makes more than 1 % of a score
    print("| model | batch | dtype | full width, ms | lumped, ms | ratio |\n|---|---|---|---:|---:|---:|")
    for name, make, shape, times in (
        ("ResNet-50", resnet_50, (16, 3, 224, 224), 2),
        ("ResNet-20", resnet_20, (8, 3, 32, 32), 10),
    ):
        for dtype in (torch.float32, torch.float64):
            model = make().to(dtype)
            batch = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
            full = milliseconds(partial(score, model, batch, engine="full-width"), times)
            lumped = milliseconds(partial(score, model, batch), 5 * times)
            size = "x".join(map(str, shape))
            kind = str(dtype).removeprefix("torch.")
            print(f"| {name} | {size} | {kind} | {full:.0f} | {lumped:.1f} | {full / lumped:.1f} |", flush=True)


if __name__ == "__main__":
    main()
