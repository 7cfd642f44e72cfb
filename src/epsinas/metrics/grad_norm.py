"""The norm of the loss's gradient, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.metrics.base import LABELS, RANDOM_WEIGHTS, Metric, Scored, scored
from epsinas.metrics.gradients import loss_gradients

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _score(subject: Subject, setting: str) -> Scored:
    """Return the sum over convolutions and the classifier of ||g||, g the gradient by the layer's weight."""
    return scored(sum(float(gradient.norm()) for gradient in subject.once(loss_gradients).gradients))


METRIC = Metric(
    name="grad_norm",
    title="gradient norm",
    reference="Abdelfattah et al. (2021), arXiv 2101.08134, Section 3.2",
    score=_score,
    needs=(RANDOM_WEIGHTS, LABELS),
    cost="seconds",
    families=("images",),
    any_model=True,
)
