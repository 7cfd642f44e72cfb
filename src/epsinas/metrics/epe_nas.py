"""EPE-NAS: how alike a network's outputs depend on the images of one class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from epsinas.metrics.base import LABELS, RANDOM_WEIGHTS, Metric, Scored, scored
from epsinas.metrics.gradients import checked_labels, classes_of, forward, input_gradients
from epsinas.metrics.jacob_cov import SMALL

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject

MANY = 100
"""Of more classes than this, the correlations within classes are compared rather than added."""


def class_correlations(rows: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """Sum up how rows correlate within classes.

    A class has s = sum over all pairs of its rows, each with itself too, of log(|correlation| + 1e-5). The score is the
    sum of |s|. With more than 100 classes, s is divided by the rows of the class, and the score is the sum over all
    ordered pairs of classes of |s - s'|, divided by the number of classes. There a class of one row is none, as in the
    released code, and the score is 0 where all are.

    Args:
        rows: (N, D), for each image the gradient of the logits.
        labels: (N,), int.
        classes: of the classifier.

    Returns:
        The score, NaN where a row is constant.

    Example:
        Two rows of one class that do not correlate: two pairs have log(1e-5), two log(1 + 1e-5).

        >>> rows = np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
        >>> round(class_correlations(rows, np.array([3, 3]), 10) / -math.log(1e-5), 4)
        2.0
    """
    members = [rows[labels == label] for label in np.unique(labels)]
    if classes <= MANY:
        return float(sum(abs(_log_correlations(row)) for row in members))
    means = np.array([_log_correlations(row) / len(row) for row in members if len(row) > 1])
    return float(np.abs(means[:, None] - means).sum() / max(len(means), 1))


def _log_correlations(rows: np.ndarray) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.log(np.abs(np.corrcoef(rows)) + SMALL).sum())


def _score(subject: Subject, setting: str) -> Scored:
    """Score the rows of `input_gradients` by the images' labels."""
    if not subject.connected:
        return Scored(math.nan, reason="disconnected")
    classes = classes_of(subject.once(forward).logits)
    return scored(class_correlations(subject.once(input_gradients), checked_labels(subject, classes), classes))


METRIC = Metric(
    name="epe_nas",
    title="EPE-NAS",
    reference="Lopes et al. (2021), arXiv 2102.08099, Section 3",
    score=_score,
    needs=(RANDOM_WEIGHTS, LABELS),
    cost="seconds",
    families=("images",),
    any_model=True,
)
