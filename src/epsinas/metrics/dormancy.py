"""How many of its units a network rectifies to zero, under one constant weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.metrics.activations import of_connected
from epsinas.metrics.agreement import active_shares
from epsinas.metrics.base import CONSTANT_WEIGHTS, Metric

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _dormancy(subject: Subject) -> float:
    """Sum 1 - p over the different maps that are rectified, p being the share of a map's entries that is positive."""
    return sum(1 - share for share in active_shares(subject))


METRIC = Metric(
    name="dormancy",
    title="dormancy",
    reference="this project, for every network",
    score=of_connected(_dormancy),
    needs=(CONSTANT_WEIGHTS,),
    families=("images",),
)
