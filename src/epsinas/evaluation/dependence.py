"""Correlations that have something in common: with a third variable taken out, and tested against each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsinas.errors import InputError

_DETERMINED = 1e-9
"""Share of a variable's variance below which others determine it."""


def partial_correlation(correlations: ArrayLike, first: int, second: int, given: Sequence[int]) -> NDArray[np.float64]:
    """Return the correlation of two variables given others, of one matrix of correlations or of many.

    With a and b the correlations of the two with the others, and C those among the others, it is
    (r - a' C^+ b) / sqrt((1 - a' C^+ a) (1 - b' C^+ b)), which is the correlation of what is left of both when the
    others have explained what they can (Anderson, *An Introduction to Multivariate Statistical Analysis*, 2003, Section
    2.5). C^+ is the pseudo-inverse: parameters and FLOPs, say, may have the same ranks. Of Spearman's matrix it is the
    partial rank correlation.

    Args:
        correlations: (..., variables, variables) float.
        first: number of one of the two.
        second: number of the other.
        given: numbers of the others.

    Returns:
        (...) float64; NaN where a correlation is NaN or where the others determine one of the two.

    Raises:
        InputError: the matrices are not square, or the two are among the others.

    Example:
        Two variables that share nothing but a third, with which each correlates by 0.5.

        >>> float(partial_correlation([[1, 0.25, 0.5], [0.25, 1, 0.5], [0.5, 0.5, 1]], 0, 1, [2]))
        0.0
    """
    matrices = np.asarray(correlations, dtype=np.float64)
    if matrices.ndim < 2 or matrices.shape[-1] != matrices.shape[-2]:
        raise InputError(f"correlations: found shape {matrices.shape}, expected (..., variables, variables)")
    if first in given or second in given:
        raise InputError(f"given: found {list(given)}, expected others than {first} and {second}")
    others = np.asarray(given, dtype=np.intp)
    among = matrices[..., others[:, None], others]
    known = np.isfinite(matrices[..., first, second]) & np.isfinite(among).all(axis=(-2, -1))
    known &= np.isfinite(matrices[..., [first, second], :][..., others]).all(axis=(-2, -1))
    inverse = np.linalg.pinv(np.where(known[..., None, None], among, 0.0), rcond=_DETERMINED, hermitian=True)
    a, b = matrices[..., first, others], matrices[..., second, others]

    def explained(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.einsum("...i,...ij,...j->...", np.nan_to_num(one), inverse, np.nan_to_num(other))

    left_a, left_b = 1 - explained(a, a), 1 - explained(b, b)
    determined = np.minimum(left_a, left_b) < _DETERMINED
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (matrices[..., first, second] - explained(a, b)) / np.sqrt(left_a * left_b)
    return np.where(known & ~determined, found, np.nan)


def attenuation_ceiling(agreement: ArrayLike, trainings: float) -> NDArray[np.float64]:
    """Return the most that a metric without any noise can correlate with the mean of noisy trainings.

    If two trainings correlate by r, the mean of n of them has the reliability n r / (1 + (n - 1) r) (Spearman, *British
    Journal of Psychology* 3, 1910, and Brown, the same volume), and nothing that does not know its noise
    correlates with it by more than the root of that (Spearman, *American Journal of Psychology* 15, 1904). Of rank
    correlations it is an approximation, which takes all networks' noise for equal.

    Args:
        agreement: (...) float, correlation of two trainings.
        trainings: behind each mean, 1 or more; where they differ, their mean.

    Returns:
        (...) float64; NaN where the agreement is negative.

    Example:
        >>> float(attenuation_ceiling(0.81, 1))
        0.9
    """
    between = np.asarray(agreement, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.sqrt(trainings * between / (1 + (trainings - 1) * between))


def steiger(first: float, second: float, between: float, networks: int) -> tuple[float, float]:
    """Test whether two metrics correlate equally with the same performance.

    Steiger, *Psychological Bulletin* 87 (1980), Equations 3 and 10 with the mean r of the two correlations in their
    place: z = (artanh r1 - artanh r2) sqrt(n - 3) / sqrt(2 - 2 c), where c, the correlation of the two correlations, is
    (b (1 - 2 r^2) - r^2 (1 - 2 r^2 - b^2) / 2) / (1 - r^2)^2. It takes networks for independent and ranks for normal
    values; a bootstrap by classes of networks that train alike is the check.

    Args:
        first: correlation of one metric with the performance.
        second: that of the other metric.
        between: correlation of the two metrics, b.
        networks: over which all three were taken.

    Returns:
        z, positive where the first is the larger, and the two-sided p-value; both NaN with fewer than four networks, or
        where a correlation is NaN or 1.

    Raises:
        InputError: a correlation is out of range.

    Example:
        >>> z, p = steiger(0.5, 0.4, 0.6, 103)
        >>> round(z, 2), round(p, 2)
        (1.29, 0.2)
    """
    for name, value in {"first": first, "second": second, "between": between}.items():
        if abs(value) > 1 + 1e-12:
            raise InputError(f"{name}: found {value}, expected a correlation between -1 and 1")
    if networks < 4 or max(abs(first), abs(second)) >= 1 or not np.isfinite([first, second, between]).all():
        return np.nan, np.nan
    square = ((first + second) / 2) ** 2
    covariance = between * (1 - 2 * square) - square * (1 - 2 * square - between**2) / 2
    common = covariance / (1 - square) ** 2
    if common >= 1:  # the same metric twice
        return (0.0, 1.0) if first == second else (np.nan, np.nan)
    from scipy import stats

    z = (np.arctanh(first) - np.arctanh(second)) * np.sqrt((networks - 3) / (2 - 2 * common))
    return float(z), float(2 * stats.norm.sf(abs(z)))
