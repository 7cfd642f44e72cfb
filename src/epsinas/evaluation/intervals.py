"""Intervals that say how far another run of the same experiment may land."""

import numpy as np
from numpy.typing import ArrayLike

from epsinas.errors import InputError


def prediction_interval(
    values: ArrayLike, confidence: float = 0.95, bounds: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[float, float]:
    """Interval that one more value from the same normal distribution falls into with the given probability.

    mean +- t((1 + confidence) / 2, n - 1) * sd * sqrt(1 + 1 / n), with sd the sample standard deviation (n - 1 in
    the denominator) and t a quantile of Student's distribution (Hahn and Meeker, *Statistical Intervals*, 1991,
    Section 4.7).

    Args:
        values: (n,) float, such as a measure for each random batch; values that are not finite are left
            out.
        confidence: probability that the next value lies inside, between 0 and 1.
        bounds: of the values; the interval is cut off there.

    Returns:
        The lower and the upper end, both NaN with fewer than two values.

    Raises:
        InputError: `confidence` is out of range.

    Example:
        >>> [round(end, 3) for end in prediction_interval([0.70, 0.72, 0.71])]
        [0.66, 0.76]
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence: found {confidence}, expected a number between 0 and 1")
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    count = len(known)
    if count < 2:
        return float("nan"), float("nan")
    from scipy import stats

    half = float(stats.t.ppf((1 + confidence) / 2, count - 1) * known.std(ddof=1) * np.sqrt(1 + 1 / count))
    return max(float(known.mean()) - half, bounds[0]), min(float(known.mean()) + half, bounds[1])


def percentile_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval of a statistic from its values in resamples.

    From the (1 - confidence)/2 to the (1 + confidence)/2 quantile (Efron and Tibshirani, *An Introduction to the
    Bootstrap*, 1993, Section 13.3).

    Args:
        values: (resamples,) float; those that are NaN, where the statistic is undefined, are left out.
        confidence: probability that the interval is to cover, between 0 and 1.

    Returns:
        The lower and the upper end, both NaN where no value is defined.

    Raises:
        InputError: `confidence` is out of range.

    Example:
        >>> [round(end, 3) for end in percentile_interval(range(201))]
        [5.0, 195.0]
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence: found {confidence}, expected a number between 0 and 1")
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def repeated_mean_interval(mean: float, deviation: float, runs: int) -> tuple[float, float]:
    """Interval for the mean of another set of as many independent runs, 95 % for many runs.

    The difference of two means over `runs` runs each has the standard deviation `deviation` * sqrt(2 / runs), so
    the interval is mean +- 1.96 * deviation * sqrt(2 / runs).

    Args:
        mean: over the runs.
        deviation: standard deviation over the runs.
        runs: how many, at least 1.

    Returns:
        The lower and the upper end, NaN where mean or deviation is.

    Raises:
        InputError: `runs` is below 1.

    Example:
        >>> repeated_mean_interval(93.0, 0.5, runs=8)
        (92.51, 93.49)
    """
    if runs < 1:
        raise InputError(f"runs: found {runs}, expected at least 1")
    half = 1.96 * deviation * np.sqrt(2 / runs)
    return float(mean - half), float(mean + half)


def combined_interval(
    value: float, *intervals: tuple[float, float], bounds: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[float, float]:
    """Join intervals around one value that say how far independent causes move it.

    Each end is as far from the value as the root of the sum of the squares of the intervals' ends is, as for the
    standard deviation of a sum.

    Args:
        value: what the intervals are around.
        intervals: lower and upper ends; those that are NaN are left out. An end on the wrong side of the value
            counts as the value.
        bounds: of the value; the interval is cut off there.

    Returns:
        The lower and the upper end, both NaN where no interval is known.

    Example:
        >>> combined_interval(10.0, (7.0, 10.0), (6.0, 12.0))
        (5.0, 12.0)
    """
    known = [ends for ends in intervals if np.isfinite(ends).all()]
    if not known:
        return float("nan"), float("nan")
    below = np.sqrt(sum(max(value - low, 0.0) ** 2 for low, _ in known))
    above = np.sqrt(sum(max(high - value, 0.0) ** 2 for _, high in known))
    return max(float(value - below), bounds[0]), min(float(value + above), bounds[1])


def share_interval(count: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a probability of which `count` of `total` independent trials were successes.

    Source: Brown, Cai and DasGupta, *Statistical Science* 16 (2001), Equation 4.

    Args:
        count: successes, 0 to `total`.
        total: trials.

    Returns:
        The lower and the upper end, between 0 and 1; both NaN for no trials.

    Example:
        >>> [round(end, 3) for end in share_interval(5, 10)]
        [0.237, 0.763]
    """
    if total < 1:
        return float("nan"), float("nan")
    from scipy import stats

    interval = stats.binomtest(count, total).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)
