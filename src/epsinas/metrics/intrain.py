"""How many directions activations have, and how even gradients are (InTrain)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from epsinas.engines.watching import watched_pass
from epsinas.metrics.activations import channel_covariance, of_connected
from epsinas.metrics.base import RANDOM_WEIGHTS, Metric

if TYPE_CHECKING:
    import torch

    from epsinas.metrics.subject import Subject

IMAGES, SIDE = 64, 64
"""Images and their sides in pixels, as published."""

SMALLEST = 1e-10
"""Added to the largest gradient."""


def participation_ratio(maps: torch.Tensor) -> float:
    """Return (tr C)^2 / tr C^2, C the covariance of the channels of maps (N, C, H, W) over images and places.

    It is 1 where all the variance has one direction, and for want of any direction where nothing varies; C at most.

    Example:
        Variances 1 and 1, covariance 0.

        >>> import torch
        >>> participation_ratio(torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]))
        2.0
    """
    covariance = channel_covariance(maps)
    squares = float(covariance.square().sum())
    return float(covariance.trace()) ** 2 / squares if squares > 0 else 1.0


def evenness(gradient: torch.Tensor) -> float:
    """Return min(1, deviation / (largest magnitude + 1e-10)) of a parameter's gradient.

    Example:
        >>> import torch
        >>> round(evenness(torch.tensor([1.0, -1.0, 2.0, -2.0])), 6)  # sqrt(10 / 4) / 2
        0.790569
    """
    return min(1.0, float(gradient.std(correction=0) / (gradient.abs().max() + SMALLEST)))


def intrain_score(ratios: Iterable[float], evennesses: Iterable[float]) -> float:
    """Return capacity (1 + resilience) / log(L + 1).

    Capacity is the sum over the L activations of log `participation_ratio`, resilience the sum of `evenness`.

    Example:
        >>> round(intrain_score([math.e, math.e**2], [0.5]), 6)  # 3 * 1.5 / log 3
        4.096077
    """
    logarithms = [math.log(ratio) for ratio in ratios]
    return sum(logarithms) * (1 + sum(evennesses)) / math.log(len(logarithms) + 1)


def _score(subject: Subject) -> float:
    """Score on images from N(0, 1) with random labels, by the cross entropy.

    The definition leaves open what a layer is: here activations are the outputs of ReLUs, each time that one is
    applied. Parameters without a gradient, which lead nowhere, add nothing.
    """
    import torch
    from torch.nn import functional

    network, ratios = subject.copy(), []

    def watch(operation: str, arguments: tuple[Any, ...], output: Any) -> None:
        if operation == "relu":
            ratios.append(participation_ratio(output.detach()))

    generator = subject.generator("images and labels")
    images = torch.randn(IMAGES, subject.tensor.shape[1], SIDE, SIDE, generator=generator).to(subject.tensor)
    logits = watched_pass(network, images, watch)
    labels = torch.randint(logits.shape[1], (IMAGES,), generator=generator).to(logits.device)
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(functional.cross_entropy(logits, labels), parameters, allow_unused=True)
    return intrain_score(ratios, [evenness(gradient) for gradient in gradients if gradient is not None])


METRIC = Metric(
    name="intrain",
    title="InTrain",
    reference="Zhou et al. (2026), CVPR",
    score=of_connected(_score),
    needs=(RANDOM_WEIGHTS,),
    families=("images",),
    cost="seconds",
)
