"""Compiled loops over the maps of the lumped engine.

A map is an array (blocks, height, width * lanes): the batch is cut into blocks of `lanes` images, and the pixels
of a block's images are interleaved, so that every loop below runs over contiguous rows whatever the size of the image,
and a window's shift by one column is a shift by `lanes` entries.

A *view* of a map is what a layer makes of it without storing it: less a threshold, rectified or not, then summed,
averaged or the largest taken over windows. Padding is zero in a sum, not counted in a mean, and never the largest.

What takes the time is moving entries between the caches and the registers. So the work goes strip by strip of rows that
stay in the first-level cache, and memory begins at the boundary of a cache line, as wide as the widest register.
"""

from typing import NamedTuple

import numpy as np

from epsinas.compilation import compiled

SUM, MEAN, MAX = 0, 1, 2


class View(NamedTuple):
    """A view of a map.

    Attributes:
        threshold: what is subtracted from every entry.
        rectify: 0 or 1.
        mode: SUM, MEAN or MAX.
        kernel: side of the windows, 1, 2 or 3.
        stride: from one window to the next.
        padding: entries added at each border.
    """

    threshold: float
    rectify: int
    mode: int = SUM
    kernel: int = 1
    stride: int = 1
    padding: int = 0


_STRIP = 8192
"""Bytes of a map that are computed before the next ones: of the 32 KiB and more of a first-level cache, a part."""

_LINE = 64
"""Bytes of a cache line."""

# Fused multiply-adds and -0.0 == 0.0 are all the freedom that the compiler gets: no reordering of sums.
_compiled = compiled(nogil=True, error_model="numpy", fastmath={"contract", "nsz"})

# The innermost loops take flat arrays and where to begin in them. Cutting a slice costs as much as a short row, and an
# offset that might be negative would keep a loop from being vectorised: hence the unsigned integers.
_unsigned = np.uintp


# Where rows are rectified, what is below `floor`, 0, becomes 0; otherwise `floor` is minus infinity. Comparisons in
# that direction let NaN through, as torch's relu does.


@_compiled
def _fill(out: np.ndarray, at: np.uintp, count: np.uintp, value: float) -> None:
    """Set entries to a value."""
    for i in range(count):
        out[at + i] = value


@_compiled
def _add_entries(
    out: np.ndarray,
    at: np.uintp,
    source: np.ndarray,
    start: np.uintp,
    count: np.uintp,
    threshold: float,
    floor: float,
    coefficient: float,
) -> None:
    """Add `coefficient` times the entries of `source` less the threshold."""
    for i in range(count):
        value = source[start + i] - threshold
        value = floor if value < floor else value
        out[at + i] += coefficient * value


@_compiled
def _sum_rows(
    out: np.ndarray,
    at: np.uintp,
    image: np.ndarray,
    start: np.uintp,
    rows: int,
    size: np.uintp,
    threshold: float,
    floor: float,
) -> None:
    """Write the sum of one, two or three rows of `size` entries."""
    if rows == 3:
        for i in range(size):
            a, b, c = image[start + i], image[start + size + i], image[start + size + size + i]
            a, b, c = a - threshold, b - threshold, c - threshold
            a = floor if a < floor else a
            b = floor if b < floor else b
            c = floor if c < floor else c
            out[at + i] = a + b + c
    elif rows == 2:
        for i in range(size):
            a, b = image[start + i] - threshold, image[start + size + i] - threshold
            a = floor if a < floor else a
            b = floor if b < floor else b
            out[at + i] = a + b
    else:
        for i in range(size):
            a = image[start + i] - threshold
            out[at + i] = floor if a < floor else a


@_compiled
def _add_sums(
    out: np.ndarray,
    at: np.uintp,
    row: np.ndarray,
    start: np.uintp,
    count: np.uintp,
    lanes: np.uintp,
    columns: int,
    coefficient: float,
) -> None:
    """Add `coefficient` times the sum of two or three neighbouring columns of a row."""
    if columns == 3:
        for i in range(count):
            column = start + i
            out[at + i] += coefficient * (row[column] + row[column + lanes] + row[column + lanes + lanes])
    else:
        for i in range(count):
            column = start + i
            out[at + i] += coefficient * (row[column] + row[column + lanes])


@_compiled
def _larger(a: float, b: float) -> float:
    """Return the larger number, or NaN if there is one, as torch's pooling does."""
    return b if (b > a) | (b != b) else a


@_compiled
def _max_rows(
    out: np.ndarray,
    at: np.uintp,
    image: np.ndarray,
    start: np.uintp,
    rows: int,
    size: np.uintp,
    threshold: float,
    floor: float,
) -> None:
    """Write the largest of one, two or three rows; a row taken twice changes nothing."""
    second = start + size if rows > 1 else start
    third = second + size if rows > 2 else second
    for i in range(size):
        value = _larger(_larger(image[start + i], image[second + i]), image[third + i]) - threshold
        out[at + i] = floor if value < floor else value


@_compiled
def _add_maxima(
    out: np.ndarray,
    at: np.uintp,
    row: np.ndarray,
    start: np.uintp,
    count: np.uintp,
    lanes: np.uintp,
    columns: int,
    coefficient: float,
) -> None:
    """Add `coefficient` times the largest of two or three neighbouring columns of a row."""
    last = start + lanes + lanes if columns == 3 else start + lanes
    for i in range(count):
        value = _larger(_larger(row[start + i], row[start + lanes + i]), row[last + i])
        out[at + i] += coefficient * value


@_compiled
def _add_view(
    out: np.ndarray,
    at: int,
    image: np.ndarray,
    start: int,
    height: int,
    size: int,
    y: int,
    count: int,
    view: View,
    coefficient: float,
    lanes: int,
    row: np.ndarray,
) -> None:
    """Add `coefficient` times rows y .. y + count of a view to `out`.

    Args:
        out: flat; the rows to add to begin at `at`.
        image: a flat map, in which the block's image begins at `start` and has `height` rows of `size` entries.
        row: scratch of two columns more than the image has.
    """
    mode, kernel, stride, padding = view.mode, view.kernel, view.stride, view.padding
    threshold = out.dtype.type(view.threshold)
    floor = out.dtype.type(0 if view.rectify else -np.inf)
    if kernel == 1:
        begin, entries = _unsigned(start + y * size), _unsigned(count * size)
        _add_entries(out, _unsigned(at), image, begin, entries, threshold, floor, coefficient)
        return
    border = padding * lanes
    edge = out.dtype.type(-np.inf if mode == MAX else 0)
    _fill(row, _unsigned(0), _unsigned(border), edge)
    _fill(row, _unsigned(border + size), _unsigned(border), edge)
    width = size // lanes
    length = (width + 2 * padding - kernel) // stride + 1
    for down in range(y, y + count):
        top = max(down * stride - padding, 0)
        rows = min(down * stride - padding + kernel, height) - top
        first = _unsigned(start + top * size)
        if mode == MAX:
            _max_rows(row, _unsigned(border), image, first, rows, _unsigned(size), threshold, floor)
        else:
            _sum_rows(row, _unsigned(border), image, first, rows, _unsigned(size), threshold, floor)
        # Windows side by side make one long loop, as far as they share a coefficient.
        x = 0
        while x < length:
            columns = min(x * stride - padding + kernel, width) - max(x * stride - padding, 0)
            if stride > 1:
                stop = x + 1
            elif mode != MEAN:
                stop = length
            else:
                stop = 1 if x == 0 else max(length - 1, x + 1)
            share = out.dtype.type(coefficient / (rows * columns)) if mode == MEAN else coefficient
            add = _unsigned(at + x * lanes)
            begin = _unsigned(x * stride * lanes)
            entries = _unsigned((stop - x) * lanes)
            if mode == MAX:
                _add_maxima(out, add, row, begin, entries, _unsigned(lanes), kernel, share)
            else:
                _add_sums(out, add, row, begin, entries, _unsigned(lanes), kernel, share)
            x = stop
        at += length * lanes


@_compiled
def _scratch(count: int, like: np.ndarray) -> np.ndarray:
    """Return an array that begins with a cache line, of the dtype of `like`."""
    memory = np.empty(count + _LINE // like.itemsize, like.dtype)
    skip = -memory.ctypes.data % _LINE // like.itemsize
    return memory[skip : skip + count]


@_compiled
def combine(
    out: np.ndarray,
    images: tuple[np.ndarray, ...],
    views: np.ndarray,
    coefficients: np.ndarray,
    constant: float,
    onto: bool,
    lanes: int,
) -> None:
    """Write `constant` plus the sum of `coefficients[k]` times view k of map k into `out`.

    Args:
        out: (blocks, height, width * lanes), none of the maps.
        images: a tuple of maps; those past the number of views are ignored.
        views: float64 (views, 6), the fields of a View in each row; at least one.
        coefficients: (views,) of the maps' dtype.
        constant: of the maps' dtype.
        onto: add to what `out` holds, in the place of the constant.
        lanes: images in a block.
    """
    blocks, height, size = out.shape
    flat = out.reshape(-1)
    widest = 0
    for image in images:
        widest = max(widest, image.shape[2])
    row = _scratch(widest + 2 * lanes, out)
    strip = max(_STRIP // (size * out.itemsize), 1)
    for block in range(blocks):
        for y in range(0, height, strip):
            count = min(strip, height - y)
            at = (block * height + y) * size
            if not onto:
                _fill(flat, _unsigned(at), _unsigned(count * size), constant)
            for k in range(len(views)):
                threshold, rectify, mode = views[k, 0], int(views[k, 1]), int(views[k, 2])
                kernel, stride, padding = int(views[k, 3]), int(views[k, 4]), int(views[k, 5])
                view = View(threshold, rectify, mode, kernel, stride, padding)
                image = images[k]
                _, high, wide = image.shape
                start = block * high * wide
                _add_view(flat, at, image.reshape(-1), start, high, wide, y, count, view, coefficients[k], lanes, row)


@_compiled
def round_to(field: np.ndarray, unit: float) -> None:
    """Round the entries of a map to multiples of a power of two, ties to the even one."""
    entries = field.reshape(-1)
    inverse = 1 / unit
    for i in range(entries.size):
        entries[i] = np.rint(entries[i] * inverse) * unit


@_compiled
def is_zero(field: np.ndarray) -> bool:
    """Say whether a map is zero everywhere; it is known at the first entry that is not."""
    entries = field.ravel()
    i = 0
    while i < entries.size and entries[i] == 0:
        i += 1
    return i == entries.size


@_compiled
def _add_moments(
    first: np.ndarray,
    second: np.ndarray,
    pivot: np.ndarray,
    source: np.ndarray,
    start: np.uintp,
    size: np.uintp,
    threshold: float,
    floor: float,
    scale: float,
) -> None:
    """Add the differences of a row, times `scale`, from `pivot`, and their squares, to the sums."""
    for i in range(size):
        value = source[start + i] - threshold
        value = floor if value < floor else value
        difference = value * scale - pivot[i]
        first[i] += difference
        second[i] += difference * difference


@_compiled
def _add_moments_of_four(
    first: np.ndarray,
    second: np.ndarray,
    pivot: np.ndarray,
    source: np.ndarray,
    start: np.uintp,
    size: np.uintp,
    threshold: float,
    floor: float,
    scale: float,
) -> None:
    """Do so with four rows, and read and write the sums once."""
    for i in range(size):
        at = start + i
        a, b = source[at] - threshold, source[at + size] - threshold
        c, d = source[at + size + size] - threshold, source[at + size + size + size] - threshold
        a = (floor if a < floor else a) * scale - pivot[i]
        b = (floor if b < floor else b) * scale - pivot[i]
        c = (floor if c < floor else c) * scale - pivot[i]
        d = (floor if d < floor else d) * scale - pivot[i]
        first[i] += (a + b) + (c + d)
        second[i] += (a * a + b * b) + (c * c + d * d)


@_compiled
def _add_columns(
    sums: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    pivot: np.ndarray,
    start: np.uintp,
    lanes: np.uintp,
    origin: float,
    height: int,
) -> None:
    """Add up, for each lane, what `_add_moments` has found of a column: the mean about `origin` and so on."""
    for lane in range(lanes):
        at = start + lane
        shift = np.float64(first[at]) / height
        mean = np.float64(pivot[at]) - origin + shift
        sums[0, lane] += mean
        sums[1, lane] += mean * mean
        sums[2, lane] += np.float64(second[at]) - shift * np.float64(first[at])


@_compiled
def moments(field: np.ndarray, view: View, out: np.ndarray, scale: float, lanes: int) -> tuple[float, float]:
    """Return the mean and the biased variance, in float64, of a view, and store the view if it has windows.

    Each column of pixels is summed about its first entry, columns and blocks are then joined in float64, so that
    a mean far larger than the deviation costs no digits.

    Args:
        field: the map.
        view: of it.
        out: the view as a map, which is written if the view has windows. A view without is read where it is: any map
            of its size serves, such as the field itself.
        scale: a power of two that brings the view's entries near 1. Squares of small ones would be subnormal, which
            are many times slower than other numbers and have few digits.
        lanes: images in a block.
    """
    windows = view.kernel > 1
    _, high, wide = field.shape
    blocks, height, size = out.shape
    width = size // lanes
    flat = field.reshape(-1)
    source = out.reshape(-1) if windows else flat
    factor, one, zero = field.dtype.type(scale), field.dtype.type(1), field.dtype.type(0)
    threshold = field.dtype.type(0 if windows else view.threshold)
    floor = field.dtype.type(0 if view.rectify and not windows else -np.inf)
    strip = max(_STRIP // (size * field.itemsize), 1)
    row = _scratch(wide + 2 * lanes, field)
    pivot, first, second = _scratch(size, field), _scratch(size, field), _scratch(size, field)
    sums = np.empty((3, lanes))
    count, mean, deviation = 0.0, 0.0, 0.0
    for block in range(blocks):
        start = block * high * wide
        pivot[:] = 0
        _add_view(pivot, 0, flat, start, high, wide, 0, 1, view, factor, lanes, row)
        first[:] = 0
        second[:] = 0
        for y in range(0, height, strip):
            left = min(strip, height - y)
            at = (block * height + y) * size
            if windows:
                _fill(source, _unsigned(at), _unsigned(left * size), zero)
                _add_view(source, at, flat, start, high, wide, y, left, view, one, lanes, row)
            while left >= 4:
                begin, entries = _unsigned(at), _unsigned(size)
                _add_moments_of_four(first, second, pivot, source, begin, entries, threshold, floor, factor)
                at += 4 * size
                left -= 4
            while left > 0:
                _add_moments(first, second, pivot, source, _unsigned(at), _unsigned(size), threshold, floor, factor)
                at += size
                left -= 1
        # Means of the columns about the block's first pivot, in float64.
        origin = np.float64(pivot[0])
        sums[:] = 0
        for x in range(width):
            _add_columns(sums, first, second, pivot, _unsigned(x * lanes), _unsigned(lanes), origin, height)
        total_mean, total_square, within = 0.0, 0.0, 0.0
        for lane in range(lanes):
            total_mean += sums[0, lane]
            total_square += sums[1, lane]
            within += sums[2, lane]
        block_mean = origin + total_mean / size
        block_deviation = within + height * (total_square - total_mean * total_mean / size)
        block_count = np.float64(size * height)
        # Chan, Golub and LeVeque (1983), updating formula for two samples.
        difference = block_mean - mean
        total = count + block_count
        mean += difference * block_count / total
        deviation += block_deviation + difference * difference * count * block_count / total
        count = total
    return mean / scale, max(deviation, 0.0) / count / scale / scale


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array that begins with a cache line, its entries not set."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.empty(size + _LINE, np.uint8)
    skip = -memory.ctypes.data % _LINE
    return memory[skip : skip + size].view(dtype).reshape(shape)
