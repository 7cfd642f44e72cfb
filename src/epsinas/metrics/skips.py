"""The number of skip connections in the cell, as a baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.errors import InputError
from epsinas.metrics.base import Metric, Scored
from epsinas.spaces.nas_bench_201 import OPERATIONS, NasBench201

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _score(subject: Subject, setting: str) -> Scored:
    """Count the edges that are `skip_connect`; cells of other spaces have no such operation."""
    space = subject.space
    if not isinstance(space, NasBench201):
        raise InputError(f"metric skips: found the space {space.name}, expected {NasBench201.name}")
    return Scored(float(space.parse(subject.architecture).count(OPERATIONS.index("skip_connect"))))


METRIC = Metric("skips", "skip connections", "a baseline", _score, cost="nothing", families=("images",))
