"""How good the top of a ranking is: what a search gets that trains only what a metric puts first.

A metric may give many networks the same score. Measures are then the mean over all orders of equals, exactly, so that
none depends on how a benchmark happens to number its networks.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsinas.errors import InputError
from epsinas.evaluation.ranking import one_per_network


def top_measures(scores: ArrayLike, performance: ArrayLike) -> dict[str, float]:
    """Return all measures of this module, those at k for k = 10 and 100 (regret: 1 and 10).

    Args:
        scores: (networks,) float, finite.
        performance: (networks,) float, finite, higher is better.

    Returns:
        `precision_10`, `precision_100`, `best_rank_10`, `best_rank_100`, `ndcg_100`, `weighted_kendall`, `regret_1` and
        `regret_10`; NaN where there are fewer networks than k.

    Raises:
        InputError: an argument has another form.

    Example:
        >>> top_measures(range(50), range(50))["best_rank_10"]
        1.0
    """
    measures = [(precision_at, 10), (precision_at, 100), (best_rank_at, 10), (best_rank_at, 100), (ndcg_at, 100)]
    found = {
        f"{measure.__name__.removesuffix('_at')}_{k}": _of_enough(measure, scores, performance, k)
        for measure, k in [*measures, (regret, 1), (regret, 10)]
    }
    return found | {"weighted_kendall": weighted_kendall(scores, performance)}


def _of_enough(measure: Callable[..., float], scores: ArrayLike, performance: ArrayLike, k: int) -> float:
    return measure(scores, performance, k) if len(np.asarray(scores)) >= k else np.nan


class _Top(NamedTuple):
    """The networks with the k highest scores: those above the k-th, and those tied with it for the other places."""

    sure: NDArray[np.bool_]
    tied: NDArray[np.bool_]
    places: int


def precision_at(scores: ArrayLike, performance: ArrayLike, k: int) -> float:
    """Return the share of the k networks with the highest scores that are among the k best.

    Performances equal to the k-th best count as among the best.

    Args:
        scores: (networks,) float, finite.
        performance: (networks,) float, finite, higher is better.
        k: 1 to the number of networks.

    Returns:
        A number from 0 to 1.

    Raises:
        InputError: an argument has another form, or `k` is out of range.

    Example:
        >>> precision_at([5, 4, 3, 2, 1], [90, 92, 93, 91, 89], k=2)
        0.5
    """
    given, reached = _both(scores, performance, k)
    top = _top(given, k)
    best = reached >= np.sort(reached)[-k]
    return float(best[top.sure].sum() + top.places * best[top.tied].mean()) / k


def best_rank_at(scores: ArrayLike, performance: ArrayLike, k: int) -> float:
    """Return the rank, 1 for the best of all networks, of the best of the k networks with the highest scores.

    Of m tied networks that share q places, the best chosen is the j-th best with probability
    C(m - j, q - 1) / C(m, q); equal performances have the best rank of theirs.

    Args:
        scores: (networks,) float, finite.
        performance: (networks,) float, finite, higher is better.
        k: 1 to the number of networks.

    Returns:
        The rank, or its mean over the orders of equal scores.

    Raises:
        InputError: an argument has another form, or `k` is out of range.

    Example:
        >>> best_rank_at([5, 4, 3, 2, 1], [90, 92, 93, 91, 89], k=2)
        2.0
    """
    given, reached = _both(scores, performance, k)
    top = _top(given, k)
    ranks = 1 + (len(reached) - np.searchsorted(np.sort(reached), reached, side="right"))
    sure = ranks[top.sure].min() if top.sure.any() else np.inf
    tied = np.minimum(np.sort(ranks[top.tied]), sure)
    return float(tied @ _first_chosen(len(tied), top.places))


def _first_chosen(members: int, places: int) -> NDArray[np.float64]:
    """Return for each of `members` in order the probability to be the first of so many that are chosen at random."""
    probability = np.empty(members)
    left = 1.0  # the probability that none before was chosen
    for member in range(members):
        remaining = members - member
        probability[member] = left * min(places / remaining, 1.0)
        left -= probability[member]
    return probability


def ndcg_at(scores: ArrayLike, performance: ArrayLike, k: int) -> float:
    """Return the normalised discounted cumulative gain of the k networks with the highest scores.

    The gain of a network is the share of the networks that it is better than (half of those that it equals), so that
    neither the scale nor an outlier of the performance counts; the discount of place i is 1 / log2(1 + i); the sum is
    divided by that of the best order (Järvelin and Kekäläinen, *ACM Transactions on Information Systems* 20, 2002).

    Args:
        scores: (networks,) float, finite.
        performance: (networks,) float, finite, higher is better.
        k: 1 to the number of networks.

    Returns:
        A number from 0 to 1. Over a large space a random order gives about 0.5.

    Raises:
        InputError: an argument has another form, or `k` is out of range.

    Example:
        >>> round(ndcg_at([5, 4, 3, 2, 1], [90, 92, 93, 91, 89], k=3), 3)
        0.71
    """
    given, reached = _both(scores, performance, k)
    from scipy import stats

    gains = (stats.rankdata(reached) - 1) / max(len(reached) - 1, 1)
    discounts = 1 / np.log2(2 + np.arange(k))
    # Equal scores have the mean of their gains, since every order of them is as good.
    _, groups = np.unique(-given, return_inverse=True)
    means = np.bincount(groups, weights=gains) / np.bincount(groups)
    gained = means[np.sort(groups)[:k]] @ discounts
    return float(gained / (np.sort(gains)[::-1][:k] @ discounts)) if gains.any() else np.nan


def weighted_kendall(scores: ArrayLike, performance: ArrayLike) -> float:
    """Return the weighted tau, in which a pair counts more the higher both of its networks rank.

    A pair of the networks of ranks r and s (from 0) has the weight 1 / (1 + r) + 1 / (1 + s); the mean of the two
    values for ranks by score and by performance (Vigna, *Proceedings of WWW*, 2015; `scipy.stats.weightedtau`).

    Args:
        scores: (networks,) float, finite.
        performance: (networks,) float, finite, higher is better.

    Returns:
        A number from -1 to 1; NaN where a column is constant.

    Raises:
        InputError: an argument has another form.

    Example:
        A swap at the bottom costs less than one at the top.

        >>> [round(weighted_kendall([4, 3, 2, 1], other), 2) for other in ([4, 3, 1, 2], [3, 4, 2, 1])]
        [0.81, 0.52]
    """
    given, reached = _both(scores, performance, 1)
    if np.ptp(given) == 0 or np.ptp(reached) == 0:
        return np.nan
    from scipy import stats

    return float(stats.weightedtau(given, reached).statistic)


def regret(scores: ArrayLike, performance: ArrayLike, k: int = 1) -> float:
    """Return what is lost by training only the k networks with the highest scores and taking the best of these.

    The best performance of all networks less the best among the k, in the unit of the performance.

    Args:
        scores: (networks,) float, finite.
        performance: (networks,) float, finite, higher is better.
        k: 1 to the number of networks.

    Returns:
        A number from 0, the mean over the orders of equal scores.

    Raises:
        InputError: an argument has another form, or `k` is out of range.

    Example:
        >>> regret([5, 4, 3, 2, 1], [90, 92, 93, 91, 89]), regret([5, 4, 3, 2, 1], [90, 92, 93, 91, 89], k=3)
        (3.0, 0.0)
    """
    given, reached = _both(scores, performance, k)
    top = _top(given, k)
    sure = reached[top.sure].max() if top.sure.any() else -np.inf
    tied = np.maximum(np.sort(reached[top.tied])[::-1], sure)
    return float(reached.max() - tied @ _first_chosen(len(tied), top.places))


def _both(scores: ArrayLike, performance: ArrayLike, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    given = one_per_network("scores", scores)
    reached = one_per_network("performance", performance, len(given))
    for name, values in {"scores": given, "performance": reached}.items():
        if not np.isfinite(values).all():
            raise InputError(f"{name}: found a value that is not finite, expected one for each network")
    if not 1 <= k <= len(given):
        raise InputError(f"k: found {k}, expected 1 to {len(given)}, the number of networks")
    return given, reached


def _top(scores: NDArray[np.float64], k: int) -> _Top:
    last = np.sort(scores)[-k]
    sure = scores > last
    return _Top(sure, scores == last, k - int(sure.sum()))
