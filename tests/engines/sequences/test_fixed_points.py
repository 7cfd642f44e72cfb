import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epsinas.engines.sequences import fixed_points, lumped
from epsinas.engines.sequences.fixed_points import find_constants
from epsinas.spaces import NasBenchNLP
from tests.spaces.test_nas_bench_nlp import recipe

TINY = NasBenchNLP(hidden_size=6, layers=1, embedding=4)


def constants(architecture, x, weight, steps=10):
    (layer,) = lumped.build(TINY, architecture)
    return find_constants(layer.code, layer.factors, layer.outputs, x, weight, steps)


def test_a_fixed_point_by_hand():
    """h = w (4 h + x) + w tends to w (x + 1) / (1 - 4 w), by 8e-12 of itself from where it starts if x is 0."""
    weight = 2e-12
    found = constants(recipe(h_new_0=("linear", "h_prev_0", "x")), 0.0, weight)
    with mpmath.workdps(50):
        w = mpmath.mpf(weight)
        end = w / (1 - 4 * w)
        assert found.start[0] == pytest.approx(float(w - end), rel=1e-15, abs=0)
    assert found.registers[1] == pytest.approx(float(end), rel=1e-15, abs=0)
    assert found.drift[0] == 0


def test_a_drift_below_a_rounding_by_hand():
    """With a = w x + w and b = a * a, h grows by b (a - h), which is about w ** 4 for x = w."""
    drifting = recipe(a=("linear", "x"), b=("elementwise_prod", "a", "a"), h_new_0=("blend", "b", "a", "h_prev_0"))
    weight = 2.0**-30
    found = constants(drifting, weight, weight)
    added = weight * weight  # one lumped unit of the input
    assert found.start[0] == 0
    assert found.drift[0] == pytest.approx((weight + added) ** 2 * added, rel=1e-15, abs=0)
    assert weight + found.drift[0] == weight


def test_states_that_grow_start_from_the_weight():
    found = constants(recipe(h_new_0=("linear", "h_prev_0", "x")), 1.0, 0.5, steps=1000)
    assert found.registers[1] == 0.5
    assert found.drift[0] == 0.5 * (4 * 0.5 + 1) + 0.5 - 0.5


def test_a_state_that_vanishes_has_the_constant_zero():
    found = constants(recipe(h_new_0=("elementwise_prod", "h_prev_0", "h_prev_0")), 1.0, 0.5)
    assert found.registers[1] == 0
    assert found.start[0] == 0.5


@given(x=st.floats(-700, 700) | st.floats(-1e-8, 1e-8))
def test_functions_of_decimals_are_those_of_mpmath(x):
    with fixed_points.localcontext(prec=60), mpmath.workdps(80):
        for ours, theirs in (
            (fixed_points._tanh, mpmath.tanh),
            (fixed_points._sigmoid, lambda value: 1 / (1 + mpmath.exp(-value))),
        ):
            found = mpmath.mpf(str(ours(fixed_points.Decimal(x))))
            assert abs(found - theirs(mpmath.mpf(x))) <= abs(theirs(mpmath.mpf(x))) * mpmath.mpf("1e-45")
    assert np.isfinite(x)
