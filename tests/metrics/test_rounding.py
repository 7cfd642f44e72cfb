import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from epsinas.engines.base import Deviations
from epsinas.errors import InputError
from epsinas.metrics.base import LIMIT
from epsinas.metrics.epsilon import epsilon
from epsinas.metrics.rounding import ROUNDINGS
from tests.subjects import score_outputs as score

VECTORS = arrays(np.float64, 12, elements=st.floats(-1, 1, width=16))
rng = np.random.default_rng(0)
SPREAD = rng.random((2, 10, 20))


def deviations(values: np.ndarray) -> Deviations:
    return Deviations(np.zeros(len(values)), values)


@settings(deadline=None)
@given(low=VECTORS, high=VECTORS, zeros=st.sampled_from(["masked", "kept"]))
def test_the_score_of_arrays_is_epsilon(low, high, zeros):
    assert score(low, high, zeros).score == pytest.approx(epsilon(low, high, zeros), nan_ok=True, rel=0, abs=0)


@pytest.mark.parametrize("zeros", ["masked", "kept"])
def test_the_score_of_deviations_is_epsilon_where_float64_holds_them(zeros):
    found = score(*map(deviations, SPREAD), zeros)
    assert found.score == pytest.approx(epsilon(*SPREAD, zeros), rel=1e-12)
    assert not found.limited


def test_the_parts_of_deviations_are_added():
    steps = rng.random(10)
    found = score(Deviations(steps, SPREAD[0]), deviations(SPREAD[1]))
    assert found.score == pytest.approx(epsilon(steps[:, None] + SPREAD[0], SPREAD[1]), rel=1e-12)


def test_an_error_by_hand():
    """Entries 1 to 2, spread 1, magnitude 2: 8 roundings of 2 are 16 u for each vector, over delta."""
    low, high = np.array([1.0, 1.25, 1.5, 2.0]), np.array([1.0, 1.5, 1.75, 2.0])
    delta = (0 + 0.25 + 0.25 + 0) / 4
    assert score(low, high).error == pytest.approx(2 * ROUNDINGS * 2 * np.finfo(float).eps / delta)


def test_ties_with_the_smallest_entry_count_if_zeros_are_masked():
    low, high = np.array([1.0, 1.0, 1.5, 2.0]), np.array([1.0, 1.5, 1.75, 2.0])
    assert score(low, high).error == pytest.approx(1 / 8)
    assert score(low, high, "kept").error < 1e-12


@pytest.mark.parametrize(("offset", "limited"), [(1.0, False), (1e9, False), (1e14, True)])
def test_nearly_constant_outputs_are_limited(offset, limited):
    assert score(*(SPREAD + offset)).limited is limited


def test_single_precision_is_limited_sooner():
    low, high = SPREAD + 1e5
    assert not score(low, high).limited
    assert score(low.astype(np.float32), high.astype(np.float32)).limited


def test_the_error_bounds_what_rounding_does():
    for exponent in range(3, 15):
        rounded = [vector + 10.0**exponent for vector in SPREAD]
        found = score(*rounded)
        assert abs(found.score / epsilon(*SPREAD) - 1) <= found.error


def test_deviations_of_any_size_are_not_limited():
    for factor in (1e-290, 1e-100, 1e290):
        found = score(*(deviations(factor * vector) for vector in SPREAD))
        assert found.score == pytest.approx(epsilon(*SPREAD), rel=1e-12)
        assert not found.limited


def test_differences_within_a_step_survive_large_steps():
    """Float64 would tie all of the first step's entries for the smallest, and mask them all."""
    low, high = np.array([-1.0, 0.0, 0.5]), np.array([-1.0, 0.2, 0.5])
    small = 1e-20 * np.arange(12.0).reshape(3, 4)
    assert np.count_nonzero(low[:, None] + small == -1) == 4
    found = score(Deviations(low, small), Deviations(high, small))
    # Normalised 0, 2/3, 1 and 0, 0.8, 1, four times each; the smallest entry alone is masked.
    delta, mean = 4 * (0.8 - 2 / 3) / 11, 4 * (2 / 3 + 1 + 0.8 + 1) / 22
    assert found.score == pytest.approx(delta / mean, rel=1e-12)
    assert not found.limited


def test_scores_that_are_tiny_because_both_vectors_are_near_one_keep_their_digits():
    low = np.full((2, 4), 0.0)
    low[1], high = 1e-25 * np.arange(4), None
    high = low.copy()
    high[1] *= 3
    steps = np.array([-1.0, 0.0])
    found = score(Deviations(steps, low), Deviations(steps, high))
    # 1 - v is 1e-25 (3 - k) and 3e-25 (3 - k): delta is 2e-25 (3 + 2 + 1 + 0) / 4; the mean of what remains is 1.
    assert found.score == pytest.approx(3e-25, rel=1e-9)
    assert not found.limited


def test_entries_that_agree_to_all_digits_count_where_the_other_weight_tells_them_apart():
    """One of four entries of each of both vectors may be masked or not, if the other weight has the digits."""
    low = np.array([[-0.5, 0.5], [0.0, -0.5]])
    steps = np.array([1e-30, 0.0])
    apart = np.array([[-0.5, 0.5], [0.0, -0.25]])
    assert score(Deviations(steps, low), deviations(apart)).error == pytest.approx(1 / 8)
    assert not score(deviations(low), deviations(np.array([[-0.5, 0.5], [0.25, -0.5]]))).limited


def test_time_steps_of_drifting_states_are_known_to_a_rounding_of_the_largest():
    """One of six entries is 1e-20 of the spread above the smallest."""
    steps = np.array([0.0, 1e-20, 1.0])
    drifting, settled = (Deviations(steps, np.zeros((3, 1)), drifting) for drifting in (True, False))
    other = deviations(np.array([[0.0], [0.5], [1.0]]))
    assert score(drifting, other).error == pytest.approx(1 / 6)
    assert not score(settled, other).limited


def test_entries_that_are_equal_under_both_weights_are_no_ties_wherever_the_smallest_is():
    low, high = np.array([[0.0, 0.0], [0.5, 1.0]]), np.array([[0.5, 0.5], [0.0, 1.0]])
    assert not score(deviations(low), deviations(high)).limited


@pytest.mark.parametrize(
    ("low", "error"),
    [(np.ones(3), np.inf), (np.array([1.0, np.inf, 2.0]), 0.0), (np.array([1.0, np.nan, 2.0]), 0.0)],
)
def test_networks_without_a_score(low, error):
    found = score(low, np.arange(3.0))
    assert np.isnan(found.score)
    assert found.error == error
    assert found.limited is (error > LIMIT)


def test_deviations_without_a_score():
    other = deviations(SPREAD[0])
    for values in (np.zeros((2, 3)), np.full((2, 3), 0.25)):
        assert np.isnan(score(deviations(values), other).score)
    broken = SPREAD[0].copy()
    broken[0, 0] = np.inf
    assert score(deviations(broken), other).error == 0.0


def test_an_unknown_convention_is_refused():
    with pytest.raises(InputError, match=r"^zeros: found 'dropped'"):
        score(*SPREAD, "dropped")
