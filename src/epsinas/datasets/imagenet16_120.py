"""ImageNet16-120: the first 120 classes of ImageNet at 16x16 (Chrabaszcz et al. 2017, Dong and Yang 2020)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from epsinas.datasets.base import Dataset, Normalisation
from epsinas.files.images import Images
from epsinas.sources.base import RawFile, Source
from epsinas.sources.conversion import image_conversion
from epsinas.sources.image_pickles import read_batch_pickle

CLASSES = 120

_FOLDERS = (
    "https://drive.google.com/drive/folders/1L0Lzq8rWpZLPfiQGd6QR8q5xLV88emU7",
    "https://drive.google.com/drive/folders/1T3UIyZXUhMmIuJLOBMIYKAsJknAtrrO4",
)
_MD5 = (
    "27846dcaa50de8e21a7d1a35f30f0e91",
    "c7254a054e0e795c69120a5727050e3f",
    "4333d3df2e5ffb114b05d2ffc19b1e87",
    "1620cdf193304f4a92677b695d70d10f",
    "348b3c2fdbb3940c4e9e834affd3b18d",
    "6e765307c242a1b3d7d5ef9139b48945",
    "564926d8cbf8fc4818ba23d2faac7564",
    "f4755871f718ccb653440b9dd0ebac66",
    "bb6dd660c38c58552125b1a92f86b5d4",
    "8f03f34ac4b42271a294f91bf480f29b",
)
BATCHES = tuple(
    RawFile(f"train_data_batch_{number}", _FOLDERS, "md5", checksum) for number, checksum in enumerate(_MD5, start=1)
)
"""ImageNet16's ten files."""


def imagenet16_120_images(paths: Sequence[Path]) -> Images:
    """Convert the pickles `train_data_batch_1` to `_10` of ImageNet16, given in this order.

    ImageNet16-120 is the training images of the classes 1 to 120, stored as labels 0 to 119.

    Raises:
        InputError: a file is not as described.
    """
    kept = []
    for path in paths:
        images, labels = read_batch_pickle(path, side=16)
        first = (labels >= 1) & (labels <= CLASSES)
        kept.append((images[first], labels[first] - 1))
    images, labels = (np.concatenate(arrays) for arrays in zip(*kept, strict=True))
    return Images(images, labels, "ImageNet16-120 training images: ImageNet16, classes 1 to 120")


DATASET = Dataset(
    name="ImageNet16-120",
    title="ImageNet16-120",
    family="images",
    shape=(3, 16, 16),
    classes=120,
    normalisation=Normalisation((122.68, 116.66, 104.01), (63.22, 61.26, 65.09)),
    sources=(
        Source("ImageNet16-120.npz", (image_conversion(BATCHES, imagenet16_120_images),), "ImageNet terms of access"),
    ),
)
