"""How many kernels a network has whose inputs are in use for one image as for another, under one constant weight."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from epsinas.metrics.activations import of_connected
from epsinas.metrics.agreement import WEIGHT, code_agreement
from epsinas.metrics.base import CONSTANT_WEIGHTS, Metric

if TYPE_CHECKING:
    from epsinas.engines.base import Reading
    from epsinas.metrics.subject import Subject


def readings(subject: Subject) -> list[tuple[float, Reading]]:
    """Return where convolutions or linear layers are given a map under the weight 1, and how far its use is decided.

    An input is in use where it is positive. With A the agreement of two images in that (`code_agreement`), its use is
    decided by sqrt(2 A - 1): with f the share of the images that use a place, the root mean square over places of
    |2 f - 1|, without what chance adds to it. It is 0 where every other image uses a place, and 1 where all or none do.
    """
    return subject.once(_readings)


def _readings(subject: Subject) -> list[tuple[float, Reading]]:
    seen = subject.conditions.engine.observe(subject.architecture, WEIGHT, "layers")
    decided = [math.sqrt(max(2 * code_agreement(one.inputs) - 1, 0.0)) for one in seen]
    return [(share, reading) for share, one in zip(decided, seen, strict=True) for reading in one.layers]


def _kernel_agreement(subject: Subject) -> float:
    """Sum the side of the kernel, times how far the use of its inputs is decided, over all layers.

    The reason: under constant weights a rectifier behind a layer selects, and what is selected once more is selected
    more sharply, while pooling and sums of branches blur it. Decided inputs so tell of a deep chain of layers that
    each do something. The side says how far a layer looks; its width does not count.
    """
    return float(sum(decided * one.kernel * one.copies / one.inputs for decided, one in readings(subject)))


METRIC = Metric(
    name="kernel_agreement",
    title="kernel agreement",
    reference="this project, for every network",
    score=of_connected(_kernel_agreement),
    needs=(CONSTANT_WEIGHTS,),
)
