import numpy as np
import pytest

from epsinas import InputError
from epsinas.evaluation.intervals import (
    combined_interval,
    percentile_interval,
    prediction_interval,
    repeated_mean_interval,
    share_interval,
)

NAN = float("nan")


def test_prediction_interval_by_hand():
    # Mean 2, standard deviation 1, t(0.975, 2) = 4.302653 (R: qt(0.975, 2)), sqrt(1 + 1/3) = 1.154701.
    assert prediction_interval([1, 2, 3]) == pytest.approx((2 - 4.968274, 2 + 4.968274))


def test_values_that_are_unknown_are_left_out():
    assert prediction_interval([1, np.nan, 2, np.inf, 3]) == prediction_interval([1, 2, 3])


def test_equal_values_leave_no_room():
    assert prediction_interval([5.0, 5.0]) == (5, 5)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, np.nan]])
def test_one_value_says_nothing_about_the_next(values):
    assert np.isnan(prediction_interval(values)).all()


def test_coverage():
    samples = np.random.default_rng(0).normal(size=(4000, 6))
    inside = [low <= row[5] <= high for row in samples for low, high in [prediction_interval(row[:5])]]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.012)


def test_mean_of_another_set_of_runs_by_hand():
    # 1.96 * 0.5 * sqrt(2 / 500) = 0.0619806
    assert repeated_mean_interval(94, 0.5, 500) == pytest.approx((94 - 0.0619806, 94 + 0.0619806))


def test_arguments_out_of_range():
    with pytest.raises(InputError, match="confidence: found 1, expected a number between 0 and 1"):
        prediction_interval([1, 2], 1)
    with pytest.raises(InputError, match="runs: found 0, expected at least 1"):
        repeated_mean_interval(1, 1, 0)


def test_cut_off_at_the_bounds():
    # 0.5 +- 12.706 * 0.7071 * 1.2247 = 0.5 +- 11.0
    assert prediction_interval([0.0, 1.0], bounds=(-1.0, np.inf)) == (-1.0, pytest.approx(11.504, abs=1e-3))


def test_intervals_join_like_standard_deviations():
    assert combined_interval(1.0, (0.7, 1.5), (0.6, 2.2)) == pytest.approx((0.5, 2.3))
    assert combined_interval(1.0, (NAN, NAN), (0.6, 2.2), bounds=(0.8, 2.0)) == (0.8, 2.0)
    # The upper end does not reach the value.
    assert combined_interval(1.0, (0.5, 0.9)) == (0.5, 1.0)
    assert np.isnan(combined_interval(1.0, (NAN, NAN))).all()


def test_share_by_hand():
    """Wilson: (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n) for 8 of 10, z = 1.959964."""
    z, p, n = 1.959964, 0.8, 10
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    ends = [(p + z**2 / (2 * n) + sign * half) / (1 + z**2 / n) for sign in (-1, 1)]
    assert share_interval(8, 10) == pytest.approx(ends, abs=1e-6)
    assert share_interval(10, 10)[1] == 1
    assert np.isnan(share_interval(0, 0)).all()


def test_percentiles_leave_out_what_is_undefined():
    assert percentile_interval([*range(101), np.nan], 0.5) == pytest.approx((25, 75))
    assert np.isnan(percentile_interval([np.nan])).all()
    with pytest.raises(InputError, match=r"confidence: found 1.5, expected a number between 0 and 1"):
        percentile_interval([1.0], 1.5)
