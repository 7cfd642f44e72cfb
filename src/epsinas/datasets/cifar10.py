"""CIFAR-10 (Krizhevsky 2009): 50,000 training images of 32x32 in 10 classes."""

from pathlib import Path

from epsinas.datasets.base import Dataset, Normalisation
from epsinas.files.images import Images
from epsinas.sources.base import RawFile, Source
from epsinas.sources.conversion import image_conversion
from epsinas.sources.image_pickles import read_cifar

ARCHIVE = RawFile(
    "cifar-10-python.tar.gz",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
    "md5",
    "c58f30108f718f92721af3b95e74349a",
    170_498_071,
)


def cifar10_images(path: Path) -> Images:
    """Convert the training images of `cifar-10-python.tar.gz`, in the official order.

    Raises:
        InputError: the archive is not as described.
    """
    names = [f"data_batch_{number}" for number in range(1, 6)]
    return read_cifar(path, names, "labels", "CIFAR-10 training images (cs.toronto.edu/~kriz/cifar.html)")


DATASET = Dataset(
    name="cifar10",
    title="CIFAR-10",
    family="images",
    shape=(3, 32, 32),
    classes=10,
    normalisation=Normalisation((125.3, 123.0, 113.9), (63.0, 62.1, 66.7)),
    sources=(Source("cifar10.npz", (image_conversion((ARCHIVE,), lambda paths: cifar10_images(paths[0])),)),),
)
