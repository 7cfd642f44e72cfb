"""How much the accuracy of an untrained network varies between initialisations.

Its predecessor, the mean accuracy under constant weights (Gaier and Ha 2019, "Weight Agnostic Neural Networks"), is the
same for every network here: constant weights make all logits of an image equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from epsinas.metrics.activations import of_connected
from epsinas.metrics.base import LABELS, RANDOM_WEIGHTS, Metric
from epsinas.metrics.gradients import checked_labels, classes_of

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject

INITIALISATIONS = 100
"""As published."""


def variation(accuracies: np.ndarray) -> float:
    """Return standard deviation over mean, NaN where the mean is 0.

    Example:
        >>> variation(np.array([0.25, 0.75]))
        0.5
    """
    mean = float(accuracies.mean())
    return float(accuracies.std()) / mean if mean else float("nan")


def _score(subject: Subject) -> float:
    """Score by the accuracies of the batch under torch's own initialisation, 100 times in one stream."""
    import torch

    from epsinas.engines.initialisation import default

    fill = default(subject.generator())
    with torch.no_grad():
        return variation(np.array([_accuracy(subject, subject.module(fill)) for _ in range(INITIALISATIONS)]))


def _accuracy(subject: Subject, network: Any) -> float:
    logits = network(subject.tensor)
    labels = checked_labels(subject, classes_of(logits))
    return float(np.mean(logits.argmax(dim=1).cpu().numpy() == labels))


METRIC = Metric(
    name="cv",
    title="coefficient of variation",
    reference="Gracheva (2021), arXiv 2103.08312",
    score=of_connected(_score),
    sign=-1,
    needs=(RANDOM_WEIGHTS, LABELS),
    families=("images",),
    cost="minutes",
)
