"""How far a network's last maps move when its images do (Zen-score)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from epsinas.engines.watching import watched_pass
from epsinas.metrics.activations import by_channel, of_connected
from epsinas.metrics.base import RANDOM_WEIGHTS, Metric

if TYPE_CHECKING:
    import torch

    from epsinas.metrics.subject import Subject

STEP = 0.01
"""How far images move, in units of their own deviation."""


def zen_score(network: Any, images: torch.Tensor, noise: torch.Tensor) -> float:
    """Return log mean_i sum |F(x) - F(x + STEP e)| + sum over batch normalisations of log sqrt(mean variance).

    F are the maps before they are averaged over the image, summed over channels and places; variances are those of the
    channels over x, as in the paper's Algorithm 1 (the released code takes running averages of the variance). A
    normalisation whose input does not vary, behind an edge without a beginning, passes nothing on and is left out.

    Args:
        network: a `FullWidthNetwork`.
        images: x, (N, C, H, W).
        noise: e, likewise.
    """
    import torch

    maps: list[torch.Tensor] = []
    variances: list[torch.Tensor] = []

    def watch(operation: str, arguments: tuple[Any, ...], output: Any) -> None:
        if operation == "global_avg_pool":
            maps.append(arguments[0])
        if operation == "batch_norm" and not maps:
            channels = by_channel(arguments[0])
            variances.append((channels - channels.mean(dim=0)).square().mean())

    with torch.no_grad():
        watched_pass(network, images, watch)
        watched_pass(network, images + STEP * noise, watch)
        distance = float((maps[0] - maps[1]).abs().sum(dim=(1, 2, 3)).mean())
        scales = [float(variance) for variance in variances]
    if distance == 0:
        return -math.inf
    return math.log(distance) + sum(math.log(scale) / 2 for scale in scales if scale > 0)


def _score(subject: Subject) -> float:
    """Score with weights, images and noise from N(0, 1), one draw of each."""
    import torch

    from epsinas.engines.initialisation import standard_normal

    generator = subject.generator()
    network = subject.module(standard_normal(generator))
    images, noise = (torch.randn(subject.tensor.shape, generator=generator).to(subject.tensor) for _ in range(2))
    return zen_score(network, images, noise)


METRIC = Metric(
    name="zen",
    title="Zen-score",
    reference="Lin et al. (2021), arXiv 2102.01063, Algorithm 1",
    score=of_connected(_score),
    needs=(RANDOM_WEIGHTS,),
    families=("images",),
)
