"""What a predictor that learns from a few trained networks ranks the others by: learning curves.

A predictor sees features of networks, and for some of them the performance. Networks that train alike are never on both
sides: whole classes are labelled, each by one network, since nobody would train the same network twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from epsinas.errors import InputError
from epsinas.evaluation.intervals import percentile_interval

FEWEST_ASKED = 10
"""Classes of networks that have to be left to rank."""

TREES = 100
"""Of the forest."""

FARTHEST = 10.0
"""Standardised features are cut off there: what hardly varies among few networks may be anywhere for others."""

Predictor = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], int], NDArray[np.float64]]
"""Given features (labels, ...) and performances (labels,) of labelled networks, features of others (asked, ...) and a
seed, predicts values (asked,) that rank these."""


class LabelSplit(NamedTuple):
    """Which networks are labelled, and which are ranked: positions, and the number of the repeat."""

    labelled: NDArray[np.int64]
    asked: NDArray[np.int64]
    repeat: int


def label_splits(classes: ArrayLike, sizes: Sequence[int], repeats: int, rng: np.random.Generator) -> list[LabelSplit]:
    """Draw which networks have labels, again and again.

    A repeat puts the classes into a random order, and takes one network at random of each of the first so many; all
    networks of the remaining classes are to be ranked. Within a repeat, a smaller set is the beginning of a larger one.

    Args:
        classes: (networks,) any labels; networks with the same one train alike.
        sizes: numbers of labelled networks; those that leave fewer than `FEWEST_ASKED` classes are left out.
        repeats: how many random orders.
        rng: source of randomness.

    Raises:
        InputError: a size is below 2, there are no repeats, or no size leaves enough classes.

    Example:
        >>> splits = label_splits([0, 0, *range(1, 20)], [2, 5, 500], 3, np.random.default_rng(0))
        >>> [(len(split.labelled), split.repeat) for split in splits]
        [(2, 0), (5, 0), (2, 1), (5, 1), (2, 2), (5, 2)]
    """
    if repeats < 1:
        raise InputError(f"repeats: found {repeats}, expected 1 or more")
    if not sizes or min(sizes) < 2:
        found = ", ".join(map(str, sizes)) or "none"
        raise InputError(f"sizes: found {found}, expected numbers of networks, 2 or more")
    _, members = np.unique(np.asarray(classes), return_inverse=True)
    count = int(members.max(initial=-1)) + 1
    possible = [size for size in sizes if size <= count - FEWEST_ASKED]
    if not possible:
        raise InputError(
            f"sizes: found {min(sizes)} or more of {count} networks that train differently, expected at most "
            f"{count - FEWEST_ASKED}, so that {FEWEST_ASKED} remain"
        )
    splits = []
    for repeat in range(repeats):
        # The first network of each class in a random order of all, and these in another random order.
        shuffled = rng.permutation(len(members))
        firsts = shuffled[np.unique(members[shuffled], return_index=True)[1]]
        order = rng.permutation(count)
        for size in possible:
            chosen = order[:size]
            splits.append(LabelSplit(firsts[chosen], np.flatnonzero(~np.isin(members, chosen)), repeat))
    return splits


def learning_curve(
    features: ArrayLike, performance: ArrayLike, splits: Sequence[LabelSplit], predictor: Predictor, seed: int = 0
) -> pd.DataFrame:
    """Return how well a predictor ranks networks, by the number of those that it has learned from.

    Args:
        features: (networks, ...) float, finite.
        performance: (networks,) float, finite, higher is better.
        splits: as `label_splits` draws them.
        predictor: one of `by_score`, `by_ridge`, `by_forest`, `by_aggregator`, or one's own.
        seed: of what the predictor draws; with the number of the repeat added.

    Returns:
        For each number of `labels`, `repeats`, `archs`, the networks that are ranked in the mean, and Spearman's rho
        with their performance: `spearman`, the mean over repeats, and `spearman_low` and `spearman_high`, between which
        95 % of the repeats are. A prediction that is the same for all networks has rho 0.

    Raises:
        InputError: features and performances are not as many, or not finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(100, 3))
        >>> curve = learning_curve(x, x[:, 1], label_splits(range(100), [10, 50], 5, rng), by_ridge)
        >>> curve["labels"].tolist(), bool((curve["spearman"] > 0.9).all())
        ([10, 50], True)
    """
    x, y = np.asarray(features, np.float64), np.asarray(performance, np.float64)
    if y.ndim != 1 or len(x) != len(y):
        raise InputError(f"features: found shape {x.shape}, expected a row for each of {y.shape} performances")
    for name, values in (("features", x), ("performance", y)):
        if not np.isfinite(values).all():
            raise InputError(f"{name}: found a value that is not finite, expected one for each network")
    reached: dict[int, list[tuple[float, int]]] = {}
    for labelled, asked, repeat in splits:
        predicted = predictor(x[labelled], y[labelled], x[asked], seed + repeat)
        reached.setdefault(len(labelled), []).append((_spearman(predicted, y[asked]), len(asked)))
    rows = []
    for labels, found in reached.items():
        rhos, counts = zip(*found, strict=True)
        low, high = percentile_interval(rhos)
        row = {"labels": labels, "repeats": len(found), "archs": round(float(np.mean(counts)))}
        rows.append(row | {"spearman": float(np.mean(rhos)), "spearman_low": low, "spearman_high": high})
    return pd.DataFrame(rows)


def by_score(
    known: NDArray[np.float64], reached: NDArray[np.float64], asked: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Rank by the one feature, without looking at any label.

    Raises:
        InputError: there are several.
    """
    if asked.shape[1:] != (1,):
        raise InputError(f"features: found shape {asked.shape}, expected (networks, 1), a score")
    return asked[:, 0]


def by_ridge(
    known: NDArray[np.float64], reached: NDArray[np.float64], asked: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Predict ranks by ridge regression on standardised features; leaving one out chooses the penalty.

    scikit-learn's `RidgeCV` with penalties from 0.01 to 100,000. It learns the ranks of the performances, of which a
    few very low ones so do not outweigh all others.
    """
    from sklearn.linear_model import RidgeCV

    first, second = standardised(known, asked)
    return RidgeCV(np.logspace(-2, 5, 15)).fit(_rows(first), _ranks(reached)).predict(_rows(second))


def by_forest(
    known: NDArray[np.float64], reached: NDArray[np.float64], asked: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Predict ranks by a random forest: scikit-learn's, of TREES trees that try a third of the features at a split."""
    from sklearn.ensemble import RandomForestRegressor

    trees = RandomForestRegressor(TREES, max_features=1 / 3, random_state=seed)
    return trees.fit(_rows(known), _ranks(reached)).predict(_rows(asked))


def by_aggregator(
    known: NDArray[np.float64], reached: NDArray[np.float64], asked: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Predict by a learned aggregator of (layers, statistics), in the manner of ParZC; see `aggregator`."""
    from epsinas.evaluation.aggregator import learned_aggregate

    first, second = standardised(known, asked)
    return learned_aggregate(first, _ranks(reached), second, seed)


def standardised(
    known: NDArray[np.float64], asked: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return features less their mean over their deviation, those of the labelled networks, cut off at FARTHEST.

    What does not vary among the labelled networks becomes 0.
    """
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    # What equal numbers differ by in their mean is rounding.
    varies = deviation > 1e-12 * np.abs(known).max(axis=0, initial=0)
    scale = np.where(varies, deviation, 1)
    first, second = (np.where(varies, (one - mean) / scale, 0).clip(-FARTHEST, FARTHEST) for one in (known, asked))
    return first, second


def _rows(features: NDArray[np.float64]) -> NDArray[np.float64]:
    return features.reshape(len(features), -1)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    return rankdata(values) / len(values)


def _spearman(predicted: NDArray[np.float64], reached: NDArray[np.float64]) -> float:
    if np.ptp(predicted) == 0 or np.ptp(reached) == 0:
        return 0.0
    return float(np.corrcoef(_ranks(predicted), _ranks(reached))[0, 1])
