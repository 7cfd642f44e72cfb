"""Networks that are small enough for what would take too long, or tell nothing, at full width."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from epsinas.errors import InputError

if TYPE_CHECKING:
    from epsinas.spaces.base import Space


def thin(space: Space, channels: int) -> Space:
    """Return the space with one cell a stage and so many channels, or as few above that as it admits.

    Example:
        >>> from epsinas.spaces import NasBench101, NasBench201
        >>> thin(NasBench201(), 1).channels, thin(NasBench101(), 1).channels
        (1, 4)
    """
    instance: Any = space
    for width in range(channels, instance.channels):
        try:
            return dataclasses.replace(instance, channels=width, cells=1)
        except InputError:
            continue
    return dataclasses.replace(instance, cells=1)
