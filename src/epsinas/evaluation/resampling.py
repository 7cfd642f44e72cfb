"""Bootstrap of rank correlations: columns are ranked once, and every resample is weights on them.

Networks that train alike are not independent: their scores are the same, and their accuracies nearly so. So whole
classes of them are drawn. A resample is the number of times that each class occurs in it, and the ranks of what it
holds follow from the order of the whole sample without sorting again.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsinas.compilation import compiled
from epsinas.errors import InputError

_BLOCK = 32
"""Resamples of one task: large enough that threads do not wait for each other, small in memory."""

_NETWORKS = 64
"""How many networks there are, in the mean, at each value of a column of few values, at least."""

_Work = Callable[[NDArray[np.int32]], NDArray[np.float64]]


def resampled_correlations(
    columns: ArrayLike,
    classes: ArrayLike,
    resamples: int,
    rng: np.random.Generator,
    *,
    last: int | None = None,
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
        last: correlate with so many of the last columns only, which takes less time; with all where it is None.
        threads: of the processor.

    Returns:
        (1 + resamples, last, columns) float64: the last rows of the sample's own matrix, then those of the resamples.
        NaN where a column is constant, in the resample or altogether.

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
    rows = len(values) if last is None else last
    if not 0 < rows <= len(values):
        raise InputError(f"last: found {rows}, expected 1 to {len(values)}, the number of columns")
    if not len(labels):
        return np.full((1 + resamples, rows, len(values)), np.nan)
    numbers: NDArray[np.int32] = labels.astype(np.int32)
    work = _with_last_column(values, numbers) if rows == 1 else _with_last_columns(values, numbers, rows)
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(work, _counts(int(numbers.max()) + 1, resamples, rng))))


def _with_last_column(values: NDArray[np.float64], labels: NDArray[np.int32]) -> _Work:
    """Return what correlates every column with the last one, (resamples, 1, columns), in some resamples."""
    order, ends = _sorted(values)
    return lambda drawn: _with_last(order, ends, labels, drawn)[:, None]


def _with_last_columns(values: NDArray[np.float64], labels: NDArray[np.int32], rows: int) -> _Work:
    """Return what correlates every column with the last ones, (resamples, rows, columns), in some resamples.

    Columns of few values, such as the sizes of networks, divide the networks into cells of equal values. They are
    ranked cell by cell, and with another column they correlate as the sums of its ranks over the cells do.
    """
    first, networks = len(values) - rows, len(labels)
    order, ends = _sorted(values)
    few = [row for row in range(first, len(values)) if ends[row].sum() <= networks // _NETWORKS]
    many = [row for row in range(len(values)) if row not in few]
    cells, cell = np.zeros((0, 1)), np.zeros(networks, np.intp)
    if few:
        cells, cell = np.unique(values[few], axis=1, return_inverse=True)
    by_cell = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[by_cell], np.arange(cells.shape[1] + 1)).astype(np.uintp)
    # Networks and columns in the order in which they are gone through.
    order, ends, labels = np.argsort(by_cell).astype(np.uint32)[order[many]], ends[many], labels[by_cell]
    cell_order, cell_ends = _sorted(cells)
    place = np.argsort(many + few)

    def work(drawn: NDArray[np.int32]) -> NDArray[np.float64]:
        found = _correlations(order, ends, labels, drawn, first, cell_order, cell_ends, starts)
        return found[:, place[first:] - first][:, :, place]

    return work


def _sorted(values: NDArray[np.float64]) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Return the order of each row, and which of its places in that order end a group of equal values."""
    values = np.ascontiguousarray(values)  # for arrays of another layout Numba compiles once more
    order = np.argsort(values, axis=1, kind="stable")
    sorted_values = np.take_along_axis(values, order, axis=1)
    ends = np.ones(values.shape, np.bool_)
    ends[:, :-1] = sorted_values[:, 1:] != sorted_values[:, :-1]
    return order.astype(np.uint32), ends  # unsigned, since an index that might be negative takes a comparison


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
def _with_last(order, ends, labels, counts):  # type: ignore[no-untyped-def]
    """Return (resamples, columns): rho of every column with the last one.

    What is at one value has one rank, so that only the sum over it is needed of the other column's ranks.
    """
    columns, networks = order.shape
    found = np.empty((len(counts), columns))
    # Side by side, for each network: its weight, and with that its rank in the last column.
    pairs = np.empty(2 * networks)
    ranks = np.empty(networks)
    for resample in range(len(counts)):
        total = 0.0
        for network in range(networks):
            pairs[2 * network] = counts[resample, labels[network]]
            total += pairs[2 * network]
        own = _rank(order[-1], ends[-1], pairs[::2], total, ranks)
        for network in range(networks):
            pairs[2 * network + 1] = ranks[network] * pairs[2 * network]
        for column in range(columns):
            product, size = _with_weighted(order[column], ends[column], pairs, total)
            found[resample, column] = product / np.sqrt(size * own)
    return found


@compiled(nogil=True, error_model="numpy")
def _with_weighted(order, ends, pairs, total):  # type: ignore[no-untyped-def]
    """Return the products of a column's ranks with those in `pairs`, and with themselves."""
    below = -total / 2
    product = size = tied = sums = 0.0
    for place in range(order.size):
        at = np.uintp(2) * np.uintp(order[place])
        tied += pairs[at]
        sums += pairs[at + np.uintp(1)]
        if ends[place]:
            rank = below + tied / 2
            product += rank * sums
            size += rank * rank * tied
            below += tied
            tied = sums = 0.0
    return product, size


@compiled(nogil=True, error_model="numpy")
def _rank(order, ends, weights, total, ranks):  # type: ignore[no-untyped-def]
    """Write the ranks of a column less their mean; return the weighted sum of their squares."""
    below = -total / 2
    size = 0.0
    start = 0
    for place in range(order.size):
        if not ends[place]:
            continue
        tied = 0.0
        for member in range(start, place + 1):
            tied += weights[np.uintp(order[member])]
        rank = below + tied / 2
        for member in range(start, place + 1):
            ranks[np.uintp(order[member])] = rank
        size += rank * rank * tied
        below += tied
        start = place + 1
    return size


@compiled(nogil=True, error_model="numpy")
def _correlations(order, ends, labels, counts, first, cell_order, cell_ends, starts):  # type: ignore[no-untyped-def]
    """Return (resamples, columns from `first` on, columns): columns of many values, then those of few.

    Cell c are the networks from `starts[c]` to `starts[c + 1]`.
    """
    many, networks = order.shape
    few, cells = cell_order.shape
    columns = many + few
    found = np.empty((len(counts), columns - first, columns))
    weights = np.empty(networks)
    roots = np.empty(networks)
    ranks = np.empty((many, networks))
    cell_weights = np.empty(cells)
    cell_ranks = np.empty((few, cells))
    sums = np.empty(cells)
    sizes = np.empty(columns)
    products = np.empty((columns - first, columns))
    for resample in range(len(counts)):
        total = 0.0
        for network in range(networks):
            weights[network] = counts[resample, labels[network]]
            # On either side of a product of two ranks.
            roots[network] = np.sqrt(weights[network])
            total += weights[network]
        for column in range(many):
            sizes[column] = _rank(order[column], ends[column], weights, total, ranks[column])
            ranks[column] *= roots
        products[: many - first, :many] = _products(ranks, first)
        _add_up(roots, roots, starts, cell_weights)
        for column in range(few):
            own = cell_ranks[column]
            sizes[many + column] = _rank(cell_order[column], cell_ends[column], cell_weights, total, own)
        for column in range(columns):
            if column < many:
                _add_up(ranks[column], roots, starts, sums)
            else:
                sums[:] = cell_ranks[column - many] * cell_weights
            for one in range(few):
                product = (cell_ranks[one] * sums).sum()
                products[many - first + one, column] = product
                if column >= first:
                    products[column - first, many + one] = product
        for one in range(first, columns):
            found[resample, one - first] = products[one - first] / np.sqrt(sizes[one] * sizes)
    return found


@compiled(nogil=True, fastmath=True)
def _add_up(values, roots, starts, sums):  # type: ignore[no-untyped-def]
    """Write the sum over each cell of the products of two rows."""
    for cell in range(len(sums)):
        total = 0.0
        for network in range(starts[cell], starts[cell + 1]):
            total += values[network] * roots[network]
        sums[cell] = total


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
