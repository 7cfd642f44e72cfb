import numpy as np
import pytest

from epsinas.evaluation.multiplicities import Multiset
from epsinas.evaluation.ranking import SIX, evaluate


def written_out(scores, performance, counts, higher_is_better):
    """The measures of the networks, each written as often as it occurs."""
    every = np.repeat(np.arange(len(counts)), counts)
    found = evaluate(scores[every], performance[every], higher_is_better=higher_is_better)
    return [getattr(found, name) for name in SIX]


@pytest.mark.parametrize("higher_is_better", [True, False])
@pytest.mark.parametrize("steps", [3, 40, 10_000])
@pytest.mark.parametrize("networks", [2, 11, 64, 101, 700])
def test_as_if_each_network_were_written_as_often_as_it_occurs(networks, steps, higher_is_better):
    """With values that repeat, thresholds that are one of the values, and fewer than 64 networks."""
    rng = np.random.default_rng(networks)
    for _ in range(5):
        performance = rng.integers(1, steps, networks) / 8
        scores = 1 + np.round(performance + rng.normal(size=networks), 1)
        scores = scores - scores.min() + 1  # a score of 0 counts as none where a loss is compared
        counts = rng.multinomial(networks, np.full(networks, 1 / networks))
        found = Multiset(scores, performance, higher_is_better).six(counts)
        expected = written_out(scores, performance, counts, higher_is_better)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


def test_thresholds_and_pairs_are_exact():
    rng = np.random.default_rng(0)
    scores, performance = rng.permutation(1001) + 1.0, rng.permutation(1001) + 0.0
    counts = np.ones(1001, np.int64)
    found = Multiset(scores, performance, True).six(counts)
    expected = written_out(scores, performance, counts, True)
    assert [*found[2:]] == expected[2:]


def test_fewer_than_two_networks():
    assert np.isnan(Multiset(np.array([1.0, 2.0]), np.array([1.0, 2.0]), True).six(np.array([1, 0]))).all()


def test_as_many_networks_as_the_largest_space_has():
    """Sums of cubes of 423,624 stay within 64 bits."""
    networks = np.arange(423_624.0)
    rho, _, tau, *_ = Multiset(networks, networks[::-1].copy(), True).six(np.ones(len(networks), np.int64))
    assert (rho, tau) == (-1, -1)
