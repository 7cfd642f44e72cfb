"""Batches: what networks are scored on."""

from pathlib import Path

import numpy as np

from epsinas.engines.images.natural import pink_noise
from epsinas.errors import InputError, one_line

NORMALISATION = {
    "cifar10": ((125.3, 123.0, 113.9), (63.0, 62.1, 66.7)),
    "cifar100": ((129.3, 124.1, 112.4), (68.2, 65.4, 70.4)),
    "ImageNet16-120": ((122.68, 116.66, 104.01), (63.22, 61.26, 65.09)),
}
"""Mean and standard deviation of each channel, 0 to 255, as the benchmarks normalise. Other datasets use their own."""

SYNTHETIC = ("grey_scale", "random_normal", "random_uniform", "random_uniform_positive", "pink_noise")
"""The synthetic inputs of the paper's Section 3.5, and noise with the statistics of natural images."""

DETERMINISTIC = ("grey_scale",)
"""Those of them that are the same in every draw."""


def normalised(images: np.ndarray, dataset: str) -> np.ndarray:
    """Normalise images uint8 (N, H, W, C) per channel and return float32 (N, C, H, W).

    Mean and deviation are those of NORMALISATION, or of the images themselves for any other dataset.
    """
    if dataset in NORMALISATION:
        mean, deviation = (np.array(values) for values in NORMALISATION[dataset])
    else:
        mean, deviation = images.mean(axis=(0, 1, 2)), images.std(axis=(0, 1, 2))
        deviation = np.where(deviation > 0, deviation, 1.0)
    return np.ascontiguousarray(((images - mean) / deviation).astype(np.float32).transpose(0, 3, 1, 2))


def image_batch(images: np.ndarray, dataset: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """Choose `size` different images at random and normalise them (see `normalised`).

    Args:
        images: uint8 (N, H, W, C).
        dataset: name of the dataset.
        size: images in the batch.
        rng: chooses.

    Returns:
        float32 (size, C, H, W).

    Raises:
        InputError: there are fewer than `size` images.
    """
    if size > len(images):
        raise InputError(f"batch size: found {size}, expected at most the {len(images)} images of {dataset}")
    chosen = rng.choice(len(images), size, replace=False)
    if dataset in NORMALISATION:
        return normalised(images[chosen], dataset)
    return normalised(images, dataset)[chosen]


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
    """Read a batch of normalised images from an `.npy` file: float32 (N, 3, H, W).

    Raises:
        InputError: the file is missing, is not an `.npy` file, or holds something else.
    """
    from epsinas.scoring import check_batch

    try:
        with open(path, "rb") as file:
            batch = np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, expected a batch of images (.npy)") from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: not a readable .npy file: {one_line(error)}") from None
    if batch.dtype != np.float32:
        raise InputError(f"{path}: found {batch.dtype}, expected an array of float32")
    check_batch(batch, str(path))
    return batch
