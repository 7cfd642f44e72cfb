import math

import mpmath
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from epsinas.engines.base import Deviations
from epsinas.engines.sequences import lumped as recurrent
from epsinas.engines.sequences.batches import TokenBatch, embedding
from epsinas.engines.sequences.counting import count, layers
from epsinas.engines.sequences.full_width import FullWidthRecurrentNetwork
from epsinas.engines.sequences.initialisers import constant
from epsinas.engines.sequences.lumped import LumpedRecurrent
from epsinas.errors import InputError
from epsinas.metrics.epsilon import METRIC, pair_setting
from epsinas.metrics.subject import Conditions, Subject
from epsinas.spaces import NasBenchNLP
from tests import exact
from tests.spaces.test_nas_bench_nlp import GRU, LSTM, RNN, recipe
from tests.subjects import score_outputs as score

SPACE = NasBenchNLP()
TINY = NasBenchNLP(hidden_size=6, layers=3, embedding=4)
STACKED = recipe(
    a=("linear", "x", "h_prev_0"),
    b=("activation_sigm", "a"),
    c=("linear", "b", "h_prev_0"),
    d=("activation_sigm", "c"),
    e=("linear", "d", "h_prev_0"),
    h_new_0=("activation_sigm", "e"),
)


def tokens(steps: int, sequences: int, units: int, seed: int = 0, kind: str = "uniform_positive_1") -> TokenBatch:
    rng = np.random.default_rng(seed)
    return TokenBatch(rng.integers(0, 30, (steps, sequences)), embedding(kind, 30, rng, units))


def full_width(space, architecture, batch, weight, dtype=torch.float64) -> np.ndarray:
    """All units of the last layer, (time, batch, units)."""
    with torch.no_grad():
        network = FullWidthRecurrentNetwork(space, architecture, constant(weight), weight, dtype)
        return network(torch.from_numpy(batch.embedding[batch.tokens]).to(dtype)).numpy()


def lumped(space, architecture, batch, weight, precision="double"):
    return LumpedRecurrent(batch, precision).outputs(recurrent.build(space, architecture), weight)


def assert_agree(ours: np.ndarray, reference: np.ndarray, tolerance: float = 1e-10) -> None:
    finite = np.isfinite(reference)  # states that grow overflow in both at the same step
    largest = np.abs(reference[finite]).max(initial=0)
    np.testing.assert_allclose(ours, reference, rtol=0, atol=tolerance * largest)


# The definition, by hand.


def test_two_steps_of_one_layer_by_hand():
    """One layer of two units on an embedding of two: h = tanh(w * (sum of the embedding + 2 h) + w), h = w at first."""
    space, weight = NasBenchNLP(layers=1, embedding=2), 0.25
    batch = TokenBatch(np.array([[0], [1]]), np.array([[1.0, 2.0], [0.5, 0.0]]))
    first = math.tanh(0.25 * (3.0 + 2 * 0.25) + 0.25)
    second = math.tanh(0.25 * (0.5 + 2 * first) + 0.25)
    assert lumped(space, RNN, batch, weight).ravel() == pytest.approx([first, second], rel=1e-15)
    np.testing.assert_allclose(full_width(space, RNN, batch, weight)[:, 0], [[first] * 2, [second] * 2], rtol=1e-15)


def test_the_second_layer_reads_as_many_units_as_the_first_has():
    """The first layer has three units, h1 = w (x + 3 w) + w; the second one unit, h2 = w (3 h1 + w) + w."""
    linear = recipe(h_new_0=("linear", "x", "h_prev_0"))
    space, weight = NasBenchNLP(hidden_size=3, layers=2, embedding=1), 0.5
    batch = TokenBatch(np.array([[0]]), np.array([[4.0]]))
    first = 0.5 * (4.0 + 3 * 0.5) + 0.5
    second = 0.5 * (3 * first + 0.5) + 0.5
    assert lumped(space, linear, batch, weight).item() == second == 5.625
    assert full_width(space, linear, batch, weight).item() == second


def test_every_operation_by_hand():
    """Blend, product, sum and the leaky rectifier; h_new_0 of one unit with w = 0.5 and x = -7."""
    architecture = recipe(
        a=("linear", "x", "h_prev_0"),  # 0.5 * (-7 + 0.5) + 0.5 = -2.75
        b=("activation_leaky_relu", "a"),  # -0.0275
        c=("activation_sigm", "a"),
        d=("elementwise_prod", "a", "b", "h_prev_0"),
        e=("elementwise_sum", "a", "b", "h_prev_0"),
        h_new_0=("blend", "c", "d", "e"),
    )
    gate = 1 / (1 + math.exp(2.75))
    expected = gate * (-2.75 * -0.0275 * 0.5) + (1 - gate) * (-2.75 - 0.0275 + 0.5)
    space = NasBenchNLP(layers=1, embedding=1)
    batch = TokenBatch(np.array([[0]]), np.array([[-7.0]]))
    assert lumped(space, architecture, batch, 0.5).item() == pytest.approx(expected, rel=1e-15)
    assert full_width(space, architecture, batch, 0.5).item() == pytest.approx(expected, rel=1e-14)


# The reference.


@settings(deadline=None, max_examples=80)
@example(space=NasBenchNLP(2, 3, 1), seed=502, shape=(6, 1), exponent=0.0)
@given(
    space=st.builds(NasBenchNLP, st.integers(1, 9), st.integers(1, 3), st.integers(1, 6)),
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 5)),
    exponent=st.floats(-5, 0),
)
def test_lumped_equals_full_width(space, seed, shape, exponent):
    (architecture,) = SPACE.sample(1, np.random.default_rng(seed))
    batch, weight = tokens(*shape, space.embedding, seed, "random_1"), 10.0**exponent
    reference = full_width(space, architecture, batch, weight)
    assert (reference == reference[:, :, :1]).all() or np.ptp(reference, axis=2).max() < 1e-12 * np.abs(reference).max()
    assert_agree(lumped(space, architecture, batch, weight), reference[:, :, 0])


def scores(space, architecture, batch, weights, precision):
    conditions = [Conditions(space, batch, precision, engine) for engine in ("lumped", "full-width")]
    return [METRIC.score(Subject(one, architecture), pair_setting(weights)) for one in conditions]


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(("precision", "tolerance", "least"), [("double", 1e-3, 20), ("single", 1e-2, 5)])
def test_scores_that_rounding_does_not_limit_equal_those_of_the_full_width_network(precision, tolerance, least):
    agreed, rng = 0, np.random.default_rng(1)
    # No token twice: equal tokens at the first step are equal outputs, which may tie for the smallest by right.
    batch = TokenBatch(rng.permutation(16 * 64).reshape(16, 64), rng.random((16 * 64, 20)))
    space = NasBenchNLP(hidden_size=30, layers=2, embedding=20)
    for architecture in SPACE.sample(60, np.random.default_rng(3)):
        ours, reference = scores(space, architecture, batch, (1e-3, 1e-1), precision)
        if not ours.limited and not reference.limited and not np.isnan(ours.score):
            agreed += 1
            assert ours.score == pytest.approx(reference.score, rel=tolerance)
    assert agreed > least


def test_the_benchmarks_own_cells_at_full_size():
    batch = tokens(4, 3, 400)
    for architecture in (RNN, LSTM, GRU):
        for weight in (1e-5, 1e-3):
            reference = full_width(SPACE, architecture, batch, weight)[:, :, 0]
            assert_agree(lumped(SPACE, architecture, batch, weight), reference, 1e-12)


def test_single_precision_is_float32():
    batch = tokens(5, 4, 4)
    single = lumped(TINY, LSTM, batch, 0.1, "single")
    assert single.dtype == np.float32
    assert_agree(single, lumped(TINY, LSTM, batch, 0.1), 1e-6)


def test_states_that_overflow_have_no_score():
    batch = tokens(40, 4, 4)
    growing = recipe(h_new_0=("linear", "x", "h_prev_0"))
    found = lumped(TINY, growing, batch, 100.0, "single")
    assert np.isinf(found).any()
    assert math.isnan(score(found, found).score)
    assert score(found, found).error == 0.0


# More digits.


def worst_part(found: Deviations, truth: np.ndarray) -> float:
    """The largest error of a difference between two outputs, as a part of the larger of the two parts compared."""
    steps, sequences = (np.vectorize(mpmath.mpf)(part) for part in found.parts)
    ours = steps[:, None] + sequences
    spread = max(truth.ravel()) - min(truth.ravel())
    shifted = (ours - ours[0, 0]) - (truth - truth[0, 0])
    return float(max(abs(shifted.ravel())) / spread)


@settings(deadline=None, max_examples=40)
@example(seed=7226, layers=2, exponent=-5.0, kind="uniform_positive_1")  # a state that drifts by 1e-9 of itself
@given(
    seed=st.integers(0, 2**32 - 1),
    layers=st.integers(1, 3),
    exponent=st.floats(-7, -1),
    kind=st.sampled_from(["uniform_positive_1", "random_1"]),
)
def test_extended_deviations_keep_their_digits(seed, layers, exponent, kind):
    space = NasBenchNLP(hidden_size=6, layers=layers, embedding=4)
    (architecture,) = SPACE.sample(1, np.random.default_rng(seed))
    batch, weight = tokens(4, 3, 4, seed, kind), 10.0**exponent
    with mpmath.workdps(300):
        truth = exact.outputs(space, architecture, batch, weight)
        if max(truth.ravel()) == min(truth.ravel()):
            return
        found = lumped(space, architecture, batch, weight, "extended")
        assert worst_part(found, truth) < 1e-9


@settings(deadline=None, max_examples=40)
@example(seed=183, exponents=(-3.0, -1.0))  # sequences differ by 1e-494, below the range of float64
@example(seed=17049, exponents=(-5.0, -1.0))  # an entry of 3e-19 of the spread is the difference of two time steps
@example(seed=121987, exponents=(-6.0, -1.0))  # a state of 1e-6 drifts by 1e-29 a step
@example(seed=1909, exponents=(-6.0, -2.0))  # a state begins 4e-6 of itself off, and its products cancel
@example(seed=4, exponents=(-6.0, -1.0))  # states drift, but their first two outputs are equal to 34 digits
@example(seed=3460341, exponents=(-6.0, -2.0))  # a state drifts to a value that it is blended with
@given(seed=st.integers(0, 2**32 - 1), exponents=st.tuples(st.floats(-6, -3), st.floats(-2.5, -1)))
def test_extended_scores_equal_those_of_300_digits(seed, exponents):
    (architecture,) = SPACE.sample(1, np.random.default_rng(seed))
    batch, weights = tokens(4, 3, 4, seed), [10.0**exponent for exponent in exponents]
    with mpmath.workdps(300):
        expected = exact.epsilon(*(exact.outputs(TINY, architecture, batch, weight) for weight in weights))
    outputs = [lumped(TINY, architecture, batch, weight, "extended") for weight in weights]
    # A drifting state is told from the weight, where it starts, and not from where it goes: some digits are lost.
    tolerance = 1e-4 if any(one.drifting for one in outputs) else 1e-6
    found = score(*outputs)
    if not found.limited:
        assert found.score == pytest.approx(expected, rel=tolerance, nan_ok=True)


def test_extended_scores_what_float64_rounds_away():
    """Nine sigmoids in a row: sequences differ by less than 1e-40, which double-double could not hold."""
    batch, weights = tokens(6, 4, 4), (1e-7, 1e-6)
    double = [lumped(TINY, STACKED, batch, weight) for weight in weights]
    assert all(np.ptp(found[-1]) == 0 for found in double)
    extended = score(*(lumped(TINY, STACKED, batch, weight, "extended") for weight in weights))
    with mpmath.workdps(300):
        truth = [exact.outputs(TINY, STACKED, batch, weight) for weight in weights]
        assert 0 < max(truth[0][-1]) - min(truth[0][-1]) < 1e-40
        expected = exact.epsilon(*truth)
    assert extended.score == pytest.approx(expected, rel=1e-9)
    assert not extended.limited


def test_extended_equals_double_where_double_has_the_digits():
    batch, weights = tokens(10, 8, 4), (0.05, 0.5)
    for architecture in SPACE.sample(40, np.random.default_rng(5)):
        double, extended = (
            score(*(lumped(TINY, architecture, batch, weight, precision) for weight in weights))
            for precision in ("double", "extended")
        )
        if not double.limited and not np.isnan(double.score):
            assert double.score == pytest.approx(extended.score, rel=1e-4)


def test_extended_outputs_of_an_input_that_nothing_reads_are_constant_for_every_sequence():
    deaf = recipe(h_new_0=("linear", "h_prev_0"), a=("linear", "x"))
    found = lumped(TINY, deaf, tokens(3, 4, 4), 0.1, "extended")
    assert not found.sequences.any()


def test_an_unknown_precision_is_refused():
    with pytest.raises(InputError) as caught:
        LumpedRecurrent(tokens(2, 2, 4), "half")
    assert str(caught.value) == "precision: found 'half', expected one of single, double, extended"


@pytest.mark.parametrize(
    ("architecture", "connected"),
    [
        (RNN, True),
        (LSTM, True),
        (recipe(h_new_0=("linear", "h_prev_0"), a=("linear", "x")), False),
        # The first state reads the second, which reads the input in the time step before.
        (recipe(h_new_0=("linear", "h_prev_1"), h_new_1=("linear", "x", "h_prev_0")), True),
        (recipe(h_new_0=("linear", "h_prev_0"), h_new_1=("linear", "x")), False),
    ],
)
def test_a_network_is_connected_if_its_first_state_ever_sees_the_input(architecture, connected):
    assert recurrent.reaches_output(TINY, architecture) is connected
    outputs = lumped(TINY, architecture, tokens(4, 3, 4), 0.3)
    assert (np.ptp(outputs, axis=1) > 0).any() == connected


# The graph.


def test_what_no_output_needs_is_not_computed():
    lean = recipe(f=("linear", "x", "h_prev_0"), h_new_0=("activation_tanh", "f"))
    fat = recipe(
        f=("linear", "x", "h_prev_0"),
        g=("linear", "x", "h_prev_1"),
        h_new_0=("activation_tanh", "f"),
        h_new_1=("activation_sigm", "g"),
    )
    for one, other in zip(recurrent.build(SPACE, lean), recurrent.build(SPACE, fat), strict=True):
        np.testing.assert_array_equal(one.code, other.code)
        np.testing.assert_array_equal(one.factors, other.factors)


def test_equal_expressions_are_computed_once():
    """The four linear operations of an LSTM's gates are the same function of the same inputs."""
    first, *_ = recurrent.build(SPACE, LSTM)
    assert len(SPACE.parse(LSTM).nodes) == 13
    # linear, tanh (twice: i and o), sigmoid (twice: j and f), two products, sum, tanh, product
    assert len(first.code) == 8


def test_the_first_layer_reads_the_sum_of_the_embedding_and_the_others_600_units():
    factors = [sorted(layer.factors[0].tolist()) for layer in recurrent.build(SPACE, RNN)]
    assert factors == [[0, 1, 600], [0, 600, 600], [0, 400, 600]]


# Counting.


def test_parameters_of_the_plain_cell_by_hand():
    """600 (400 + 600) + 600, then 600 (600 + 600) + 600, then 400 (600 + 400) + 400."""
    counts = count(SPACE, RNN)
    assert counts.parameters == 600_600 + 720_600 + 400_400
    assert counts.flops == 2 * (600_000 + 720_000 + 400_000)
    assert counts.layers == 3


@pytest.mark.parametrize("architecture", [RNN, LSTM, GRU])
def test_parameters_equal_those_of_the_torch_module(architecture):
    space = NasBenchNLP(hidden_size=7, layers=3, embedding=5)
    module = FullWidthRecurrentNetwork(space, architecture, constant(0.1))
    assert count(space, architecture).parameters == sum(parameter.numel() for parameter in module.parameters())
    assert [len(layer) for layer in layers(space, architecture)] == [len(layer) for layer in module.layers]


def test_parameters_equal_the_benchmarks(mirror):
    """WikiText-2 has 33,278 tokens; embedding and decoder share their weights."""
    table = pd.read_parquet(mirror / "nas-bench-nlp.architectures.parquet")
    found = [count(SPACE, architecture, 33_278).parameters for architecture in table["architecture"]]
    assert found == table["parameters_wikitext2"].tolist()
