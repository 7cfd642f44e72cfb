"""What every search space of convolutional cells offers."""

from collections.abc import Iterator
from typing import Any, ClassVar, Protocol

import numpy as np

from epsinas.spaces.operations import Operations, Tensor


class Space(Protocol):
    """A dataclass whose fields are the skeleton: architecture strings, and what their networks are."""

    name: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the cells of each stage."""

    def parse(self, architecture: str) -> Any:
        """Read an architecture string; raises `InputError` where it is not of this space."""

    def architectures(self) -> Iterator[str]:
        """Enumerate all architecture strings."""

    def sample(self, count: int, rng: np.random.Generator) -> list[str]:
        """Draw `count` different architectures uniformly, in random order."""

    def neighbours(self, architecture: str) -> list[str]:
        """List the architectures at edit distance 1."""

    def cell(self, ops: Operations[Tensor], architecture: str, x: Tensor, channels: int) -> Tensor:
        """Apply one cell."""

    def network(self, ops: Operations[Tensor], architecture: str, images: Tensor) -> Tensor:
        """Describe the whole network, from images (N, channels, H, W) to logits (N, classes)."""
