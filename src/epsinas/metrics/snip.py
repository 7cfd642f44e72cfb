"""SNIP: what the loss would lose if single weights were removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.metrics.base import LABELS, RANDOM_WEIGHTS, Metric, Scored, scored
from epsinas.metrics.gradients import loss_gradients

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _score(subject: Subject, setting: str) -> Scored:
    """Return the sum over all weights of convolutions and of the classifier of |w g|, g their gradient."""
    import torch

    weights, gradients, _ = subject.once(loss_gradients)
    pairs = zip(weights, gradients, strict=True)
    return scored(sum(float((weight * gradient).abs().sum(dtype=torch.float64)) for weight, gradient in pairs))


METRIC = Metric(
    name="snip",
    title="SNIP",
    reference="Lee et al. (2019), arXiv 1810.02340; Abdelfattah et al. (2021), arXiv 2101.08134, Section 3.2",
    score=_score,
    needs=(RANDOM_WEIGHTS, LABELS),
    cost="seconds",
    families=("images",),
    any_model=True,
)
