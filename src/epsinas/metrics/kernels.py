"""The sum of the sides of the kernels on which a network's output depends: a count, to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.metrics.activations import of_connected
from epsinas.metrics.base import CONSTANT_WEIGHTS, Metric
from epsinas.metrics.kernel_agreement import layer_inputs

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _kernels(subject: Subject) -> float:
    """Count every layer by the side of its kernel: `kernel_agreement` without the agreement."""
    return float(
        sum(layer.kernel * layer.copies / layer.inputs for one, _ in layer_inputs(subject) for layer in one.layers)
    )


METRIC = Metric(
    name="kernels",
    title="sides of kernels",
    reference="this project, a count",
    score=of_connected(_kernels),
    needs=(CONSTANT_WEIGHTS,),
)
