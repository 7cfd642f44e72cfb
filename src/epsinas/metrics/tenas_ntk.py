"""TE-NAS's first score: how evenly a network learns in different directions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from epsinas.metrics.base import RANDOM_WEIGHTS, Metric, Scored, scored
from epsinas.metrics.gradients import forward

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _score(subject: Subject, setting: str) -> Scored:
    """Return the condition number of the neural tangent kernel, its largest eigenvalue over the smallest.

    The kernel is K = J J^T (N, N). Row i of J is the gradient of the sum of image i's logits by all weights: those of
    convolutions and of the classifier, and the scales of batch normalisation. The whole batch goes through the network,
    so a row takes a backward pass of the whole batch. There is no score where rounding hides the smallest eigenvalue.
    """
    import torch

    if not subject.connected:
        return Scored(math.nan, reason="disconnected")
    done = subject.once(forward)
    weights = [parameter for name, parameter in subject.network.named_parameters() if name.endswith("weight")]
    rows = []
    for row in done.logits.sum(dim=1):
        found = torch.autograd.grad(row, weights, retain_graph=True, materialize_grads=True)
        rows.append(torch.cat([gradient.flatten() for gradient in found]))
    jacobian = torch.stack(rows)
    kernel = sum(part.double() @ part.double().T for part in jacobian.split(2**16, dim=1))
    smallest, largest = torch.linalg.eigvalsh(kernel)[[0, -1]].tolist()
    hidden = torch.finfo(jacobian.dtype).eps * largest
    return scored(largest / smallest if smallest > hidden else math.nan)


METRIC = Metric(
    name="tenas_ntk",
    title="TE-NAS, condition of the tangent kernel",
    reference="Chen et al. (2021), arXiv 2102.11535, Section 3.1.1",
    score=_score,
    sign=-1,
    needs=(RANDOM_WEIGHTS,),
    cost="minutes",
    families=("images",),
)
