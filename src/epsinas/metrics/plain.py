"""Weights times gradients, with their signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.metrics.base import LABELS, RANDOM_WEIGHTS, Metric, Scored, scored
from epsinas.metrics.gradients import inner_products, loss_gradients

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _score(subject: Subject, setting: str) -> Scored:
    """Return the sum over all weights of convolutions and of the classifier of w g, g their gradient.

    Batch normalisation takes the scale of a convolution out, so that w g sums to 0 over the convolution's weights, but
    for the 1e-5 beside the variance. What remains is the layers that no batch normalisation follows at once: the
    classifier, and in NAS-Bench-201 the two projections of the shortcuts.
    """
    weights, gradients, _ = subject.once(loss_gradients)
    return scored(sum(inner_products(weights, gradients)))


METRIC = Metric(
    name="plain",
    title="plain",
    reference="Mozer and Smolensky (1988), Skeletonization; Abdelfattah et al. (2021), arXiv 2101.08134",
    score=_score,
    needs=(RANDOM_WEIGHTS, LABELS),
    cost="seconds",
    families=("images",),
    any_model=True,
)
