"""SynFlow: how much of a flow of ones through the network depends on each weight."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from epsinas.metrics.base import RANDOM_WEIGHTS, Metric, Scored, scored
from epsinas.metrics.gradients import inner_products

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _score(subject: Subject, setting: str) -> Scored:
    """Return log(1 + S), S the sum over all weights of convolutions and of the classifier of |w dR/dw|.

    R is the sum of the logits of one image of ones, in float64, through the network with the absolute values of its
    weights and without batch normalisation, or any other that a torch model has. The classifier's bias adds a constant
    to R. The logarithm, which changes no rank, is because S has up to fifty digits; a network that the image does not
    reach has 0.
    """
    import torch

    from epsinas.engines.images.inside import layer_weights

    network = subject.copy().double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    weights = layer_weights(network)
    ones = torch.ones_like(subject.tensor[:1], dtype=torch.float64)
    total = subject.unnormalised(network, ones).sum()
    gradients = torch.autograd.grad(total, weights, materialize_grads=True)
    return scored(math.log1p(sum(inner_products(weights, [gradient.abs() for gradient in gradients]))))


METRIC = Metric(
    name="synflow",
    title="SynFlow",
    reference="Tanaka et al. (2020), arXiv 2006.05467; Abdelfattah et al. (2021), arXiv 2101.08134, Section 3.2",
    score=_score,
    needs=(RANDOM_WEIGHTS,),
    families=("images",),
    any_model=True,
)
