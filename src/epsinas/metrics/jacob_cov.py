"""Jacobian covariance: how differently a network's outputs depend on different images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from epsinas.metrics.base import RANDOM_WEIGHTS, Metric, Scored, scored
from epsinas.metrics.gradients import check_several, input_gradients

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject

SMALL = 1e-5
"""Added to eigenvalues and correlations before their logarithm."""


def spread_of_eigenvalues(rows: np.ndarray) -> float:
    """Return minus the sum over the eigenvalues v of the rows' correlations of log(v + k) + 1 / (v + k), k = 1e-5.

    Args:
        rows: (N, D), for each image the gradient of the logits.

    Returns:
        The score, NaN where a row is constant. It is highest, -N, where no two rows correlate.

    Example:
        >>> round(spread_of_eigenvalues(np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])), 4)
        -2.0
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = np.corrcoef(rows)
    if not np.isfinite(correlations).all():
        return math.nan
    values = np.linalg.eigvalsh(correlations) + SMALL
    return float(-(np.log(values) + 1 / values).sum())


def _score(subject: Subject, setting: str) -> Scored:
    """Score the correlations of the rows of `input_gradients`."""
    if not subject.connected:
        return Scored(math.nan, reason="disconnected")
    check_several("jacob_cov", len(subject.tensor))
    return scored(spread_of_eigenvalues(subject.once(input_gradients)))


METRIC = Metric(
    name="jacob_cov",
    title="Jacobian covariance",
    reference="Mellor et al. (2020), arXiv 2006.04647v1; Abdelfattah et al. (2021), arXiv 2101.08134",
    score=_score,
    needs=(RANDOM_WEIGHTS,),
    cost="seconds",
    families=("images",),
    any_model=True,
)
