"""Min-max normalised outputs and their distance (Gracheva 2024, Section 2, Equations 1 to 4)."""

import numpy as np
from numpy.typing import ArrayLike

from epsinas.errors import InputError

ZEROS = ("masked", "kept")
"""What happens to entries that are exactly 0 after normalisation."""


def normalise(outputs: ArrayLike) -> np.ndarray | None:
    """Min-max normalise a vector of outputs to [0, 1] (Eq. 1), in float64.

    Returns:
        The normalised vector, or None where the outputs are constant or not all finite.
    """
    vector = np.asarray(outputs, dtype=np.float64).ravel()
    if vector.size == 0 or not np.isfinite(vector).all():
        return None
    low, high = vector.min(), vector.max()
    if low == high:
        return None
    # Subnormal outputs would lose digits in the division and the widest ones overflow in the subtraction; a
    # power of two changes nothing else.
    scale = -int(np.frexp(max(abs(low), abs(high)))[1])
    low, high, vector = np.ldexp(low, scale), np.ldexp(high, scale), np.ldexp(vector, scale)
    return (vector - low) / (high - low)


def check_zeros(zeros: str) -> None:
    """Raise `InputError` unless `zeros` is one of ZEROS."""
    if zeros not in ZEROS:
        raise InputError(f"zeros: found {zeros!r}, expected one of {', '.join(ZEROS)}")


def compare(low: np.ndarray, high: np.ndarray, zeros: str, distances: np.ndarray | None = None) -> float:
    """Compute Eq. 2 to 4 of two vectors from `normalise`; see `epsinas.epsilon`.

    Args:
        low: under the low weight.
        high: under the high weight, as many.
        zeros: one of ZEROS.
        distances: |low - high|, where it is known to more digits than the vectors have.
    """
    if distances is None:
        distances = np.abs(low - high)
    if zeros == "kept":
        return float(distances.mean() / (0.5 * (low.mean() + high.mean())))
    both = (low != 0) & (high != 0)
    if not both.any():
        return float("nan")
    return float(distances[both].mean() / np.concatenate([low[low != 0], high[high != 0]]).mean())
