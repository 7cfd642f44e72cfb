"""Kendall's tau-b with an interval by the jackknife, for samples in which classes of networks belong together."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsinas.compilation import compiled
from epsinas.errors import InputError
from epsinas.evaluation.partial_sums import add_to_tree, count_below
from epsinas.evaluation.ranking import one_per_network


def kendall_jackknife(
    scores: ArrayLike, performance: ArrayLike, classes: ArrayLike, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Return Kendall's tau-b and its interval, leaving out one class of networks at a time.

    With s_ij the product of the signs of both differences of networks i and j, tau-b is S / sqrt(U V): S the sum of
    s_ij over pairs, U and V the numbers of pairs that are not tied in the scores and in the performance. What a network
    adds to each of the three follows from the order of both columns in O(n log n), so that tau without a class needs no
    second pass. The standard error is sqrt((G - 1)/G sum_g (tau_(-g) - mean tau_(-.))^2) over G classes (Efron and
    Tibshirani, *An Introduction to the Bootstrap*, 1993, Equation 11.5, with groups as units), and the interval tau
    plus or minus so many of them as the normal distribution says, within -1 and 1.

    Args:
        scores: (networks,) float, finite.
        performance: (networks,) float, finite.
        classes: (networks,) any labels; networks with the same one are left out together.
        confidence: probability that the interval is to cover, between 0 and 1.

    Returns:
        tau-b and the lower and upper end of its interval; NaN where a column is constant, and the ends also where it is
        so without one of the classes.

    Raises:
        InputError: an argument has another form, or a value is not finite.

    Example:
        >>> tau, low, high = kendall_jackknife([1, 2, 3, 4, 5], [1, 3, 2, 5, 4], range(5))
        >>> round(tau, 3), round(low, 3), round(high, 3)
        (0.6, 0.077, 1.0)
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence: found {confidence}, expected a number between 0 and 1")
    x = _dense_ranks("scores", scores)
    y = _dense_ranks("performance", performance)
    _, labels = np.unique(np.asarray(classes), return_inverse=True)
    if not len(x) == len(y) == len(labels):
        raise InputError(f"kendall: found {len(x)} scores, {len(y)} performances and {len(labels)} classes")
    if len(x) < 2:
        return np.nan, np.nan, np.nan
    own = _pair_sums(x, y, np.argsort(x, kind="stable"))
    total = own.sum(axis=1) / 2
    groups = int(labels.max()) + 1
    # Pairs of which a class has one network or both; the latter are counted twice among its networks' own.
    members = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[members], np.arange(groups + 1))
    touched = np.stack([np.bincount(labels, weights=sums) for sums in own]) - _within(x, y, members, starts)
    left = total[:, None] - touched
    with np.errstate(invalid="ignore", divide="ignore"):
        tau = total[0] / np.sqrt(total[1] * total[2])
        without = left[0] / np.sqrt(left[1] * left[2])
    from scipy import stats

    error = np.sqrt((groups - 1) / groups * np.square(without - without.mean()).sum())
    half = stats.norm.ppf((1 + confidence) / 2) * error
    return float(tau), float(max(tau - half, -1.0)), float(min(tau + half, 1.0))


def _dense_ranks(name: str, values: ArrayLike) -> NDArray[np.int64]:
    """Number the different values from 0 up."""
    array = one_per_network(name, values)
    if not np.isfinite(array).all():
        raise InputError(f"{name}: found a value that is not finite, expected one for each network")
    return np.unique(array, return_inverse=True)[1].astype(np.int64)


@compiled(nogil=True)
def _pair_sums(x, y, order):  # type: ignore[no-untyped-def]
    """Return (3, networks): for each network the sum of signs, and the networks that differ from it in x and in y."""
    networks = len(x)
    own = np.zeros((3, networks))
    values = y.max() + 1
    for direction in (1, -1):
        # A tree of partial sums: how many of the networks so far, which have a smaller (larger) x, have which y.
        tree = np.zeros(values + 1, np.int64)
        added = 0
        place = 0
        while place < networks:
            end = place
            while end < networks and x[_at(order, end, direction)] == x[_at(order, place, direction)]:
                network = _at(order, end, direction)
                below = count_below(tree, y[network])
                upto = count_below(tree, y[network] + 1)
                own[0, network] += direction * (below - (added - upto))
                own[1, network] += added
                end += 1
            for position in range(place, end):
                add_to_tree(tree, y[_at(order, position, direction)], 1)
            added += end - place
            place = end
    sizes = np.bincount(y)
    own[2] = networks - sizes[y]
    return own


@compiled(nogil=True)
def _at(order, place, direction):  # type: ignore[no-untyped-def]
    return order[place] if direction > 0 else order[len(order) - 1 - place]


@compiled(nogil=True)
def _within(x, y, members, starts):  # type: ignore[no-untyped-def]
    """Return (3, classes): the sum of signs, and the pairs not tied in x and in y, among the networks of each class."""
    found = np.zeros((3, len(starts) - 1))
    for group in range(len(starts) - 1):
        for one in range(starts[group], starts[group + 1]):
            for other in range(starts[group], one):
                dx = x[members[one]] - x[members[other]]
                dy = y[members[one]] - y[members[other]]
                found[0, group] += np.sign(dx) * np.sign(dy)
                found[1, group] += dx != 0
                found[2, group] += dy != 0
    return found
