import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epsinas import epsilon
from epsinas.errors import InputError
from epsinas.metrics.epsilon import normalise

# Normalised: 0 1/4 1/2 1 and 1 0 1/4 3/4.
LOW, HIGH = [0.0, 1.0, 2.0, 4.0], [8.0, 0.0, 2.0, 6.0]
vectors = st.lists(st.integers(-1000, 1000), min_size=4, max_size=4)


def test_kept_by_hand():
    delta = (1 + 1 / 4 + 1 / 4 + 1 / 4) / 4
    mu = (1 / 4 + 1 / 2 + 1 + 1 + 1 / 4 + 3 / 4) / 8
    assert epsilon(LOW, HIGH, zeros="kept") == pytest.approx(delta / mu, rel=1e-15)


def test_masked_by_hand():
    # The third and fourth entries remain in both; three entries of each vector remain at all.
    delta = (1 / 4 + 1 / 4) / 2
    mu = (1 / 4 + 1 / 2 + 1 + 1 + 1 / 4 + 3 / 4) / 6
    assert epsilon(LOW, HIGH) == epsilon(LOW, HIGH, zeros="masked") == pytest.approx(delta / mu, rel=1e-15)


def test_masked_leaves_out_every_entry_at_the_minimum():
    # Normalised: 0 0 1/2 1 and 0 1 1 1/2; the first entry is out of both.
    delta, mu = (1 / 2 + 1 / 2) / 2, (1 / 2 + 1 + 1 + 1 + 1 / 2) / 5
    assert epsilon([3, 3, 4, 5], [0, 2, 2, 1]) == pytest.approx(delta / mu, rel=1e-15)


def test_equal_outputs_score_0():
    assert epsilon(LOW, LOW) == epsilon(LOW, LOW, zeros="kept") == 0


def test_no_score_where_nothing_remains_in_both():
    assert np.isnan(epsilon([0, 1], [1, 0]))
    assert epsilon([0, 1], [1, 0], zeros="kept") == 2


def test_shape_does_not_matter():
    assert epsilon(np.reshape(LOW, (2, 2)), np.reshape(HIGH, (4, 1))) == epsilon(LOW, HIGH)


@pytest.mark.parametrize("zeros", ["masked", "kept"])
@given(low=vectors, high=vectors)
def test_symmetric(zeros, low, high):
    np.testing.assert_allclose(epsilon(low, high, zeros), epsilon(high, low, zeros), rtol=1e-14)


@pytest.mark.parametrize("zeros", ["masked", "kept"])
@given(low=vectors, high=vectors, powers=st.tuples(st.integers(-1060, 1000), st.integers(-1060, 1000)))
def test_powers_of_two_change_nothing(zeros, low, high, powers):
    scaled = (np.ldexp(np.array(v, float), power) for v, power in zip((low, high), powers, strict=True))
    np.testing.assert_array_equal(epsilon(*scaled, zeros), epsilon(low, high, zeros))


@pytest.mark.parametrize("zeros", ["masked", "kept"])
@given(
    low=vectors,
    high=vectors,
    factors=st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)),
    shifts=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
)
def test_positive_affine_maps_change_nothing_but_rounding(zeros, low, high, factors, shifts):
    # A shift of at most one step between integers costs no more than the last few digits.
    mapped = (
        factor * (np.array(vector) + shift) for vector, factor, shift in zip((low, high), factors, shifts, strict=True)
    )
    np.testing.assert_allclose(epsilon(*mapped, zeros), epsilon(low, high, zeros), rtol=1e-9, atol=1e-11)


def test_negative_factors_do_change_the_score():
    assert epsilon(np.negative(LOW), HIGH) != epsilon(LOW, HIGH)


@pytest.mark.parametrize("zeros", ["masked", "kept"])
@pytest.mark.parametrize("bad", [[5.0] * 4, [0.0] * 4, [0, 1, 2, np.nan], [0, 1, 2, np.inf], [0, 1, 2, -np.inf]])
def test_no_score_for_constant_or_non_finite_outputs(bad, zeros):
    assert np.isnan(epsilon(bad, HIGH, zeros))
    assert np.isnan(epsilon(LOW, bad, zeros))


def test_no_score_for_no_outputs():
    assert np.isnan(epsilon([], []))


@pytest.mark.parametrize("step", [5e-324, 1e-310, 2.0**-1040])
def test_subnormal_outputs_are_normalised(step):
    assert normalise(np.array([0, 1, 2, 4]) * step).tolist() == [0, 0.25, 0.5, 1]


def test_the_widest_outputs_are_normalised():
    largest = np.finfo(np.float64).max
    assert normalise([-largest, 0, largest]).tolist() == [0, 0.5, 1]


def test_single_precision_outputs_are_compared_in_double_precision():
    outputs = np.array([0, 1, 3], np.float32)
    assert normalise(outputs).dtype == np.float64
    assert normalise(outputs)[1] == 1 / 3


def test_different_sizes_are_refused():
    with pytest.raises(InputError, match=r"^outputs: found 4 and 3 entries, expected as many$"):
        epsilon(LOW, HIGH[:3])


@pytest.mark.parametrize("make", [np.array, torch.tensor, list])
def test_complex_outputs_are_refused(make):
    with pytest.raises(InputError, match=r"^outputs: found complex numbers, expected real ones$"):
        epsilon(make([0.0, 1.0, 2.0, 4.0]), make([1j, 0.0, 2.0, 6.0]))


def test_outputs_may_be_tensors_without_a_gradient():
    assert epsilon(torch.tensor(LOW), torch.tensor(HIGH)) == epsilon(LOW, HIGH)
    with pytest.raises(InputError, match=r"^outputs: expected real numbers, but Can't call numpy\(\) on Tensor that "):
        epsilon(torch.tensor(LOW, requires_grad=True), HIGH)


@pytest.mark.parametrize(
    ("outputs", "kind"),
    [
        (["1", "2"], "str32"),
        ([None, 1.0], "object"),
        ([10**400, 1], "object"),
        (np.zeros(2, "M8[Y]"), r"datetime64\[Y\]"),
    ],
)
def test_outputs_that_are_no_numbers_are_refused(outputs, kind):
    with pytest.raises(InputError, match=rf"^outputs: found {kind}, expected real numbers$"):
        epsilon(outputs, outputs)


def test_an_unknown_convention_is_refused():
    with pytest.raises(InputError, match=r"^zeros: found 'dropped', expected one of masked, kept$"):
        epsilon(LOW, HIGH, zeros="dropped")
