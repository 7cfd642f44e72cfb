"""ZiCo: how large gradients are beside their deviation between batches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from epsinas.metrics.base import LABELS, RANDOM_WEIGHTS, Metric, Scored, scored
from epsinas.metrics.gradients import check_several, part_gradients

if TYPE_CHECKING:
    from torch import Tensor

    from epsinas.metrics.subject import Subject


def log_coefficients(first: list[Tensor], second: list[Tensor]) -> float:
    """Return the sum over layers of log sum_w mean |g| / std g, mean and deviation over two gradients of each weight.

    With two, the mean is (|a| + |b|) / 2 and the deviation |a - b| / 2. Weights whose gradients are equal are left out,
    and so are layers without any other weight.

    Example:
        The weights of the first layer have 4 / 2 and 3 / 3, the equal ones of the second none.

        >>> from torch import tensor
        >>> first, second = [tensor([3.0, 1.0]), tensor([0.0])], [tensor([1.0, -2.0]), tensor([0.0])]
        >>> round(math.exp(log_coefficients(first, second)), 6)
        3.0
    """
    total = 0.0
    for one, other in zip(first, second, strict=True):
        a, b = one.double(), other.double()
        differ = a != b
        coefficients = (a.abs() + b.abs())[differ] / (a - b).abs()[differ]
        total += math.log(float(coefficients.sum())) if differ.any() else 0.0
    return total


def _score(subject: Subject, setting: str) -> Scored:
    """Score the gradients of the losses of both halves of the batch, each through the network by itself."""
    check_several("zico", len(subject.tensor))
    middle = len(subject.tensor) // 2
    first, second = (part_gradients(subject, part) for part in (slice(middle), slice(middle, None)))
    return scored(log_coefficients(first, second))


METRIC = Metric(
    name="zico",
    title="ZiCo",
    reference="Li et al. (2023), arXiv 2301.11300, Section 3",
    score=_score,
    needs=(RANDOM_WEIGHTS, LABELS),
    cost="seconds",
    families=("images",),
    any_model=True,
)
