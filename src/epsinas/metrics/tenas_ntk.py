"""TE-NAS's first score: how evenly a network learns in different directions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from epsinas.metrics.activations import of_connected
from epsinas.metrics.base import RANDOM_WEIGHTS, Metric
from epsinas.metrics.thin import thin

if TYPE_CHECKING:
    import torch

    from epsinas.metrics.subject import Subject

IMAGES = 32
"""Images of the batch that are seen. The released search takes 72 for NAS-Bench-201 and 14 or 24 elsewhere. There is a
backward pass of all images for each of them, so that 64 take four times as long."""

CHANNELS = 3
"""Of the first stage, which has one cell as the others do, as in the released search."""


def condition_number(network: Any, images: torch.Tensor) -> float:
    """Return the largest eigenvalue of a network's tangent kernel over the smallest, NaN where rounding hides that.

    The kernel is K = J J^T (N, N). Row i of J is the gradient of the sum of image i's logits by all weights: those of
    convolutions and of the classifier, and the scales of batch normalisation. The whole batch goes through the network.
    """
    import torch

    weights = [parameter for name, parameter in network.named_parameters() if name.endswith("weight")]
    rows = []
    for row in network(images).sum(dim=1):
        found = torch.autograd.grad(row, weights, retain_graph=True, materialize_grads=True)
        rows.append(torch.cat([gradient.flatten() for gradient in found]))
    jacobian = torch.stack(rows)
    hidden = torch.finfo(jacobian.dtype).eps
    smallest, largest = torch.linalg.eigvalsh(jacobian.double() @ jacobian.double().T)[[0, -1]].tolist()
    return largest / smallest if smallest > hidden * largest else math.nan


def _score(subject: Subject) -> float:
    """Score a thin network by the condition number of its kernel, with Kaiming's normal weights by fan out."""
    from epsinas.engines.initialisation import kaiming_normal

    fill, space = kaiming_normal(subject.generator(), backward=True), thin(subject.space, CHANNELS)
    network = subject.module_of(space, subject.conditions.family.shape(subject.batch), fill)
    return condition_number(network, subject.tensor[:IMAGES])


METRIC = Metric(
    name="tenas_ntk",
    title="TE-NAS, tangent kernel",
    reference="Chen et al. (2021), arXiv 2102.11535, Section 3.1.1",
    score=of_connected(_score),
    sign=-1,
    needs=(RANDOM_WEIGHTS,),
    cost="seconds",
    families=("images",),
)
