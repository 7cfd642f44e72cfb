"""How far two images agree in which units a network rectifies to zero, under one constant weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epsinas.metrics.activations import of_connected
from epsinas.metrics.base import CONSTANT_WEIGHTS, Metric

if TYPE_CHECKING:
    from epsinas.engines.base import Observed
    from epsinas.metrics.subject import Subject

WEIGHT = 1.0
"""Of every layer: with batch normalisation, neither large nor small."""


def code_agreement(inputs: np.ndarray) -> float:
    """Return in how many pairs of two inputs of a batch a unit is positive in both or in none, the mean over all units.

    With k of N positive at a place, it is (k (k - 1) + (N - k) (N - k - 1)) / (N (N - 1)): about 1/2 where a unit is
    positive in half of the inputs by chance, 1 where it is positive in all or in none.

    Args:
        inputs: (N, places), N at least 2.

    Example:
        The first unit is positive in all three, the second one in one of them.

        >>> code_agreement(np.array([[1.0, 2.0], [3.0, -1.0], [2.0, 0.0]])).__round__(6)
        0.666667
    """
    count = len(inputs)
    positive = np.count_nonzero(inputs > 0, axis=0).astype(np.float64)
    negative = count - positive
    pairs = positive * (positive - 1) + negative * (negative - 1)
    return float(pairs.mean() / (count * (count - 1)))


def activations(subject: Subject) -> list[Observed]:
    """Return what activation functions are given under the weight 1."""
    return subject.conditions.engine.observe(subject.architecture, WEIGHT, "activations")


def active_shares(subject: Subject) -> list[float]:
    """Return for each of the different maps that are rectified the share of its entries that is positive, p."""
    return [float(np.mean(one.inputs > 0)) for one in subject.once(activations)]


def _agreement(subject: Subject) -> float:
    """Sum the agreement less 1/2 over the different maps that are rectified."""
    return float(sum(code_agreement(one.inputs) - 0.5 for one in subject.once(activations)))


METRIC = Metric(
    name="agreement",
    title="agreement",
    reference="this project, for every network",
    score=of_connected(_agreement),
    needs=(CONSTANT_WEIGHTS,),
    families=("images",),
)
