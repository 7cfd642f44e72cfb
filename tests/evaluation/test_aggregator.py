import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from epsinas.evaluation.aggregator import learned_aggregate, smooth_tau


def test_smooth_tau_by_hand():
    scores, reached = torch.tensor([0.0, 1.0, 3.0]), torch.tensor([2.0, 1.0, 4.0])
    # Differences of the pairs: -1, -3, -2 and 1, -2, -3.
    pairs = [(-1, 1), (-3, -2), (-2, -3)]
    expected = np.mean([np.tanh(0.5 * s) * np.tanh(0.5 * y) for s, y in pairs])
    assert smooth_tau(scores, reached, 0.5).item() == pytest.approx(expected, rel=1e-6)


def test_a_sharp_one_is_kendalls():
    rng = np.random.default_rng(0)
    scores, reached = rng.normal(size=(2, 30))
    found = smooth_tau(torch.from_numpy(scores), torch.from_numpy(reached), 1e6)
    assert found.item() == pytest.approx(kendalltau(scores, reached).statistic)


def test_layers_can_count_differently():
    """Only the third of five layers matters, where the sum over layers says little."""
    rng = np.random.default_rng(0)
    statistics = rng.normal(size=(120, 5, 2))
    reached = statistics[:, 2, 0]
    predicted = learned_aggregate(statistics[:80], reached[:80], statistics[80:], 0)
    assert predicted.shape == (40,)
    assert kendalltau(predicted, reached[80:]).statistic > 0.7
    assert kendalltau(statistics[80:].sum(axis=(1, 2)), reached[80:]).statistic < 0.5


def test_neither_threads_nor_global_randomness_are_touched():
    torch.manual_seed(7)
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    learned_aggregate(np.zeros((3, 2, 1)), np.arange(3.0), np.zeros((2, 2, 1)), 0)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.get_num_threads() == threads
