"""The benchmark inside the package: NAS-Bench-201's cells trained on scikit-learn's handwritten digits."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from epsinas.schemas import write_images


def write_digits(path: Path) -> None:
    """Write scikit-learn's 1,797 handwritten digits, 8x8 pixels, one channel, as `digits.npz`.

    The 17 grey levels 0 to 16 stay as they are; whoever uses the images normalises them.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    write_images(
        digits.images.astype(np.uint8)[..., np.newaxis],
        digits.target.astype(np.int16),
        "scikit-learn, sklearn.datasets.load_digits: test set of the UCI optical recognition of handwritten digits",
        path,
    )


FILES: dict[str, Callable[[Path], None]] = {"digits.npz": write_digits}
"""What writes each file of the embedded benchmark."""
