"""GraSP: what removing weights would do to the gradient's norm."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from epsinas.metrics.base import LABELS, RANDOM_WEIGHTS, Metric, Scored, scored
from epsinas.metrics.gradients import cross_entropy, loss_gradients

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _score(subject: Subject, setting: str) -> Scored:
    """Return minus the sum over all weights of convolutions and of the classifier of w (H g).

    g is the gradient of the loss by these weights, H its Hessian. The sign is the one of the scores published with the
    metric.

    Batch normalisation takes the scale of a convolution out. Hence w . (H g) = -||g||^2 over its weights, but for the
    1e-5 beside the variance, and GraSP is the squared norm of these gradients minus w . (H g) of the layers that no
    batch normalisation follows at once: the classifier, and in NAS-Bench-201 the two projections of the shortcuts. As
    the 1e-5 does show, and the projections take a second derivative anyway, the score is the definition.
    """
    gradients = subject.once(loss_gradients).gradients
    return scored(-subject.curvature(partial(cross_entropy, subject), gradients))


METRIC = Metric(
    name="grasp",
    title="GraSP",
    reference="Wang et al. (2020), arXiv 2002.07376; Abdelfattah et al. (2021), arXiv 2101.08134, Section 3.2",
    score=_score,
    needs=(RANDOM_WEIGHTS, LABELS),
    cost="seconds",
    families=("images",),
    any_model=True,
)
