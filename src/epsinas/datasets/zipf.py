"""A made-up text whose words follow Zipf's law, for recurrent networks where no real text is at hand."""

import numpy as np

from epsinas.datasets.base import Dataset
from epsinas.sources.base import Conversion, Source


def zipf_text(words: int = 10_000, lines: int = 12_000, length: int = 20) -> str:
    """Return a made-up text: `length` words a line, word k with probability ~ 1/k.

    That is Zipf's law; the generator's seed is 0.
    """
    rank = np.arange(1, words + 1)
    drawn = np.random.default_rng(0).choice(rank, (lines, length), p=(1 / rank) / (1 / rank).sum())
    return "".join(" ".join(f"w{word}" for word in line) + "\n" for line in drawn)


DATASET = Dataset(
    name="zipf",
    title="Zipf",
    family="sequences",
    sources=(
        Source(
            "zipf/train.txt",
            (
                Conversion(
                    (), lambda paths, target, progress: target.write_text(zipf_text()), made="words by Zipf's law"
                ),
            ),
            "none needed: made up",
        ),
    ),
)
