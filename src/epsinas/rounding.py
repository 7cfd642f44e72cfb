"""How far rounding limits a score, and scores of outputs that are known to more digits than one number has.

Min-max normalisation magnifies the rounding of nearly constant outputs by their magnitude over their spread, and
an entry that ties with the smallest one to rounding is masked or not by chance. Networks with small weights suffer
from both, recurrent ones most.
"""

from typing import NamedTuple

import numpy as np

from epsinas.engines.recurrent import Deviations
from epsinas.metric import epsilon, normalise

LIMIT = 1e-3
"""A score is limited by rounding where its estimated relative error is larger than this."""

ROUNDINGS = 8.0
"""Roundings of the largest output that an entry is taken to be off by."""


class Scored(NamedTuple):
    """A score, NaN for none, and an estimate of its relative error by rounding.

    A network without a score has the error infinity where rounding may be the reason, that is where its outputs
    are finite but constant, and 0 otherwise.
    """

    score: float
    error: float

    @property
    def limited(self) -> bool:
        """Whether rounding may change the score by more than LIMIT of it."""
        return self.error > LIMIT


class _Normalised(NamedTuple):
    """Min-max normalised outputs, one minus these, and by how much rounding may change each; flattened."""

    values: np.ndarray
    complements: np.ndarray
    noise: np.ndarray


def score(low: np.ndarray | Deviations, high: np.ndarray | Deviations, zeros: str = "masked") -> Scored:
    """Compute the epsilon metric of a network's outputs under two weights, and estimate its rounding error.

    With u the roundoff of the outputs' dtype, m the largest magnitude of an output vector and s its spread (maximum
    less minimum), its normalised entries are off by n = 8 u m / s. The score's relative error is estimated as the sum
    of the n of both vectors over delta, their mean distance; if zeros are masked, the share of entries not above n,
    beyond the smallest of each vector, is added, since whether these are masked is chance. For `Deviations`, n is
    8 u times the entry or its distance from 1, whichever is smaller, and ties are exact.

    Args:
        low: outputs under the low weight: an array of float32 or float64, or `Deviations`.
        high: outputs under the high weight, of the same kind and shape.
        zeros: see `epsinas.metric.epsilon`.

    Raises:
        InputError: see `epsinas.metric.epsilon`.
    """
    vectors = [_normalised_deviations(v) if isinstance(v, Deviations) else _normalised(v) for v in (low, high)]
    first, second = vectors
    if first is None or second is None:
        return Scored(float("nan"), float("inf") if all(map(_is_finite, (low, high))) else 0.0)
    if isinstance(low, Deviations):
        found = _epsilon(first, second, zeros)
        ties = 0.0
    else:
        found = epsilon(low, high, zeros)
        ambiguous = sum(np.count_nonzero(v.values <= v.noise) - 1 for v in vectors)
        ties = ambiguous / (2 * first.values.size) if zeros == "masked" else 0.0
    if np.isnan(found):
        return Scored(found, float("inf"))
    distance = _distances(first, second).mean()
    noise = (first.noise + second.noise).mean()
    return Scored(found, float(noise / distance + ties) if distance else float("inf"))


def _normalised(outputs: np.ndarray) -> _Normalised | None:
    values = normalise(outputs)
    if values is None:
        return None
    wide = outputs.astype(np.float64)
    scale = np.abs(wide).max()
    noise = ROUNDINGS * np.finfo(outputs.dtype).eps / np.ptp(wide / scale)
    return _Normalised(values, 1 - values, np.full(values.shape, noise))


def _normalised_deviations(outputs: Deviations) -> _Normalised | None:
    """Normalise by differences from the smallest and the largest entry, part by part."""
    if not _is_finite(outputs):
        return None
    largest = max(np.abs(part).max() for part in outputs)
    if largest == 0:
        return None
    shift = -int(np.frexp(largest)[1])
    steps, sequences = (np.ldexp(part, shift) for part in outputs)
    low, high = _extreme(steps, sequences, np.argmin), _extreme(steps, sequences, np.argmax)
    spread = (steps[high[0]] - steps[low[0]]) + (sequences[high] - sequences[low])
    if spread <= 0:
        return None
    above = (steps - steps[low[0]])[:, None] + (sequences - sequences[low])
    below = (steps[high[0]] - steps)[:, None] + (sequences[high] - sequences)
    values, complements = (np.maximum(part, 0.0).ravel() / spread for part in (above, below))
    noise = ROUNDINGS * np.finfo(np.float64).eps * np.minimum(values, complements)
    return _Normalised(values, complements, noise)


def _extreme(steps: np.ndarray, sequences: np.ndarray, choose) -> tuple[int, int]:
    """Find the place of the smallest or largest sum of the parts; within a time step the second part decides."""
    columns = choose(sequences, axis=1)
    ends = sequences[np.arange(len(steps)), columns]
    # Against the first time step that is nearest by rounded sums, differences by parts decide.
    near = int(choose(steps + ends))
    step = int(choose((steps - steps[near]) + (ends - ends[near])))
    return step, int(columns[step])


def _epsilon(first: _Normalised, second: _Normalised, zeros: str) -> float:
    """Compute Eq. 2 to 4; see `epsinas.metric.epsilon`."""
    if zeros == "kept":
        return float(_distances(first, second).mean() / (0.5 * (first.values.mean() + second.values.mean())))
    both = (first.values != 0) & (second.values != 0)
    if not both.any():
        return float("nan")
    remaining = np.concatenate([vector.values[vector.values != 0] for vector in (first, second)])
    return float(_distances(first, second)[both].mean() / remaining.mean())


def _distances(first: _Normalised, second: _Normalised) -> np.ndarray:
    """Return |v1 - v2|, from the complements where both are near 1."""
    near_one = (first.values > 0.5) & (second.values > 0.5)
    return np.abs(np.where(near_one, first.complements - second.complements, first.values - second.values))


def _is_finite(outputs: np.ndarray | Deviations) -> bool:
    parts = outputs if isinstance(outputs, Deviations) else (outputs,)
    return all(np.isfinite(part).all() for part in parts)
