"""How well a metric ranks trained networks: the six measures of the paper (Section 2.1)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsinas.errors import InputError, one_line
from epsinas.evaluation.intervals import percentile_interval

SIX = ("spearman_global", "spearman_top10", "kendall_global", "kendall_top10", "top10_top10", "top64_top5")
"""The names of the measures."""

RANGES = dict(zip(SIX, [(-1.0, 1.0)] * 4 + [(0.0, 100.0), (0.0, np.inf)], strict=True))
"""Smallest and largest value of each measure."""


@dataclass(frozen=True)
class Evaluation:
    """The six measures of a metric's ranking, and over how many networks they were taken.

    All six are floats, NaN where undefined: fewer than two networks, a correlation with a constant, or (for
    `top10_top10`) no score above the 90th percentile.
    """

    spearman_global: float
    """Spearman's rho between score and performance."""
    spearman_top10: float
    """Spearman's rho among the 10 % best networks."""
    kendall_global: float
    """Kendall's tau-b between score and performance."""
    kendall_top10: float
    """Kendall's tau-b among the 10 % best networks."""
    top10_top10: float
    """Of the networks with the 10 % highest scores, the percentage (0 to 100) among the 10 % best."""
    top64_top5: float
    """Of the networks with the 64 highest scores, the number among the 5 % best."""
    networks: int
    """Networks tried."""
    archs: int
    """Networks with both a score and a performance: the ones that the six are computed from."""


def evaluate(scores: ArrayLike, performance: ArrayLike, *, higher_is_better: bool = True) -> Evaluation:
    """Compare a metric's scores with the performance that training reached (Section 2.1).

    With s the scores, p the performance and P_q(x) the q-th percentile (linear interpolation), over the
    networks that have both:

    - global: rank correlation of s and p over all networks;
    - top 10 %: the same over the networks with p > P_90(p);
    - top-10 %/top-10 %: of the networks with s > P_90(s), the percentage with p > P_90(p);
    - top-64/top-5 %: the number of networks with s >= the 64th largest s and p > P_95(p).

    For losses (`higher_is_better=False`) the correlations are with the loss itself, so a good metric's are
    negative; the best networks are those with p < P_10(p) or p < P_5(p); the largest scores are still the
    ones taken; and a score of 0 counts as no score, as in the authors' notebooks for NAS-Bench-NLP.

    Ties: thresholds are strict except for the 64th largest score, with which all its equals are taken, so
    `top64_top5` can exceed 64 where scores repeat.

    Args:
        scores: (networks,) float; a value that is not finite means no score.
        performance: (networks,) float, accuracy in percent or loss in nats; not finite means none.
        higher_is_better: True for accuracies, False for losses.

    Returns:
        The six measures, the number of networks tried, and the number with both values.

    Raises:
        InputError: if an argument is not a one-dimensional array of numbers or the lengths differ.

    Example:
        The third network has no score; the metric swaps the last two.

        >>> found = evaluate([0.1, 0.2, float("nan"), 0.4, 0.3], [70.0, 90.0, 60.0, 92.0, 93.0])
        >>> round(found.spearman_global, 3), round(found.kendall_global, 3), found.networks, found.archs
        (0.8, 0.667, 5, 4)
    """
    all_scores = one_per_network("scores", scores)
    all_performance = one_per_network("performance", performance, len(all_scores))
    kept_scores, kept_performance = _with_both(all_scores, all_performance, higher_is_better)
    six = _six(kept_scores, kept_performance, higher_is_better)
    return Evaluation(*six, networks=len(all_scores), archs=len(kept_scores))


def bootstrap(
    scores: ArrayLike,
    performance: ArrayLike,
    resamples: int,
    rng: np.random.Generator,
    *,
    higher_is_better: bool = True,
    confidence: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap confidence intervals of the six measures.

    A resample is as many networks as have both values, drawn with replacement from them; its six measures are
    computed as in `evaluate`. The interval runs from the (1 - confidence)/2 to the (1 + confidence)/2 quantile
    over the resamples (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, Section 13.3). Resamples
    in which a measure is undefined are left out of its interval. A network that is drawn repeatedly ties with
    itself, which lifts `top64_top5` a little above its true distribution.

    Args:
        scores: (networks,) float, as in `evaluate`.
        performance: (networks,) float, as in `evaluate`.
        resamples: how many, at least 1.
        rng: source of randomness; the same state gives the same intervals.
        higher_is_better: True for accuracies, False for losses.
        confidence: probability that the interval is to cover, between 0 and 1.

    Returns:
        For each name in `SIX` the lower and the upper end; both NaN where the measure is undefined in every resample.

    Raises:
        InputError: as `evaluate`, or if `resamples` or `confidence` is out of range.

    Example:
        >>> accuracy = np.arange(100.0)
        >>> bootstrap(accuracy, accuracy, 20, np.random.default_rng(0))["top10_top10"]
        (100.0, 100.0)
    """
    if resamples < 1:
        raise InputError(f"resamples: found {resamples}, expected at least 1")
    all_scores = one_per_network("scores", scores)
    all_performance = one_per_network("performance", performance, len(all_scores))
    kept_scores, kept_performance = _with_both(all_scores, all_performance, higher_is_better)
    if len(kept_scores) < 2:
        return dict.fromkeys(SIX, (np.nan, np.nan))

    from epsinas.evaluation.multiplicities import Multiset  # imports numba

    networks = Multiset(kept_scores, kept_performance, higher_is_better)
    measured = np.empty((resamples, len(SIX)))
    for row in measured:
        drawn = rng.integers(len(kept_scores), size=len(kept_scores))
        row[:] = networks.six(np.bincount(drawn, minlength=len(kept_scores)))
    return {name: percentile_interval(column, confidence) for name, column in zip(SIX, measured.T, strict=True)}


def one_per_network(name: str, values: ArrayLike, networks: int | None = None) -> NDArray[np.float64]:
    """Check that an argument holds one number for each network.

    Args:
        name: the argument's name, for the message.
        values: the argument.
        networks: how many values are expected; None accepts any number.

    Returns:
        (networks,) float64.

    Raises:
        InputError: if the values are not real numbers, not one-dimensional, or not `networks` many.
    """
    if np.iscomplexobj(values):  # a conversion would drop the imaginary parts
        raise InputError(f"{name}: found complex numbers, expected real ones")
    try:
        given = np.asarray(values)
        if given.dtype.kind not in "biufO":  # text would be read, and dates counted
            raise TypeError(f"found {given.dtype.name}")
        array = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name}: expected one number for each network, but {one_line(error)}") from None
    if array.ndim != 1:
        raise InputError(f"{name}: found {array.ndim} dimensions, expected 1 (one number for each network)")
    if networks is not None and len(array) != networks:
        raise InputError(f"{name}: found {len(array)} values, expected one for each of {networks} networks")
    return array


def _with_both(
    scores: NDArray[np.float64], performance: NDArray[np.float64], higher_is_better: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Keep the networks that have a score and a performance."""
    scored = np.isfinite(scores) if higher_is_better else np.isfinite(scores) & (scores != 0)
    both = scored & np.isfinite(performance)
    return scores[both], performance[both]


def _six(
    scores: NDArray[np.float64], performance: NDArray[np.float64], higher_is_better: bool
) -> tuple[float, float, float, float, float, float]:
    """Compute the measures, in the order of `SIX`, of networks that have both values."""
    if len(scores) < 2:
        return (np.nan,) * 6
    best_10 = _best(performance, 10, higher_is_better)
    best_5 = _best(performance, 5, higher_is_better)
    chosen_10 = scores > np.percentile(scores, 90)
    chosen_64 = scores >= np.sort(scores)[-64:][0]
    return (
        _spearman(scores, performance),
        _spearman(scores[best_10], performance[best_10]),
        _kendall(scores, performance),
        _kendall(scores[best_10], performance[best_10]),
        100 * float(best_10[chosen_10].mean()) if chosen_10.any() else np.nan,
        float(best_5[chosen_64].sum()),
    )


def _best(performance: NDArray[np.float64], percent: float, higher_is_better: bool) -> NDArray[np.bool_]:
    """Mark the best `percent` of the networks."""
    if higher_is_better:
        return performance > np.percentile(performance, 100 - percent)
    return performance < np.percentile(performance, percent)


def _spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    from scipy import stats  # takes most of a second, which few who import this need

    return np.nan if _uncorrelatable(x, y) else float(stats.spearmanr(x, y).statistic)


def _kendall(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    from scipy import stats

    return np.nan if _uncorrelatable(x, y) else float(stats.kendalltau(x, y).statistic)


def _uncorrelatable(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Whether a rank correlation is undefined; SciPy would warn and return NaN."""
    return len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0
