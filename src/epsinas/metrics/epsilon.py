"""The epsilon metric: how much the shape of the outputs changes between two constant weights."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from itertools import combinations
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from epsinas.engines.base import Deviations
from epsinas.errors import InputError, one_line, shown
from epsinas.metrics.base import CONSTANT_WEIGHTS, Metric, Scored
from epsinas.metrics.normalisation import check_zeros, compare, normalise
from epsinas.metrics.rounding import Normalised, normalised, score_normalised

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def epsilon(outputs_low: ArrayLike, outputs_high: ArrayLike, zeros: str = "masked") -> float:
    """Compare a network's outputs under two constant weights.

    With v1, v2 the flattened outputs, min-max normalised (Eq. 1):
    delta = mean |v1 - v2| (Eq. 2), mu = mean of all entries of v1 and v2 (Eq. 3), epsilon = delta / mu (Eq. 4).

    Args:
        outputs_low: outputs under the low weight, any shape.
        outputs_high: outputs under the high weight, of the same size.
        zeros: `masked` leaves out every entry that is exactly 0 after normalisation, of each vector by itself:
            entries that remain in both count for delta, entries that remain at all count for mu. This is the
            convention of the released notebooks, behind the published numbers. `kept` is Eq. 1 to 4 to the letter.

    Returns:
        The score, or NaN where an output vector is constant or not finite, or where nothing remains to compare.

    Raises:
        InputError: outputs are not real numbers, sizes differ, or `zeros` is neither of the two.

    Example:
        Normalised, the outputs are 0, 0.25, 0.5, 1 and 0.25, 0, 0.75, 1.

        >>> epsilon([0, 1, 2, 4], [1, 0, 3, 4])
        0.2
        >>> epsilon([0, 1, 2, 4], [1, 0, 3, 4], zeros="kept")
        0.4
    """
    check_zeros(zeros)
    first, second = _real(outputs_low), _real(outputs_high)
    if first.size != second.size:
        raise InputError(f"outputs: found {first.size} and {second.size} entries, expected as many")
    low, high = normalise(first), normalise(second)
    return float("nan") if low is None or high is None else compare(low, high, zeros)


def _real(outputs: ArrayLike) -> np.ndarray:
    """Return outputs as float64; raise `InputError` where they are not real numbers."""
    try:
        values = np.asarray(outputs)
    except (RuntimeError, TypeError, ValueError) as error:  # torch's, of a tensor with a gradient, is a RuntimeError
        raise InputError(f"outputs: expected real numbers, but {one_line(error)}") from None
    # A conversion would drop imaginary parts, and read texts.
    if values.dtype.kind == "c":
        raise InputError("outputs: found complex numbers, expected real ones")
    if values.dtype.kind not in "biuf":
        raise InputError(f"outputs: found {values.dtype.name}, expected real numbers")
    return values.astype(np.float64)


def check_weights(weights: Sequence[float]) -> None:
    """Check a pair of constant weights.

    Raises:
        InputError: they are not two finite positive numbers, the first below the second.
    """
    if len(weights) != 2 or not all(isinstance(one, Real) and 0 < one <= sys.float_info.max for one in weights):
        raise InputError(f"weights: found {' '.join(map(shown, weights))}, expected two positive numbers")
    if weights[0] >= weights[1]:
        relation = "equal weights" if weights[0] == weights[1] else "the larger one first"
        raise InputError(f"weights: found {weights[0]} {weights[1]}, {relation}; expected LOW < HIGH")


def pair_setting(weights: Sequence[float]) -> str:
    """Print a pair of weights as a setting, such as `1e-07,1`; `weights_of` reads it back without loss."""
    return ",".join(f"{weight:g}" if float(f"{weight:g}") == weight else repr(float(weight)) for weight in weights)


def weights_of(setting: str) -> tuple[float, float]:
    """Read the pair of weights that `pair_setting` printed."""
    low, high = map(float, setting.split(","))
    return low, high


def _score(subject: Subject, setting: str) -> Scored:
    """Score a network under the pair of weights of a setting; its outputs are computed once for each weight."""
    low, high = weights_of(setting)
    # A constant output settles the matter before the other weight costs anything.
    first = subject.once(_normalised, low)
    if first is None:
        return subject.once(_no_score, low)
    second = subject.once(_normalised, high)
    if second is None:
        return subject.once(_no_score, high)
    zeros = subject.conditions.zeros
    if subject.conditions.family.estimates_rounding:
        return score_normalised(first, second, zeros)
    score = compare(first.values, second.values, zeros)
    return Scored(score, reason="constant" if math.isnan(score) else "")


def _normalised(subject: Subject, weight: float) -> Normalised | None:
    return normalised(subject.outputs(weight))


def _no_score(subject: Subject, weight: float) -> Scored:
    """Say why outputs under a weight give no score."""
    outputs = subject.outputs(weight)
    parts = outputs.parts if isinstance(outputs, Deviations) else (outputs,)
    finite = all(np.isfinite(part).all() for part in parts)
    estimates = subject.conditions.family.estimates_rounding
    error = (math.inf if finite else 0.0) if estimates else math.nan
    if not subject.connected:
        reason = "disconnected"
    elif not finite:
        reason = "overflow"
    elif subject.conditions.precision != "extended" and not any(part.any() for part in parts):
        reason = "underflow"
    else:
        reason = "constant"
    return Scored(math.nan, error, reason)


def _pair(section: Mapping[str, Any]) -> list[str]:
    return [pair_setting(section["weights"])]


def _pairs_of(weights: Sequence[float]) -> list[str]:
    return [pair_setting(pair) for pair in combinations(sorted(weights), 2)]


def _work(settings: Sequence[str]) -> float:
    """Outputs are computed once for each weight, and a pair has two."""
    return len({weight for setting in settings for weight in weights_of(setting)}) / 2


def _columns(setting: str) -> dict[str, object]:
    low, high = weights_of(setting)
    return {"weight_low": low, "weight_high": high}


METRIC = Metric(
    name="epsilon",
    title="epsilon",
    reference="Gracheva (2024), arXiv 2302.04406, Section 2",
    score=_score,
    needs=(CONSTANT_WEIGHTS,),
    settings={
        "pair": _pair,
        "grid": lambda section: _pairs_of(section["ablations"]["weights"]["values"]),
        "wide": lambda section: _pairs_of(section["ablations"]["weights"]["wide"]["values"]),
    },
    work=_work,
    columns=_columns,
    any_model=True,
)
