"""GradSign: on the directions of how many weights the images agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.metrics.base import LABELS, RANDOM_WEIGHTS, Metric, Scored, scored
from epsinas.metrics.gradients import image_gradients

if TYPE_CHECKING:
    from torch import Tensor

    from epsinas.metrics.subject import Subject


def _score(subject: Subject, setting: str) -> Scored:
    """Return the sum over all weights of convolutions and of the classifier of |sum_i sign g_i|.

    g_i is the gradient of the loss of image i, which goes through the network by itself: batch normalisation sees that
    image alone, as in the authors' code. The sum, which is the paper's, grows with the number of weights; one of the
    authors' scripts takes the mean.
    """
    import torch

    totals: list[Tensor] = []
    for gradients in image_gradients(subject):
        signs = [gradient.sign().sum(dim=0) for gradient in gradients]
        totals = [total.add_(sign) for total, sign in zip(totals, signs, strict=True)] if totals else signs
    return scored(sum(float(total.abs().sum(dtype=torch.float64)) for total in totals))


METRIC = Metric(
    name="grad_sign",
    title="GradSign",
    reference="Zhang and Jia (2022), arXiv 2110.08616, Algorithm 1",
    score=_score,
    needs=(RANDOM_WEIGHTS, LABELS),
    cost="seconds",
    families=("images",),
    any_model=True,
)
