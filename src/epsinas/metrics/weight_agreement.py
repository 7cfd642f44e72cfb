"""How many weights a network has whose inputs are in use for one image as for another, under one constant weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.metrics.activations import of_connected
from epsinas.metrics.base import CONSTANT_WEIGHTS, Metric
from epsinas.metrics.kernel_agreement import readings

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _weight_agreement(subject: Subject) -> float:
    """Sum over all weights how far the use of their inputs is decided; as `kernel_agreement`, by size."""
    return float(sum(decided * one.copies * one.outputs * one.kernel**2 for decided, one in readings(subject)))


METRIC = Metric(
    name="weight_agreement",
    title="weight agreement",
    reference="this project, for every network",
    score=of_connected(_weight_agreement),
    needs=(CONSTANT_WEIGHTS,),
)
