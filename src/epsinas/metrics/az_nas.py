"""What AZ-NAS measures of a network: expressivity, progressivity, trainability.

Its fourth part, complexity, is the metric `flops`. Its aggregate adds logarithms of ranks among the networks that are
compared, and so is no score of one network.

Source: Lee and Ham (2024), "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search".
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from epsinas.engines.watching import watched_pass
from epsinas.metrics.activations import by_channel, channel_covariance

if TYPE_CHECKING:
    import torch

    from epsinas.metrics.subject import Subject


class AzNas(NamedTuple):
    """The three parts; see `az_nas`."""

    expressivity: float
    progressivity: float
    trainability: float


def az_nas(subject: Subject) -> AzNas:
    """Return the parts of a network with Kaiming's normal weights, which take one pass and are computed once.

    With F_0, F_1, ... the maps that the stem, the cells and what lies between stages give, and H the entropy of
    `spectral_entropy`: expressivity is sum_k H(F_k), progressivity min_k H(F_(k+1)) - H(F_k), trainability the mean
    over k of `transmission` from F_k to F_(k+1).
    """
    return subject.once(_parts)


def _parts(subject: Subject) -> AzNas:
    import torch

    from epsinas.engines.initialisation import kaiming_normal

    generator = subject.generator()
    features = cell_features(subject.module(kaiming_normal(generator)), subject.tensor)
    entropies = [spectral_entropy(feature.detach()) for feature in features]
    steps = list(pairwise(features))
    # From the last one, so that what a step back needs is freed behind it.
    found = []
    for before, behind in reversed(steps):
        # In the maps' own layout in memory, or batch normalisation takes five times as long.
        signs = torch.empty_like(behind, device="cpu").bernoulli_(generator=generator).mul_(2).sub_(1).to(behind)
        (gradient,) = torch.autograd.grad(behind, before, signs)
        found.append(transmission(gradient, signs) if behind is not before else -math.inf)
    return AzNas(sum(entropies), min(after - one for one, after in pairwise(entropies)), sum(found) / len(found))


def cell_features(network: Any, inputs: torch.Tensor) -> list[torch.Tensor]:
    """Return what enters the first cell, what leaves each cell, and what enters the next where that is something else.

    Returns:
        Maps (N, C, H, W) in order; a cell that is the identity gives the same tensor again. Such a cell's transmission
        is minus infinity, as in the released code.
    """
    features: list[torch.Tensor] = []

    def watch(operation: str, arguments: tuple[Any, ...], output: Any) -> None:
        if operation == "cell":
            entering = arguments[2]
            if not features or entering is not features[-1]:
                features.append(entering)
            features.append(output)

    watched_pass(network, inputs, watch)
    return features


def spectral_entropy(maps: torch.Tensor) -> float:
    """Return -sum p log(p + 1e-8), p the eigenvalues of the channels' covariance over their sum.

    Example:
        Variances 1 and 1, covariance 0: log 2.

        >>> import torch
        >>> round(spectral_entropy(torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])), 6)
        0.693147
    """
    import torch

    values = torch.linalg.eigvalsh(channel_covariance(maps)).clamp(min=0)
    shares = values / values.sum()
    return -float((shares * (shares + 1e-8).log()).sum())


def transmission(gradient: torch.Tensor, signs: torch.Tensor) -> float:
    """Return 2 - s - 1 / (s + 1e-6), s the largest singular value of the mean product of gradients: 0 for s = 1.

    Args:
        gradient: of the maps before, (N, C, H, W); where they have more places than those behind, as many neighbours
            are taken for channels of one place.
        signs: the gradient of the maps behind, 1 or -1 at random.

    Example:
        Gradients of twice the size, s = 2.

        >>> import torch
        >>> signs = torch.tensor([[[[1.0, -1.0], [-1.0, 1.0]]]])
        >>> round(transmission(2 * signs, signs), 4)
        -0.5
    """
    import torch
    from torch.nn import functional

    shrunk = gradient.shape[2] // signs.shape[2]
    before = by_channel(functional.pixel_unshuffle(gradient, shrunk) if shrunk > 1 else gradient)
    largest = float(torch.linalg.matrix_norm(before.T @ by_channel(signs) / len(before), ord=2))
    return 2 - largest - 1 / (largest + 1e-6)
