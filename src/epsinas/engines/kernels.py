"""Compiled loops over the maps of the lumped engine.

A map is an array (blocks, height, width * lanes): the batch is cut into blocks of `lanes` images, and the pixels
of a block's images are interleaved, so that every loop below runs over long contiguous rows whatever the size of
the image, and a window's shift by one column is a shift by `lanes` entries.

A *view* of a map is what a layer makes of it without storing it: rectified or not, then summed, averaged or the
largest taken over windows. It is five integers: rectify (0 or 1), mode (SUM, MEAN or MAX), kernel (1, 2 or 3),
stride, padding. Padding is zero in a sum, not counted in a mean, and never the largest.
"""

import numpy as np
from numba import njit

SUM, MEAN, MAX = 0, 1, 2

# Fused multiply-adds and -0.0 == 0.0 are all the freedom that the compiler gets: no reordering of sums.
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}


# Where rows are rectified, entries below `floor`, 0, become 0; otherwise `floor` is minus infinity. Comparisons in that
# direction let NaN through, as torch's relu does. The loops index plain slices from 0: an offset that might be negative
# would keep them from being vectorised. They read and write as few rows as they can, for that is what takes the time.


@njit(**_OPTIONS)
def _add_row(out, base, source, floor, coefficient):
    """Write `base` plus `coefficient` times a row."""
    for i in range(out.size):
        value = source[i]
        value = floor if value < floor else value
        out[i] = base[i] + coefficient * value


@njit(**_OPTIONS)
def _sum_rows(out, first, second, third, floor):
    """Write the sum of three rows."""
    for i in range(out.size):
        a, b, c = first[i], second[i], third[i]
        a = floor if a < floor else a
        b = floor if b < floor else b
        c = floor if c < floor else c
        out[i] = a + b + c


@njit(**_OPTIONS)
def _add_columns(out, base, left, middle, right, coefficient):
    """Write `base` plus `coefficient` times the sum of three columns."""
    for i in range(out.size):
        out[i] = base[i] + coefficient * (left[i] + middle[i] + right[i])


@njit(**_OPTIONS)
def _add_span(out, base, column, start, stop, lanes, coefficient):
    """Do so with neighbouring columns, for the entries start..stop of `out`."""
    _add_columns(
        out[start:stop],
        base[start:stop],
        column[start:stop],
        column[start + lanes : stop + lanes],
        column[start + 2 * lanes : stop + 2 * lanes],
        coefficient,
    )


@njit(**_OPTIONS)
def _larger(a, b):
    """Return the larger number, or NaN if there is one, as torch's pooling does."""
    return b if (b > a) | (b != b) else a


@njit(**_OPTIONS)
def _max_rows(out, first, second, third, floor):
    """Write the largest of three rows."""
    for i in range(out.size):
        value = _larger(_larger(first[i], second[i]), third[i])
        out[i] = floor if value < floor else value


@njit(**_OPTIONS)
def _add_maxima(out, base, left, middle, right, coefficient):
    """Write `base` plus `coefficient` times the largest of three columns."""
    for i in range(out.size):
        out[i] = base[i] + coefficient * _larger(_larger(left[i], middle[i]), right[i])


@njit(**_OPTIONS)
def _add_max_view(out, base, image, y, view, floor, coefficient, lanes, column):
    """Do what `_add_view` does, for a view of mode MAX."""
    _, _, kernel, stride, padding = view
    height, size = image.shape
    top = y * stride - padding
    last = min(top + kernel, height) - 1
    border = padding * lanes
    column[:border] = -np.inf
    column[border + size :] = -np.inf
    # A row taken twice changes nothing, so one of the window's own stands in for a row of padding.
    _max_rows(column[border : border + size], image[max(top, 0)], image[min(top + 1, last)], image[last], floor)
    if stride == 1 and kernel == 3:
        _add_maxima(out, base, column[:size], column[lanes : lanes + size], column[2 * lanes :], coefficient)
        return
    for x in range(out.size // lanes):
        left = x * stride * lanes
        _add_maxima(
            out[x * lanes : (x + 1) * lanes],
            base[x * lanes : (x + 1) * lanes],
            column[left : left + lanes],
            column[left + lanes : left + 2 * lanes],
            column[left + (kernel - 1) * lanes : left + kernel * lanes],
            coefficient,
        )


@njit(**_OPTIONS)
def _sum_window_rows(column, image, y, view, floor, lanes, nothing):
    """Write the sum of the rows of the windows of row y, between columns of padding; return how many rows it has."""
    _, _, kernel, stride, padding = view
    height, size = image.shape
    top = y * stride - padding
    border = padding * lanes
    column[:border] = 0
    column[border + size :] = 0
    _sum_rows(
        column[border : border + size],
        image[top] if top >= 0 else nothing,
        image[top + 1] if top + 1 < height else nothing,
        image[top + 2] if kernel == 3 and top + 2 < height else nothing,
        floor,
    )
    return min(top + kernel, height) - max(top, 0)


@njit(**_OPTIONS)
def _add_view(out, base, image, y, view, coefficient, lanes, column, nothing):
    """Write `base` plus `coefficient` times row y of a view of one block.

    `column` is scratch of two columns more than the image has, `nothing` a row of zeros.
    """
    rectify, mode, kernel, stride, padding = view
    floor = image.dtype.type(0 if rectify else -np.inf)
    if kernel == 1:
        _add_row(out, base, image[y], floor, coefficient)
        return
    if mode == MAX:
        _add_max_view(out, base, image, y, view, floor, coefficient, lanes, column)
        return
    rows = _sum_window_rows(column, image, y, view, floor, lanes, nothing)
    size = image.shape[1]
    width = size // lanes
    if stride == 1 and kernel == 3:
        if mode == SUM:
            _add_span(out, base, column, 0, size, lanes, coefficient)
        elif width == 1:
            _add_span(out, base, column, 0, size, lanes, out.dtype.type(coefficient / rows))
        else:
            edge = out.dtype.type(coefficient / (2 * rows))
            _add_span(out, base, column, 0, lanes, lanes, edge)
            _add_span(out, base, column, lanes, size - lanes, lanes, out.dtype.type(coefficient / (3 * rows)))
            _add_span(out, base, column, size - lanes, size, lanes, edge)
        return
    out[:] = base
    for x in range(out.size // lanes):
        left = x * stride
        columns = min(left - padding + kernel, width) - max(left - padding, 0)
        share = coefficient if mode == SUM else out.dtype.type(coefficient / (rows * columns))
        target = out[x * lanes : (x + 1) * lanes]
        for k in range(kernel):
            source = column[(left + k) * lanes : (left + k + 1) * lanes]
            for lane in range(lanes):
                target[lane] += share * source[lane]


@njit(**_OPTIONS)
def combine(out, images, views, coefficients, constant, lanes):
    """Write `constant` plus the sum of `coefficients[k]` times view k of map k into `out`.

    Args:
        out: (blocks, height, width * lanes), may be one of the maps if that one's view is the map itself.
        images: a tuple of maps; those past the number of views are ignored.
        views: int64 (views, 5), at least one.
        coefficients: (views,) of the maps' dtype.
        constant: of the maps' dtype.
        lanes: images in a block.
    """
    blocks, height, size = out.shape
    start = np.full(size, constant, out.dtype)
    # Two rows, since a loop that writes the row that it reads would not be vectorised.
    rows = np.empty((2, size), out.dtype)
    widest = 0
    for image in images:
        widest = max(widest, image.shape[2])
    column = np.empty(widest + 2 * lanes, out.dtype)
    nothing = np.zeros(widest, out.dtype)
    count = len(views)
    for block in range(blocks):
        for y in range(height):
            target = out[block, y]
            for k in range(count):
                rectify, mode, kernel, stride, padding = views[k]
                image = images[k][block]
                length = image.shape[1]
                _add_view(
                    # Until the last view, which may be of the same map, the map to write is not touched.
                    target if k == count - 1 else rows[k % 2],
                    start if k == 0 else rows[(k - 1) % 2],
                    image,
                    y,
                    (rectify, mode, kernel, stride, padding),
                    coefficients[k],
                    lanes,
                    column[: length + 2 * padding * lanes],
                    nothing[:length],
                )


@njit(**_OPTIONS)
def is_zero(field):
    """Say whether a map is zero everywhere; it is known at the first entry that is not."""
    entries = field.ravel()
    i = 0
    while i < entries.size and entries[i] == 0:
        i += 1
    return i == entries.size


@njit(**_OPTIONS)
def _row_moments(first, second, pivot, source, floor):
    """Add the differences of a row from `pivot`, and their squares, to the sums."""
    for i in range(first.size):
        value = source[i]
        value = floor if value < floor else value
        difference = value - pivot[i]
        first[i] += difference
        second[i] += difference * difference


@njit(**_OPTIONS)
def _column_moments(first, second, pivot, left, middle, right):
    """Do so with the sum of three columns."""
    for i in range(first.size):
        difference = left[i] + middle[i] + right[i] - pivot[i]
        first[i] += difference
        second[i] += difference * difference


@njit(**_OPTIONS)
def moments(field, view, height, width, lanes):
    """Return the mean and the biased variance, in float64, of a view whose maps have the given size.

    Each column of pixels is summed about its first entry, columns and blocks are then joined in float64, so that
    a mean far larger than the deviation costs no digits.
    """
    rectify, mode, kernel, stride, padding = view
    size = width * lanes
    one = field.dtype.type(1)
    plain = field.dtype.type(-np.inf)
    floor = field.dtype.type(0 if rectify else -np.inf)
    zeros = np.zeros(size, field.dtype)
    row = np.empty(size, field.dtype)
    pivot = np.empty(size, field.dtype)
    first = np.empty(size, field.dtype)
    second = np.empty(size, field.dtype)
    column = np.empty(field.shape[2] + 2 * padding * lanes, field.dtype)
    nothing = np.zeros(field.shape[2], field.dtype)
    count, mean, deviation = 0.0, 0.0, 0.0
    for block in range(field.shape[0]):
        image = field[block]
        _add_view(pivot, zeros, image, 0, view, one, lanes, column, nothing)
        first[:] = 0
        second[:] = 0
        for y in range(1, height):
            if kernel == 1:
                _row_moments(first, second, pivot, image[y], floor)
            elif mode == SUM and stride == 1 and kernel == 3:
                _sum_window_rows(column, image, y, view, floor, lanes, nothing)
                _column_moments(first, second, pivot, column[:size], column[lanes : size + lanes], column[2 * lanes :])
            else:
                _add_view(row, zeros, image, y, view, one, lanes, column, nothing)
                _row_moments(first, second, pivot, row, plain)
        # Means of the columns about the block's first pivot, in float64.
        origin = np.float64(pivot[0])
        block_first, block_second, within = 0.0, 0.0, 0.0
        for i in range(size):
            shift = np.float64(first[i]) / height
            offset = np.float64(pivot[i]) - origin + shift
            block_first += offset
            block_second += offset * offset
            within += np.float64(second[i]) - shift * np.float64(first[i])
        block_mean = origin + block_first / size
        block_deviation = within + height * (block_second - block_first * block_first / size)
        block_count = np.float64(size * height)
        # Chan, Golub and LeVeque (1983), updating formula for two samples.
        difference = block_mean - mean
        total = count + block_count
        mean += difference * block_count / total
        deviation += block_deviation + difference * difference * count * block_count / total
        count = total
    return mean, max(deviation, 0.0) / count
