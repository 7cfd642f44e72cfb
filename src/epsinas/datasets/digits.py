"""scikit-learn's handwritten digits: 1,797 grey images of 8x8 in 10 classes, part of the scikit-learn package."""

import numpy as np

from epsinas.datasets.base import Dataset
from epsinas.files.images import Images, write_images
from epsinas.sources.base import Conversion, Source

ORIGIN = "scikit-learn, load_digits: the test set of the UCI optical recognition of handwritten digits"


def digits_images() -> Images:
    """Return the digits.

    The 17 grey levels 0 to 16 stay as they are; whoever uses the images normalises them.
    """
    from sklearn.datasets import load_digits

    loaded = load_digits()
    return Images(loaded.images.astype(np.uint8)[..., np.newaxis], loaded.target.astype(np.int16), ORIGIN)


DATASET = Dataset(
    name="digits",
    title="Digits",
    family="images",
    shape=(1, 8, 8),
    classes=10,
    sources=(
        Source(
            "digits.npz",
            (Conversion((), lambda paths, target, progress: write_images(*digits_images(), target), made=ORIGIN),),
            "CC BY 4.0",
        ),
    ),
)
