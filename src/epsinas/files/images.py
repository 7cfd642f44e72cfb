"""Sets of images: `{dataset}.npz`."""

import math
import zipfile
import zlib
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from epsinas.errors import InputError, one_line, shown
from epsinas.files.arrays import array_in
from epsinas.files.whole import atomic, check_unpacked, existing

_PIXELS = 1 << 18
"""How many pixels are counted at a time; NumPy makes an integer of 8 bytes of each."""


_LONGEST_SOURCE = 10_000
"""Characters of what says where images come from."""


class Images(NamedTuple):
    """A set of images: uint8 (N, H, W, 1 or 3), their classes, int16 (N,), and where they come from."""

    images: np.ndarray
    labels: np.ndarray
    source: str


def statistics_of(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation of each channel, from a histogram of its 256 levels.

    The sums are of integers, hence exact, and take a few megabytes, however many images there are.

    Args:
        images: uint8 (N, H, W, C), at least one.

    Returns:
        Two arrays float64 (C,), on the scale of the pixels; a channel of one level has the deviation 0.

    Example:
        >>> statistics_of(np.array([[[[0, 7], [2, 7]]]], dtype=np.uint8))
        (array([1., 7.]), array([1., 0.]))
    """
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), dtype=np.int64)
    step = max(1, _PIXELS // (images.shape[1] * images.shape[2]))
    for start in range(0, len(images), step):
        for channel in range(channels):
            counts[channel] += np.bincount(images[start : start + step, ..., channel].ravel(), minlength=256)
    levels = range(256)
    total = images.size // channels
    means, deviations = np.empty(channels), np.empty(channels)
    for channel, row in enumerate(counts.tolist()):
        first = sum(level * count for level, count in zip(levels, row, strict=True))
        second = sum(level * level * count for level, count in zip(levels, row, strict=True))
        means[channel] = first / total
        deviations[channel] = math.sqrt(total * second - first * first) / total
    return means, deviations


def read_images(path: str | Path) -> Images:
    """Read `{dataset}.npz`, a set of images.

    Arrays: `images` uint8 (N, H, W, C) with C = 1 or 3 channels, `labels` int16 (N,), classes counted from 0,
    and `source`, one text that says where the images come from.
    """
    path = existing(path)
    try:
        with open(path, "rb") as file:
            if file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
                raise InputError(f"{path}: found a single array, expected images, labels and source (npz)")
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path)
            images, labels, source = (_array(archive, members, name, path) for name in Images._fields)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a readable npz file: {one_line(error)}") from error
    return _check_images(images, labels, source, path)


def write_images(images: np.ndarray, labels: np.ndarray, source: str, path: str | Path) -> None:
    """Check and write what `read_images` reads. The same arrays give the same bytes, on any machine."""
    path = Path(path)
    checked = _check_images(np.asarray(images), np.asarray(labels), np.asarray(source), path)
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, value in checked._asdict().items():
            # A fixed date and no compression, since both would differ from one machine to another.
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(value), allow_pickle=False)


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the archive's arrays by name, where what is read of them fits into memory."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name in members:
            raise InputError(f"{path}: found two arrays {shown(name)}, expected one")
        members[name] = member
    unpacked = sum(members[name].file_size for name in Images._fields if name in members)
    check_unpacked(path, unpacked, path.stat().st_size)
    return members


def _array(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: str, path: Path) -> np.ndarray:
    if name not in members:
        found = ", ".join(shown(other)[1:-1] for other in islice(members, 12))
        raise InputError(f"{path}: array {name} is missing; found {found or 'no arrays'}")
    member = members[name]
    try:
        # Other ways to compress are unpacked by Python in pieces of any size.
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("found it compressed in another way than NumPy does")
        with archive.open(member) as file:
            return array_in(file, member.file_size)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, RuntimeError, MemoryError) as error:
        raise InputError(f"{path}: array {name} cannot be read: {one_line(error)}") from error


def _check_images(images: np.ndarray, labels: np.ndarray, source: np.ndarray, path: Path) -> Images:
    """Return the arrays with the schema's types, or say what is wrong with them."""
    if images.dtype != np.uint8:
        raise InputError(f"{path}: array images: found dtype {images.dtype}, expected uint8 (0 to 255)")
    if images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape:
        raise InputError(
            f"{path}: array images: found shape {images.shape}, expected (N, H, W, C) with 1 or 3 channels"
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"{path}: array labels: found dtype {labels.dtype}, expected int16")
    if labels.shape != images.shape[:1]:
        raise InputError(
            f"{path}: array labels: found shape {labels.shape}, expected ({len(images)},), one for each image"
        )
    wrong = np.flatnonzero((labels < 0) | (labels > np.iinfo(np.int16).max))
    if wrong.size:
        found = labels[wrong[0]]
        raise InputError(f"{path}: array labels: row {wrong[0]}: found {found}, expected a class from 0 to 32767")
    if source.shape != () or source.dtype.kind != "U":
        found = f"dtype {source.dtype} and shape {source.shape}"
        raise InputError(f"{path}: array source: found {found}, expected a single text")
    if source.itemsize > 4 * _LONGEST_SOURCE:
        raise InputError(f"{path}: array source: found {source.itemsize // 4} characters, expected {_LONGEST_SOURCE}")
    return Images(images, labels.astype(np.int16), str(source))


def image_shape(path: str | Path) -> tuple[int, int, int]:
    """Return height, width and channels of the images of `{dataset}.npz`."""
    _, height, width, channels = read_images(path).images.shape
    return height, width, channels
