"""A random number, as the baseline that every metric has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.metrics.base import Metric, Scored
from epsinas.streams import stream

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _score(subject: Subject, setting: str) -> Scored:
    """Return a number, uniform on [0, 1), that depends on the seed, the draw and the network alone."""
    conditions = subject.conditions
    return Scored(float(stream(conditions.seed, "random metric", conditions.draw, subject.architecture).random()))


METRIC = Metric("random", "random", "a baseline", _score, cost="nothing")
