"""Bootstrap of rank correlations: columns are ranked once, and every resample is weights on them.

Networks that train alike are not independent: their scores are the same, and their accuracies nearly so. So whole
classes of them are drawn. A resample is the number of times that each class occurs in it, and the ranks of what it
holds follow from the order of the whole sample without sorting again.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsinas.compilation import compiled
from epsinas.errors import InputError

_BLOCK = 32
"""Resamples of one task: large enough that threads do not wait for each other, small in memory."""


def resampled_correlations(
    columns: ArrayLike,
    classes: ArrayLike,
    resamples: int,
    rng: np.random.Generator,
    *,
    last_only: bool = False,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Return Spearman's rho of every pair of columns, of a sample and of its resamples by whole classes.

    A resample draws as many classes as there are, with replacement; a network counts as often as its class was drawn
    (the cluster bootstrap: Davison and Hinkley, *Bootstrap Methods and their Application*, 1997, Section 3.8). With
    counts w_i, a network's rank is the sum of the counts below its value, plus half of one more than the counts at its
    value, as average ranks are of a sample in which it stands w_i times; rho is Pearson's correlation of these ranks
    with weights w_i.

    Args:
        columns: (columns, networks) float, such as the scores of several metrics and the accuracy; no NaN.
        classes: (networks,) any labels; networks with the same one are drawn together.
        resamples: how many, 0 or more.
        rng: source of randomness; the same state gives the same resamples, whatever the columns and threads.
        last_only: correlate with the last column only, which takes less time.
        threads: of the processor.

    Returns:
        (1 + resamples, columns, columns) float64: the sample's own matrix, then those of the resamples; with
        `last_only`, of each the last row, (1 + resamples, columns). NaN where a column is constant, in the resample or
        altogether.

    Raises:
        InputError: an argument has another form, or a value is not finite.

    Example:
        >>> found = resampled_correlations([[1, 2, 3], [10, 30, 20]], [0, 1, 2], 100, np.random.default_rng(0))
        >>> found.shape, round(float(found[0, 0, 1]), 3)
        ((101, 2, 2), 0.5)
    """
    values = np.atleast_2d(np.asarray(columns, dtype=np.float64))
    _, labels = np.unique(np.asarray(classes), return_inverse=True)
    if values.ndim != 2 or values.shape[1] != len(labels):
        raise InputError(f"columns: found shape {values.shape}, expected (columns, {len(labels)}) as classes")
    if not np.isfinite(values).all():
        raise InputError("columns: found a value that is not finite, expected one for each network")
    if resamples < 0:
        raise InputError(f"resamples: found {resamples}, expected 0 or more")
    if not len(labels):
        return np.full((1 + resamples, *(len(values),) * (1 if last_only else 2)), np.nan)
    order = np.argsort(values, axis=1, kind="stable").astype(np.int32)
    sorted_values = np.take_along_axis(values, order.astype(np.intp), axis=1)
    # The end of every group of equal values.
    last = np.ones(values.shape, np.bool_)
    last[:, :-1] = sorted_values[:, 1:] != sorted_values[:, :-1]
    labels = labels.astype(np.int32)
    total = int(labels.max()) + 1

    def work(drawn: NDArray[np.int32]) -> NDArray[np.float64]:
        return _correlations(order, last, labels, drawn, len(values) - 1 if last_only else 0)

    with ThreadPoolExecutor(threads) as pool:
        found = np.concatenate(list(pool.map(work, _counts(total, resamples, rng))))
    return found[:, 0] if last_only else found


def _counts(classes: int, resamples: int, rng: np.random.Generator) -> Iterable[NDArray[np.int32]]:
    """Yield how often each class occurs: once in the sample, then in blocks of resamples, (block, classes)."""
    yield np.ones((1, classes), np.int32)
    for start in range(0, resamples, _BLOCK):
        drawn = rng.integers(classes, size=(min(_BLOCK, resamples - start), classes), dtype=np.int32)
        yield _tallied(drawn)


@compiled(nogil=True)
def _tallied(drawn):  # type: ignore[no-untyped-def]
    """Count how often each class occurs in each row, (resamples, classes)."""
    counts = np.zeros_like(drawn)
    for resample in range(len(drawn)):
        for label in drawn[resample]:
            counts[resample, label] += 1
    return counts


@compiled(nogil=True, error_model="numpy")
def _correlations(order, last, labels, counts, first):  # type: ignore[no-untyped-def]
    """Return (resamples, columns from `first` on, columns)."""
    columns, networks = order.shape
    found = np.empty((len(counts), columns - first, columns))
    weights = np.empty(networks)
    roots = np.empty(networks)
    ranks = np.empty((columns, networks))
    for resample in range(len(counts)):
        total = 0.0
        for network in range(networks):
            weights[network] = counts[resample, labels[network]]
            # On either side of a product of two ranks.
            roots[network] = np.sqrt(weights[network])
            total += weights[network]
        middle = (total + 1) / 2
        for column in range(columns):
            below = 0.0
            start = 0
            for place in range(networks):
                if not last[column, place]:
                    continue
                tied = 0.0
                for member in range(start, place + 1):
                    tied += weights[order[column, member]]
                rank = below + (tied + 1) / 2 - middle
                for member in range(start, place + 1):
                    network = order[column, member]
                    ranks[column, network] = rank * roots[network]
                below += tied
                start = place + 1
        products = _products(ranks, first)
        for other in range(columns):
            size = (ranks[other] ** 2).sum()
            for one in range(first, columns):
                found[resample, one - first, other] = products[one - first, other] / np.sqrt(size)
        for one in range(first, columns):
            found[resample, one - first] /= np.sqrt(products[one - first, one])
    return found


@compiled(nogil=True, fastmath=True)
def _products(ranks, first):  # type: ignore[no-untyped-def]
    """Return the products of rows from `first` on with all rows: `ranks[first:] @ ranks.T`.

    BLAS would start threads for each of thousands of small products, which wait for each other on a busy machine.
    """
    columns, networks = ranks.shape
    found = np.zeros((columns - first, columns))
    for start in range(0, networks, 256):
        part = ranks[:, start : start + 256]
        # Four sums at a time, since a single one waits for itself.
        for other in range(0, columns - 3, 4):
            a, b, c, d = part[other], part[other + 1], part[other + 2], part[other + 3]
            for one in range(max(first, other), columns):
                row = part[one]
                of_a = of_b = of_c = of_d = 0.0
                for place in range(len(row)):
                    of_a += row[place] * a[place]
                    of_b += row[place] * b[place]
                    of_c += row[place] * c[place]
                    of_d += row[place] * d[place]
                found[one - first, other] += of_a
                found[one - first, other + 1] += of_b
                found[one - first, other + 2] += of_c
                found[one - first, other + 3] += of_d
        for other in range(columns // 4 * 4, columns):
            for one in range(max(first, other), columns):
                found[one - first, other] += (part[one] * part[other]).sum()
    for one in range(first, columns):
        for other in range(one + 1, columns):
            found[one - first, other] = found[other - first, one]
    return found
