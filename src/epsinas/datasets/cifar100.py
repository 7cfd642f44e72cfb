"""CIFAR-100 (Krizhevsky 2009): 50,000 training images of 32x32 in 100 classes."""

from pathlib import Path

from epsinas.datasets.base import Dataset, Normalisation
from epsinas.files.images import Images
from epsinas.sources.base import RawFile, Source
from epsinas.sources.conversion import image_conversion
from epsinas.sources.image_pickles import read_cifar

ARCHIVE = RawFile(
    "cifar-100-python.tar.gz",
    ("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",),
    "md5",
    "eb9058c3a382ffc7106e4002c42a8d85",
    169_001_437,
)


def cifar100_images(path: Path) -> Images:
    """Convert the training images of `cifar-100-python.tar.gz` with the 100 fine labels.

    Raises:
        InputError: the archive is not as described.
    """
    source = "CIFAR-100 training images (cs.toronto.edu/~kriz/cifar.html)"
    return read_cifar(path, ["train"], "fine_labels", source)


DATASET = Dataset(
    name="cifar100",
    title="CIFAR-100",
    family="images",
    shape=(3, 32, 32),
    classes=100,
    normalisation=Normalisation((129.3, 124.1, 112.4), (68.2, 65.4, 70.4)),
    sources=(Source("cifar100.npz", (image_conversion((ARCHIVE,), lambda paths: cifar100_images(paths[0])),)),),
)
