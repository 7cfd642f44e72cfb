"""The norm of the random weights, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.metrics.base import RANDOM_WEIGHTS, Metric, Scored, scored

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _score(subject: Subject, setting: str) -> Scored:
    """Return the sum over convolutions and the classifier of ||w||, w the layer's weights.

    It counts layers: weights of torch's initialisation have the variance 1 / (3 fan in), so that the norm of a layer
    is near sqrt(channels out / 3), whatever its kernel.
    """
    from epsinas.engines.images.inside import layer_weights

    return scored(sum(float(weight.detach().norm()) for weight in layer_weights(subject.network)))


METRIC = Metric(
    name="l2_norm",
    title="L2 norm",
    reference="Abdelfattah et al. (2021), arXiv 2101.08134, Section 3.2",
    score=_score,
    needs=(RANDOM_WEIGHTS,),
    any_model=True,
)
