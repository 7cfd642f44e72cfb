"""Fisher pruning: what the loss would lose if whole channels were removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.metrics.base import LABELS, RANDOM_WEIGHTS, Metric, Scored, scored
from epsinas.metrics.gradients import loss_gradients

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _score(subject: Subject, setting: str) -> Scored:
    """Return the sum over the channels of all layers of 0.5 mean_i (sum_hw a g)^2, once for each weight of a channel.

    a is the output (N, channels, H, W) of a convolution, or of the classifier, g its gradient, i an image. A channel
    counts as often as it has weights (fan in), as in the scores published with the metric. The biases of the classifier
    are in its outputs.
    """
    return scored(
        sum(
            fan_in * float(channels.double().square().mean(dim=0).sum()) / 2
            for fan_in, channels in subject.once(loss_gradients).channels
        )
    )


METRIC = Metric(
    name="fisher",
    title="Fisher",
    reference="Turner et al. (2020), arXiv 1906.04113; Abdelfattah et al. (2021), arXiv 2101.08134, Section 3.2",
    score=_score,
    needs=(RANDOM_WEIGHTS, LABELS),
    cost="seconds",
    families=("images",),
    any_model=True,
)
