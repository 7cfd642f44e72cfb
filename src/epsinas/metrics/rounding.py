"""How far rounding limits a score, and scores of outputs that are known to more digits than one number has.

Min-max normalisation magnifies the rounding of nearly constant outputs by their magnitude over their spread, and
an entry that ties with the smallest one to rounding is masked or not by chance. Networks with small weights suffer
from both, recurrent ones most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from epsinas.engines.base import Deviations
from epsinas.metrics.base import LIMIT, Scored
from epsinas.metrics.normalisation import check_zeros, compare, normalise

if TYPE_CHECKING:
    import pandas as pd

ROUNDINGS = 8.0
"""Roundings of the largest output that an entry is taken to be off by."""


class Normalised(NamedTuple):
    """Min-max normalised outputs and one minus these, flattened, and by how much rounding may change each.

    `doubtful` marks the entries of which it is not known whether they equal the smallest: by rounding, or because
    their difference may be below the range of float64. `smallest` is its place where entries differ by no more
    rounding than their own (`Deviations`), None where rounding may be that of a common offset.
    """

    values: np.ndarray
    complements: np.ndarray
    noise: np.ndarray | float
    doubtful: np.ndarray
    smallest: int | None


def normalised(outputs: np.ndarray | Deviations) -> Normalised | None:
    """Normalise outputs under one weight; None where they are constant or not all finite.

    With u the roundoff of the outputs' dtype, m their largest magnitude and s their spread (maximum less minimum),
    normalised entries are off by 8 u m / s. For `Deviations` it is 8 u times the sizes of what is added, for the
    entry or for its distance from 1, whichever is smaller: a difference between time steps, and two of sequences.
    """
    return _normalised_deviations(outputs) if isinstance(outputs, Deviations) else _normalised_array(outputs)


def score_normalised(first: Normalised, second: Normalised, zeros: str = "masked") -> Scored:
    """Compute the epsilon metric of a network's normalised outputs, and estimate its rounding error.

    The score's relative error is estimated as the mean noise of both vectors over delta, their mean distance; if
    zeros are masked, the share of entries not above the noise, beyond the smallest of each vector, is added, since
    whether these are masked is chance.

    Args:
        first: of the outputs under the low weight.
        second: of the outputs under the high weight, as many.
        zeros: see `epsinas.metrics.epsilon.epsilon`.

    Raises:
        InputError: unknown `zeros`.
    """
    check_zeros(zeros)
    parts = first.smallest is not None and second.smallest is not None
    distances = _distances(first, second)
    found = compare(first.values, second.values, zeros, distances if parts else None)
    if np.isnan(found):
        return Scored(found, float("inf"), "constant")
    ties = _ties(first, second) / (2 * first.values.size) if zeros == "masked" else 0.0
    distance = distances.mean()
    noise = np.mean(first.noise + second.noise)
    return Scored(found, float(noise / distance + ties) if distance else float("inf"))


def _ties(first: Normalised, second: Normalised) -> int:
    """Count the entries that are masked, or not, by chance.

    Differences of `Deviations` that vanish show where the other weight tells the entries apart; what is equal under
    both weights is taken to be equal.
    """
    if first.smallest is None or second.smallest is None:
        return sum(int(np.count_nonzero(vector.doubtful)) - 1 for vector in (first, second))
    pairs = ((first, second.values, first.smallest), (second, first.values, second.smallest))
    return sum(int(np.count_nonzero(one.doubtful & (other != other[place]))) for one, other, place in pairs)


def _normalised_array(outputs: np.ndarray) -> Normalised | None:
    values = normalise(outputs)
    if values is None:
        return None
    wide = outputs.astype(np.float64)
    # Scaled first, so that the widest outputs do not overflow in the difference.
    noise = ROUNDINGS * np.finfo(outputs.dtype).eps / np.ptp(wide / np.abs(wide).max())
    return Normalised(values, 1 - values, float(noise), doubtful=values <= noise, smallest=None)


def _normalised_deviations(outputs: Deviations) -> Normalised | None:
    """Normalise by differences from the smallest and the largest entry, part by part."""
    if not all(np.isfinite(part).all() for part in outputs.parts):
        return None
    largest = max(np.abs(part).max() for part in outputs.parts)
    if largest == 0:
        return None
    shift = -int(np.frexp(largest)[1])
    steps, sequences = (np.ldexp(part, shift) for part in outputs.parts)
    low, high = _extreme(steps, sequences, np.argmin), _extreme(steps, sequences, np.argmax)
    spread = (steps[high[0]] - steps[low[0]]) + (sequences[high] - sequences[low])
    if spread <= 0:
        return None
    above = (steps - steps[low[0]])[:, None], sequences - sequences[low]
    below = (steps[high[0]] - steps)[:, None], sequences[high] - sequences
    values, complements = (np.maximum(sum(parts), 0.0).ravel() / spread for parts in (above, below))
    # The parts may cancel each other, or agree to all digits, at other time steps or behind other tokens.
    roundoff = ROUNDINGS * np.finfo(np.float64).eps / spread
    common = np.abs(steps).max() if outputs.drifting else 0.0
    to_low, to_high = (
        roundoff * (common + np.abs(between) + np.abs(sequences) + np.abs(sequences[end])).ravel()
        for (between, _), end in ((above, low), (below, high))
    )
    vanished = (values == 0) & (np.abs(outputs.sequences).ravel() < np.finfo(np.float64).tiny)
    doubtful = vanished | (values <= to_low)
    place = int(np.ravel_multi_index(low, sequences.shape))
    return Normalised(values, complements, np.minimum(to_low, to_high), doubtful, place)


def _extreme(steps: np.ndarray, sequences: np.ndarray, choose: Callable[..., Any]) -> tuple[int, int]:
    """Find the place of the smallest or largest sum of the parts; within a time step the second part decides."""
    columns = choose(sequences, axis=1)
    ends = sequences[np.arange(len(steps)), columns]
    # Against the first time step that is nearest by rounded sums, differences by parts decide.
    near = int(choose(steps + ends))
    step = int(choose((steps - steps[near]) + (ends - ends[near])))
    return step, int(columns[step])


def _distances(first: Normalised, second: Normalised) -> np.ndarray:
    """Return |v1 - v2|, from the complements where both are near 1."""
    near_one = (first.values > 0.5) & (second.values > 0.5)
    return np.abs(np.where(near_one, first.complements - second.complements, first.values - second.values))


def limited_scores(scores: pd.DataFrame) -> int | None:
    """Count the rows of a score table whose score rounding limits; None where there are no estimates."""
    if scores["error"].isna().all():
        return None
    return int((scores["score"].notna() & (scores["error"] > LIMIT)).sum())
