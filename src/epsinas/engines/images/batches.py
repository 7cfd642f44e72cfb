"""Batches: what networks are scored on."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from epsinas.datasets.base import DATASETS
from epsinas.engines.images.natural import pink_noise
from epsinas.errors import InputError
from epsinas.files.arrays import read_array
from epsinas.files.images import read_images, statistics_of
from epsinas.streams import stream

BATCH = 256
"""Images in the published batch."""

SYNTHETIC = ("grey_scale", "random_normal", "random_uniform", "random_uniform_positive", "pink_noise")
"""The synthetic inputs of the paper's Section 3.5, and noise with the statistics of natural images."""

DETERMINISTIC = ("grey_scale",)
"""Those of them that are the same in every draw."""


_BLOCK = 1024
"""Images that are normalised at a time."""


def normalise_images(images: np.ndarray, mean: ArrayLike, deviation: ArrayLike) -> np.ndarray:
    """Normalise images uint8 (N, H, W, C) per channel and return float32 (N, C, H, W).

    A channel without any deviation is only shifted.
    """
    deviation = np.asarray(deviation, dtype=np.float64)
    divisor = np.where(deviation > 0, deviation, 1.0)
    count, height, width, channels = images.shape
    result = np.empty((count, channels, height, width), np.float32)
    # In float64, but never of all images at once.
    for start in range(0, count, _BLOCK):
        block = images[start : start + _BLOCK]
        result[start : start + _BLOCK] = ((block - np.asarray(mean)) / divisor).transpose(0, 3, 1, 2)
    return result


def image_batch(images: np.ndarray, dataset: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """Choose `size` different images at random and normalise them.

    Args:
        images: uint8 (N, H, W, C).
        dataset: its name; mean and deviation are those of the data set (see `epsinas.datasets`), or for any other those
            of the images themselves.
        size: images in the batch.
        rng: chooses.

    Returns:
        float32 (size, C, H, W).

    Raises:
        InputError: there are fewer than `size` images.
    """
    chosen = _chosen(len(images), dataset, size, rng)
    known = DATASETS[dataset].normalisation if dataset in DATASETS else None
    return normalise_images(images[chosen], *(known or statistics_of(images)))


def _chosen(count: int, dataset: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """Choose the images of a batch."""
    if size > count:
        raise InputError(f"batch size: found {size}, expected at most the {count} images of {dataset}")
    return rng.choice(count, size, replace=False)


def raw_batch(path: str | Path, dataset: str | None, rng: np.random.Generator) -> np.ndarray:
    """Choose and normalise images of a file of raw ones (`.npz`): BATCH, or all where there are fewer.

    The normalisation is that of `dataset`, or by the images' own statistics where it is None; see `image_batch`.
    """
    images = read_images(path).images
    return image_batch(images, dataset or str(path), min(BATCH, len(images)), rng)


def synthetic_batch(kind: str, shape: tuple[int, int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Make synthetic images, float32 of `shape` (N, C, H, W).

    From the paper's Section 3.5, `grey_scale`: image i is the constant i / N; `random_normal`: normal(0, 1);
    `random_uniform`: uniform on [-1, 1]; `random_uniform_positive`: uniform on [0, 1]. Ours is `pink_noise`, with the
    statistics of natural images: see `epsinas.engines.images.natural.pink_noise`.

    Raises:
        InputError: unknown kind.
    """
    match kind:
        case "grey_scale":
            levels = np.arange(shape[0], dtype=np.float64) / shape[0]
            batch = np.broadcast_to(levels[:, None, None, None], shape)
        case "random_normal":
            batch = rng.standard_normal(shape)
        case "random_uniform":
            batch = rng.uniform(-1, 1, shape)
        case "random_uniform_positive":
            batch = rng.uniform(0, 1, shape)
        case "pink_noise":
            batch = pink_noise(shape, rng)
        case _:
            raise InputError(f"synthetic data: found {kind!r}, expected one of {', '.join(SYNTHETIC)}")
    return np.ascontiguousarray(batch, dtype=np.float32)


def read_batch(path: str | Path) -> np.ndarray:
    """Read a batch of normalised images from an `.npy` file: float32 (N, channels, H, W).

    Raises:
        InputError: the file is missing, is not an `.npy` file, or holds something else.
    """
    batch = read_array(path, "a batch of images")
    if batch.dtype != np.float32:
        raise InputError(f"{path}: found {batch.dtype}, expected an array of float32")
    check_batch(batch, str(path))
    return batch


def check_batch(batch: np.ndarray, name: str = "batch") -> None:
    """Check an image batch: (N, C, H, W), float32 or float64, H and W multiples of 4, all finite.

    Raises:
        InputError: it is not.
    """
    if not isinstance(batch, np.ndarray) or batch.dtype not in (np.float32, np.float64):
        found = getattr(batch, "dtype", type(batch).__name__)
        raise InputError(f"{name}: found {found}, expected an array of float32 or float64")
    if batch.ndim != 4 or 0 in batch.shape:
        raise InputError(f"{name}: found shape {batch.shape}, expected (images, channels, height, width), none 0")
    if batch.shape[2] % 4 or batch.shape[3] % 4:
        found = f"{batch.shape[2]}x{batch.shape[3]} pixels in the last two dimensions"
        raise InputError(f"{name}: found {found}, expected multiples of 4")
    finite = np.isfinite(batch).all(axis=(1, 2, 3))
    if not finite.all():
        raise InputError(f"{name}: image {int(np.argmin(finite))} has entries that are not finite (NaN or infinite)")


def read_draws(
    path: str | Path, dataset: str, inputs: str, size: int, draws: Iterable[int], seed: int
) -> list[np.ndarray]:
    """Make one batch for each draw; every draw has a stream of its own.

    Args:
        path: `{dataset}.npz`.
        dataset: its name, for the normalisation.
        inputs: `real`, or the kind of synthetic images (SYNTHETIC).
        size: images in a batch.
        draws: numbers of the draws.
        seed: of the study.

    Returns:
        float32 (size, C, H, W) each.

    Raises:
        InputError: the file is not as described, the kind of inputs is unknown, or there are too few images.
    """
    images = read_images(path).images
    if inputs == "real":
        return [image_batch(images, dataset, size, stream(seed, "batch", draw)) for draw in draws]
    _, height, width, channels = images.shape
    return synthetic_draws(inputs, (size, channels, height, width), draws, seed)


def read_labels(path: str | Path, size: int, draws: Iterable[int], seed: int) -> list[np.ndarray]:
    """Return the labels, int64 (size,), of the real images that `read_draws` chooses for each draw."""
    labels = read_images(path).labels.astype(np.int64)
    return [labels[_chosen(len(labels), str(path), size, stream(seed, "batch", draw))] for draw in draws]


def synthetic_draws(kind: str, shape: tuple[int, int, int, int], draws: Iterable[int], seed: int) -> list[np.ndarray]:
    """Make one batch of synthetic images for each draw; see `synthetic_batch` and `read_draws`."""
    return [synthetic_batch(kind, shape, stream(seed, "batch", draw)) for draw in draws]
