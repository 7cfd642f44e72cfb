"""What a data set is, and where to find all of them."""

from dataclasses import dataclass
from typing import NamedTuple

from epsinas.registry import Registry
from epsinas.sources.base import Source


class Normalisation(NamedTuple):
    """Mean and standard deviation of each channel, on the scale of the pixels, 0 to 255."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


@dataclass(frozen=True)
class Dataset:
    """A set of images, or a text.

    Attributes:
        name: in files and studies.
        title: in print.
        family: of the networks that take it, `images` or `sequences`.
        normalisation: with which the benchmarks normalise the images; None where the images' own values serve
            (`epsinas.files.images.statistics_of`), and for a text.
        shape: channels, height and width of the images, so that synthetic ones can be made without them; None for a
            text.
        classes: of the images, None for a text.
        sources: how to make its files.
    """

    name: str
    title: str
    family: str
    normalisation: Normalisation | None = None
    shape: tuple[int, int, int] | None = None
    classes: int | None = None
    sources: tuple[Source, ...] = ()


DATASETS: Registry[Dataset] = Registry("data set", "epsinas.datasets", "DATASET")
"""All data sets that are known by name; a study may use others, which have nothing but a name."""


def title(name: str) -> str:
    """Return how a data set is called in print: its title, or its name where it is none of `DATASETS`.

    Example:
        >>> title("cifar10"), title("my-photographs")
        ('CIFAR-10', 'my-photographs')
    """
    return DATASETS[name].title if name in DATASETS else name
