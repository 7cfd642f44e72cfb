"""How far a network's output, under one constant weight, is no more than the brightness of its images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from epsinas.metrics.agreement import WEIGHT
from epsinas.metrics.base import CONSTANT_WEIGHTS, Metric, Scored, scored

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def brightness(subject: Subject) -> np.ndarray:
    """Return the mean entry of each image, float64 (N,)."""
    return subject.batch.mean(axis=(1, 2, 3), dtype=np.float64)


def _score(subject: Subject, setting: str) -> Scored:
    """Score by Pearson's correlation of the outputs with the images' mean entries: a lower one is to be better.

    What a network adds to the mean of its images is the work of its layers. The setting is the weight, 1 where empty.
    """
    if not subject.connected:
        return Scored(math.nan, reason="disconnected")
    outputs = np.asarray(subject.outputs(float(setting or WEIGHT)), np.float64)
    if not np.ptp(outputs):
        return Scored(math.nan, reason="constant")
    return scored(float(np.corrcoef(outputs, brightness(subject))[0, 1]))


METRIC = Metric(
    name="brightness",
    title="brightness",
    reference="this project, for every network",
    score=_score,
    sign=-1,
    needs=(CONSTANT_WEIGHTS,),
    families=("images",),
    settings={"one": lambda section: [""], "weights": lambda section: [repr(one) for one in section["weights"]]},
)
