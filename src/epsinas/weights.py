"""Choosing the two constant weights for a new problem, without labels."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from epsinas.engines.sequences.batches import TokenBatch
from epsinas.errors import InputError
from epsinas.scoring import score_architectures
from epsinas.spaces.base import Space

EXPONENTS = tuple(range(-7, 1))
"""Powers of ten that are tried."""

LIMIT = 0.1
"""A window is taken if less than this share of the networks has no score."""


def windows(exponents: Sequence[int] = EXPONENTS) -> list[tuple[float, float]]:
    """List the pairs of weights in the order in which they are tried: the widest first, then from the low end.

    For the exponents -2, -1, 0: (0.01, 1), (0.01, 0.1), (0.1, 1).
    """
    powers = [float(f"1e{exponent}") for exponent in exponents]
    return [
        (powers[start], powers[start + width])
        for width in range(len(powers) - 1, 0, -1)
        for start in range(len(powers) - width)
    ]


def choose_weights(
    space: Space,
    batch: np.ndarray | TokenBatch,
    rng: np.random.Generator,
    networks: int = 100,
    precision: str = "single",
    exponents: Sequence[int] = EXPONENTS,
    limit: float = LIMIT,
) -> pd.DataFrame:
    """Choose the widest pair of weights under which nearly all networks have a score.

    This is the rule of the authors' released notebooks: exponents -7 to 0, the widest window first, then narrower
    ones from the low end; the first for which fewer than 10 % of 100 random networks have no score. It needs
    neither labels nor trained networks. Outputs are computed once for each weight.

    Args:
        space: the search space.
        batch: as for `score_architectures`.
        rng: draws the networks.
        networks: how many.
        precision: of scoring; with `extended` nearly every window passes and the widest is taken.
        exponents: powers of ten to try, ascending.
        limit: largest share of networks without a score, exclusive.

    Returns:
        All windows in the order of trial: `weight_low`, `weight_high`, `networks`, `archs` (with a score) and
        `chosen`, which is true for one window, or for none where no window passes.

    Raises:
        InputError: bad batch, number of networks, or limit.
    """
    if not 0 < limit <= 1:
        raise InputError(f"limit: found {limit}, expected a share above 0 and at most 1")
    if networks < 1:
        raise InputError(f"networks: found {networks}, expected 1 or more")
    pairs = windows(exponents)
    scores = score_architectures(space, space.sample(networks, rng), batch, pairs, precision=precision)
    archs = np.isfinite(scores).sum(axis=0)
    passes = networks - archs < limit * networks
    low, high = np.array(pairs).T
    table = pd.DataFrame({"weight_low": low, "weight_high": high, "networks": networks, "archs": archs})
    return table.assign(chosen=passes & (np.cumsum(passes) == 1))


def chosen_pair(table: pd.DataFrame, name: str = "weights: auto") -> tuple[float, float]:
    """Return the chosen window of what `choose_weights` returns.

    Raises:
        InputError: no window passed; the message says which came closest.
    """
    chosen = table[table["chosen"]]
    if chosen.empty:
        best = table.iloc[table["archs"].argmax()]
        raise InputError(
            f"{name}: no window passes; the best, {best['weight_low']:g} {best['weight_high']:g}, "
            f"scores {best['archs']:.0f} of {best['networks']:.0f} networks"
        )
    return float(chosen["weight_low"].iloc[0]), float(chosen["weight_high"].iloc[0])
