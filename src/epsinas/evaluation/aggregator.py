"""A learned aggregator of what is measured of each layer: a small MLP mixer that maximises a smooth Kendall's tau.

Source: Dong et al. (2025), "ParZC: Parametric Zero-Cost Proxies for Efficient NAS" (arXiv 2402.02105), whose mixer also
has Bayesian layers; these are left out.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

WIDTH, BLOCKS, STEPS, RATE, DECAY = 16, 2, 150, 3e-3, 1e-2
"""Features of a layer inside, blocks of the mixer, steps of AdamW on all labelled networks, its rate and its decay."""


def smooth_tau(scores: Tensor, reached: Tensor, sharpness: float = 1.0) -> Tensor:
    """Return the mean over pairs of networks of tanh(a (s_i - s_j)) tanh(a (y_i - y_j)), a the sharpness (DiffKendall).

    The larger the sharpness, the nearer it is to Kendall's tau, in which signs stand in the place of tanh.

    Args:
        scores: s, (networks,).
        reached: y, (networks,).
        sharpness: a.

    Example:
        >>> smooth_tau(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([5.0, 7.0, 6.0]), 100.0).item()
        0.3333333432674408
    """
    first, second = torch.triu_indices(len(scores), len(scores), 1)
    pairs = (one[first] - one[second] for one in (scores, reached))
    signs = [torch.tanh(sharpness * pair) for pair in pairs]
    return (signs[0] * signs[1]).mean()


class _Block(nn.Module):
    """Mix the layers of each feature, then the features of each layer."""

    def __init__(self, layers: int):
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.layers = nn.Sequential(nn.Linear(layers, layers), nn.GELU(), nn.Linear(layers, layers))
        self.features = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.layers(self.first(x).transpose(1, 2)).transpose(1, 2)
        return x + self.features(self.second(x))


class _Mixer(nn.Module):
    def __init__(self, layers: int, statistics: int):
        super().__init__()
        self.enter = nn.Linear(statistics, WIDTH)
        self.blocks = nn.Sequential(*(_Block(layers) for _ in range(BLOCKS)))
        self.leave = nn.Linear(WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.leave(self.blocks(self.enter(x)).mean(dim=1)).squeeze(1)


def learned_aggregate(
    known: NDArray[np.float64], reached: NDArray[np.float64], asked: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Learn to rank networks by statistics of their layers, and rank others.

    Args:
        known: (labelled, layers, statistics), standardised.
        reached: (labelled,), higher is better.
        asked: (asked, layers, statistics), likewise.
        seed: of the mixer's weights; the same one gives the same scores.

    Returns:
        A score of each of the others, (asked,).
    """
    threads = torch.get_num_threads()
    # The order of additions, and so the result, depends on the number of threads.
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            mixer = _Mixer(*known.shape[1:])
        x, y, others = (torch.from_numpy(np.asarray(one)).float() for one in (known, reached, asked))
        y = (y - y.mean()) / y.std().clamp(min=1e-6)
        optimiser = torch.optim.AdamW(mixer.parameters(), RATE, weight_decay=DECAY)
        for _ in range(STEPS):
            optimiser.zero_grad()
            (-smooth_tau(mixer(x), y)).backward()
            optimiser.step()
        with torch.no_grad():
            return mixer(others).double().numpy()
    finally:
        torch.set_num_threads(threads)
