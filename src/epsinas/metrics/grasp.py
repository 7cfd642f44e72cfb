"""GraSP: what removing weights would do to the gradient's norm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.metrics.base import LABELS, RANDOM_WEIGHTS, Metric, Scored, scored
from epsinas.metrics.gradients import cross_entropy, inner_products

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _score(subject: Subject, setting: str) -> Scored:
    """Return minus the sum over all weights of convolutions and of the classifier of w (H g).

    g is the gradient of the loss by these weights, H its Hessian: H g is the gradient of half of ||g||^2, or that of
    g . g' where g' is a constant. The sign is the one of the scores published with the metric.

    Batch normalisation takes the scale of a convolution out. Hence w . (H g) = -||g||^2 over its weights, but for the
    1e-5 beside the variance, and GraSP is the squared norm of these gradients minus w . (H g) of the layers that no
    batch normalisation follows at once: the classifier, and in NAS-Bench-201 the two projections of the shortcuts. As
    the 1e-5 does show, and the projections take a second derivative anyway, the score is the definition.
    """
    import torch

    from epsinas.engines.images.inside import layer_weights

    weights = layer_weights(subject.network)
    loss = cross_entropy(subject, subject.twice_differentiable(subject.network, subject.tensor))
    gradients = torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)
    half = torch.stack([(gradient * gradient.detach()).sum() for gradient in gradients]).sum()
    products = torch.autograd.grad(half, weights, materialize_grads=True)
    return scored(-sum(inner_products(weights, list(products))))


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
