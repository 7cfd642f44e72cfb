"""Streams of random numbers: one for every purpose, so that no two things that are drawn have the same numbers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def stream(seed: int, purpose: str, *keys: int | str) -> np.random.Generator:
    """Return a generator at the beginning of a stream.

    Streams of different seeds, purposes or keys are independent. (NumPy takes a seed and the list of that seed and 0
    for the same.)

    Args:
        seed: of the study, 0 or more.
        purpose: what is drawn, such as `batch`.
        keys: which one, such as the number of a draw.

    Example:
        >>> stream(0, "batch", 1).random() == stream(0, "batch", 1).random()
        True
        >>> stream(0, "batch", 1).random() == stream(0, "batch", 2).random()
        False
    """
    return np.random.default_rng(_entropy(seed, purpose, keys))


def torch_stream(seed: int, purpose: str, *keys: int | str) -> torch.Generator:
    """Return torch's generator at the beginning of a stream; see `stream`."""
    import torch

    # Torch takes seeds below 2**63.
    state = np.random.SeedSequence(_entropy(seed, purpose, keys)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) >> 1)


def _entropy(seed: int, purpose: str, keys: tuple[int | str, ...]) -> list[int]:
    """Return the seed and a digest of the rest, always of the same length."""
    digest = hashlib.blake2b(repr((purpose, *keys)).encode(), digest_size=16).digest()
    return [seed, *np.frombuffer(digest, "<u4").tolist()]
