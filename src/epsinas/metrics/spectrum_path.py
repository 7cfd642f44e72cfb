"""How far the shape of a network's outputs moves over a range of constant weights."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from epsinas.metrics.base import CONSTANT_WEIGHTS, Metric, Scored, scored
from epsinas.metrics.normalisation import normalise

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject

WEIGHTS = tuple(10.0**exponent for exponent in range(-4, 5))
"""Powers of ten around 1."""


def _score(subject: Subject, setting: str) -> Scored:
    """Score by the way of the min-max normalised outputs from weight to weight: the sum of their mean distances."""
    if not subject.connected:
        return Scored(math.nan, reason="disconnected")
    shapes = [normalise(np.asarray(subject.outputs(weight))) for weight in WEIGHTS]
    found = [shape for shape in shapes if shape is not None]
    if len(found) < len(shapes):
        return Scored(math.nan, reason="constant")
    return scored(float(sum(np.abs(one - other).mean() for one, other in pairwise(found))))


METRIC = Metric(
    name="spectrum_path",
    title="path over weights",
    reference="this project, for every network",
    score=_score,
    needs=(CONSTANT_WEIGHTS,),
    families=("images",),
)
