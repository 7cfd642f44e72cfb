"""The sum of the sides of the kernels on which a network's output depends: a count, to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.metrics.activations import of_connected
from epsinas.metrics.base import CONSTANT_WEIGHTS, Metric
from epsinas.metrics.kernel_agreement import readings

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _kernels(subject: Subject) -> float:
    """Count every layer by the side of its kernel: `kernel_agreement` without the agreement."""
    return float(sum(one.kernel * one.copies / one.inputs for _, one in readings(subject)))


METRIC = Metric(
    name="kernels",
    title="sides of kernels",
    reference="this project, a count",
    score=of_connected(_kernels),
    needs=(CONSTANT_WEIGHTS,),
)
