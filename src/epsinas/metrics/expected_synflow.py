"""The mean of SynFlow over all random initialisations, without drawing any."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from epsinas.errors import InputError
from epsinas.metrics.base import Metric, Scored, scored

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _score(subject: Subject, setting: str) -> Scored:
    """Return log(1 + S), S as in `synflow` but of the network whose layers have the constant weights E|w|.

    Without batch normalisation, and for the absolute values of the weights, the network is linear in each layer, so
    that S is the mean over initialisations; see `epsinas.engines.images.flow`, also for max pooling, and for torch
    models `epsinas.models.flow`. Of the images, it sees the shape alone. The mean is of w dR/dw with its sign, which
    where outputs only grow with the weights, as in every search space, is none.

    Raises:
        InputError: the flow is negative, as that of a model which subtracts.
    """
    mantissa, exponent = subject.mean_flow()
    if mantissa < 0:
        raise InputError(
            "metric expected_synflow: found a negative flow, expected outputs that grow with the weights; the model "
            "subtracts"
        )
    return scored(log_of_one_more(mantissa, exponent))


def log_of_one_more(mantissa: float, exponent: int) -> float:
    """Return log(1 + mantissa * 2**exponent), also where the product leaves the range of float64.

    Example:
        >>> round(log_of_one_more(0.75, 2), 6) == round(math.log(4), 6)
        True
        >>> round(log_of_one_more(1.0, 10_000) / math.log(2), 6)
        10000.0
    """
    if abs(exponent) < 1000:
        return math.log1p(math.ldexp(mantissa, exponent))
    return math.log(mantissa) + exponent * math.log(2) if mantissa and exponent > 0 else 0.0


METRIC = Metric(
    name="expected_synflow",
    title="SynFlow in the mean",
    reference="the mean over random initialisations of Tanaka et al. (2020), arXiv 2006.05467",
    score=_score,
    families=("images",),
    any_model=True,
)
