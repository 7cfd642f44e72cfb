"""What every search space offers."""

import dataclasses
from collections.abc import Iterator
from dataclasses import Field
from numbers import Integral
from typing import Any, ClassVar, Protocol

import numpy as np

from epsinas.errors import InputError, shown
from epsinas.registry import Registry
from epsinas.spaces.operations import Operations, RecurrentOperations, Tensor


class Space(Protocol):
    """A frozen dataclass whose fields are the skeleton: architecture strings, and what their networks are.

    It may have `encoding`, a function of an architecture string: numbers, as many for all networks, that say what the
    string says.

    Attributes:
        name: in files, studies and on the command line.
        title: in print.
        family: the name of the family of networks (`epsinas.engines.base.FAMILIES`).
        summary: one line for the command line's help.
        size: number of architectures of the benchmark.
        weights: the published pair of constant weights, or one that does.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    family: ClassVar[str]
    summary: ClassVar[str]
    size: ClassVar[int]
    weights: ClassVar[tuple[float, float]]
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __hash__(self) -> int: ...

    def parse(self, architecture: str) -> object:
        """Read an architecture string; raises `InputError` where it is not of this space."""

    def sample(self, count: int, rng: np.random.Generator) -> list[str]:
        """Draw `count` different architectures at random, in random order."""

    def traits(self, architecture: str) -> dict[str, bool | int]:
        """Say what the string alone tells of a network, by name, the same names for all networks.

        Those that are true or false divide the space into populations: `connected`, whether the input reaches the
        output; `reachable`, whether all that the string has lies on such a path; `parameter_free`, whether one of the
        paths through the cell has no weights of its own. A space may have others, or none.
        """


class ImageSpace(Space, Protocol):
    """A space of convolutional cells over images.

    It may have `deepest`, the architecture with the most convolutions of 3x3 one behind the other, which metrics
    compare others with.
    """

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the cells of each stage."""

    @property
    def classes(self) -> int:
        """Outputs of the classifier."""

    def architectures(self) -> Iterator[str]:
        """Enumerate all architecture strings."""

    def cell(self, ops: Operations[Tensor], architecture: str, x: Tensor, channels: int) -> Tensor:
        """Apply one cell."""

    def network(self, ops: Operations[Tensor], architecture: str, images: Tensor) -> Tensor:
        """Describe the whole network, from images (N, channels, H, W) to logits (N, classes)."""


class SequenceSpace(Space, Protocol):
    """A space of recurrent cells over sequences of tokens."""

    @property
    def embedding(self) -> int:
        """Units of the embedding."""

    def network(self, ops: RecurrentOperations[Tensor], architecture: str, embedded: Tensor) -> Tensor:
        """Describe the recurrent layers, from embedded tokens (time, batch, embedding) to the last one's units."""


SPACES: Registry[type[Space]] = Registry("search space", "epsinas.spaces", "SPACE")
"""The classes of all search spaces."""


def check_skeleton(space: Space, **least: int) -> None:
    """Check that the numbers of a skeleton, the fields of a dataclass, are whole and large enough.

    Args:
        space: the search space.
        least: by a field's name, the smallest number, where it is not 1.

    Raises:
        InputError: a number is not.
    """
    for field in dataclasses.fields(space):
        found, smallest = getattr(space, field.name), least.get(field.name, 1)
        if isinstance(found, bool) or not isinstance(found, Integral) or found < smallest:
            raise InputError(f"{field.name}: found {shown(found)}, expected a whole number, {smallest} or more")


def space(name: str, **skeleton: int) -> Space:
    """Return the search space called `name`, with the given skeleton (its dataclass fields).

    Raises:
        InputError: there is no such space, or its networks have no such skeleton.

    Example:
        >>> space("nas-bench-201", channels=4).widths
        (4, 8, 16)
    """
    found = SPACES[name]
    known = [field.name for field in dataclasses.fields(found)]
    if unknown := [name for name in skeleton if name not in known]:
        raise InputError(f"{unknown[0]}: unknown part of a skeleton, expected one of {', '.join(known)}")
    return found(**skeleton)
