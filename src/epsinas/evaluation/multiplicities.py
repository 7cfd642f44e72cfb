"""The six measures of a resample, from how often each network occurs in it: nothing is sorted again.

Networks are numbered by their scores and by their performances once. What a resample holds at each value, and below it,
is then a sum, so that ranks, thresholds and pairs follow without the resample being written out. All of it is in whole
numbers, so that the order of the networks does not matter.
"""

import math

import numpy as np
from numpy.typing import NDArray

from epsinas.compilation import compiled
from epsinas.evaluation.partial_sums import add_to_tree, count_below


class Multiset:
    """Networks of which some occur several times and some never.

    Args:
        scores: (networks,) float64, finite.
        performance: (networks,) float64, finite.
        higher_is_better: True for accuracies, False for losses.
    """

    def __init__(self, scores: NDArray[np.float64], performance: NDArray[np.float64], higher_is_better: bool):
        self._scores, self._performance = _numbered(scores), _numbered(performance)
        self._order = np.argsort(self._scores, kind="stable").astype(np.uint32)
        self._higher_is_better = higher_is_better

    def six(self, counts: NDArray[np.int64]) -> tuple[float, float, float, float, float, float]:
        """Return the measures, in the order of `epsinas.evaluation.ranking.SIX`, as `evaluate` defines them.

        Args:
            counts: (networks,) how often each network occurs.

        Example:
            The last network twice: as if it were written twice.

            >>> networks = Multiset(np.array([1.0, 2.0, 4.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0]), True)
            >>> rho, *_ = networks.six(np.array([1, 1, 1, 2]))
            >>> from scipy import stats
            >>> bool(np.isclose(rho, stats.spearmanr([1, 2, 4, 3, 3], [1, 2, 3, 4, 4]).statistic))
            True
        """
        total = int(counts.sum())
        if total < 2:
            return (math.nan,) * 6
        scored = np.cumsum(_tallied(self._scores, counts))
        reached = np.cumsum(_tallied(self._performance, counts))
        best_10, best_5 = self._best(reached, 10), self._best(reached, 5)
        chosen_10 = self._scores > _at(scored, 90)[0]
        # The 64th largest, or the smallest of fewer.
        chosen_64 = self._scores >= np.searchsorted(scored, max(total - 64, 0), side="right")
        taken = int(counts[chosen_10].sum())
        rho, tau = _correlations(self._order, self._scores, self._performance, counts)
        best_rho, best_tau = _correlations(self._order, self._scores, self._performance, counts * best_10)
        return (
            rho,
            best_rho,
            tau,
            best_tau,
            100 * (int(counts[chosen_10 & best_10].sum()) / taken) if taken else math.nan,
            float(counts[chosen_64 & best_5].sum()),
        )

    def _best(self, cumulative: NDArray[np.int64], percent: float) -> NDArray[np.bool_]:
        """Mark the best `percent` of the networks; a percentile lies between two of the values, or is one of them."""
        if self._higher_is_better:
            return self._performance > _at(cumulative, 100 - percent)[0]
        value, between = _at(cumulative, percent)
        return self._performance <= value if between else self._performance < value


def _numbered(values: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Number the different values from 0 up."""
    return np.unique(values, return_inverse=True)[1].astype(np.uint32)


def _at(cumulative: NDArray[np.int64], percent: float) -> tuple[int, bool]:
    """Return the largest value that is not above a percentile (linear interpolation), and whether it is below.

    Args:
        cumulative: how many networks have each value or a lower one.
        percent: of the networks.
    """
    place = (int(cumulative[-1]) - 1) * (percent / 100)
    low = math.floor(place)
    value, following = np.searchsorted(cumulative, [low, math.ceil(place)], side="right")
    return int(value), bool(following > value)


@compiled(nogil=True)
def _tallied(numbers, counts):  # type: ignore[no-untyped-def]
    """Return how often each value occurs, int64."""
    found = np.zeros(numbers.max() + 1, np.int64)
    for network in range(len(numbers)):
        found[np.uintp(numbers[network])] += counts[network]
    return found


@compiled(nogil=True)
def _correlations(order, x, y, counts):  # type: ignore[no-untyped-def]
    """Return Spearman's rho and Kendall's tau-b; NaN where a column is constant.

    Ranks are twice as large and less their mean, which keeps them whole. Pairs are counted with a tree of partial sums:
    how many of the networks so far, which have a lower x, have which y.
    """
    at_x, at_y = _tallied(x, counts), _tallied(y, counts)
    ranks_x, size_x, tied_x = _ranked(at_x)
    ranks_y, size_y, tied_y = _ranked(at_y)
    if size_x == 0 or size_y == 0:
        return np.nan, np.nan
    product = signs = added = 0
    tree = np.zeros(len(at_y) + 1, np.int64)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and x[order[end]] == x[order[start]]:
            end += 1
        for direction in (0, 1):  # networks of one x are no pairs: all are compared before the first is added
            for place in range(start, end):
                network = np.uintp(order[place])
                count = counts[network]
                if count == 0:
                    continue
                value = np.int64(y[network])
                if direction == 0:
                    product += count * ranks_x[x[network]] * ranks_y[value]
                    below = count_below(tree, value)
                    upto = count_below(tree, value + 1)
                    signs += count * (below + upto - added)
                else:
                    add_to_tree(tree, value, count)
        for place in range(start, end):
            added += counts[order[place]]
        start = end
    pairs = added * (added - 1) // 2
    rho = product / np.sqrt(np.float64(size_x) * np.float64(size_y))
    tau = signs / np.sqrt(np.float64(pairs - tied_x)) / np.sqrt(np.float64(pairs - tied_y))
    return rho, min(1.0, max(-1.0, tau))


@compiled(nogil=True)
def _ranked(at):  # type: ignore[no-untyped-def]
    """Return the rank of each value, the sum of all networks' squared ranks, and the pairs that are tied."""
    ranks = np.empty(len(at), np.int64)
    total = at.sum()
    below = squares = tied = 0
    for value in range(len(at)):
        ranks[value] = 2 * below + at[value] - total
        squares += at[value] * ranks[value] ** 2
        tied += at[value] * (at[value] - 1) // 2
        below += at[value]
    return ranks, squares, tied
