"""How many of its units a network does not rectify to zero, under one constant weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epsinas.metrics.activations import of_connected
from epsinas.metrics.agreement import active_shares
from epsinas.metrics.base import CONSTANT_WEIGHTS, Metric

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _activity(subject: Subject) -> float:
    """Return the mean over the different maps that are rectified of p, the share of a map's entries that is positive.

    Batch normalisation makes the mean of a map 0, so that p is below 1/2 where few entries are large and many small.
    """
    return float(np.mean(active_shares(subject)))


METRIC = Metric(
    name="activity",
    title="activity",
    reference="this project, of why epsilon works",
    score=of_connected(_activity),
    sign=-1,
    needs=(CONSTANT_WEIGHTS,),
    families=("images",),
)
