import numpy as np
import pytest
from scipy import stats

from epsinas import InputError
from epsinas.evaluation.combination import combined_metrics, mean_rank_correlations


def test_one_matrix_answers_for_all_sets():
    columns = np.random.default_rng(0).normal(size=(5, 40)) + np.random.default_rng(1).normal(size=40)
    ranks = stats.rankdata(columns, axis=1)
    sets = [(0,), (0, 2), (1, 2, 3)]
    found = mean_rank_correlations(stats.spearmanr(columns, axis=1).statistic, sets, 4)
    expected = [np.corrcoef(ranks[list(chosen)].mean(axis=0), ranks[4])[0, 1] for chosen in sets]
    np.testing.assert_allclose(found, expected)


def test_a_choice_among_noise_does_not_hold_out():
    rng = np.random.default_rng(0)
    scores = {str(name): column for name, column in enumerate(rng.normal(size=(12, 300)))}
    table = combined_metrics(scores, rng.normal(size=300), range(300), 2, 20, rng)
    assert len(table) == 66
    assert table["spearman"].is_monotonic_decreasing
    assert table["spearman"][0] > 0.08
    assert abs(table["best_held_out"][0]) < 0.05
    assert table["chosen"].sum() == 20
    mean = (table["held_out"] * table["chosen"]).sum() / 20
    assert mean == pytest.approx(table["best_held_out"][0])


def test_classes_are_not_divided():
    """With each network twice, a half that had one of each would know the other half altogether."""
    rng = np.random.default_rng(0)
    noise, performance = np.repeat(rng.normal(size=(10, 60)), 2, axis=1), np.repeat(rng.normal(size=60), 2)
    scores = {str(name): column for name, column in enumerate(noise)}
    together = combined_metrics(scores, performance, np.repeat(range(60), 2), 2, 50, np.random.default_rng(1))
    divided = combined_metrics(scores, performance, range(120), 2, 50, np.random.default_rng(1))
    assert together["best_held_out"][0] < divided["best_held_out"][0] - 0.05


def test_too_few_metrics():
    with pytest.raises(InputError, match="scores: found 1 metrics, expected at least the 2 of a combination"):
        combined_metrics({"a": [1, 2]}, [1, 2], [0, 1], 2, 1, np.random.default_rng(0))
