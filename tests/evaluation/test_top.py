from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from epsinas import InputError
from epsinas.evaluation.top import best_rank_at, ndcg_at, precision_at, regret, weighted_kendall

MEASURES = [precision_at, best_rank_at, ndcg_at, regret]
SCORES = [3.0, 3.0, 1.0, 3.0, 2.0, 2.0]
PERFORMANCE = [90.0, 94.0, 95.0, 91.0, 93.0, 92.0]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6])
def test_ties_are_the_mean_over_all_orders(measure, k):
    found = []
    for order in permutations(range(6)):
        broken = np.array(SCORES) + 1e-3 * np.array(order)
        found.append(measure(broken, PERFORMANCE, k))
    assert measure(SCORES, PERFORMANCE, k) == pytest.approx(np.mean(found))


def test_by_hand():
    scores = [6, 5, 4, 3, 2, 1]
    assert [precision_at(scores, PERFORMANCE, k) for k in (1, 2, 4)] == [0, 0.5, 0.5]
    assert [best_rank_at(scores, PERFORMANCE, k) for k in (1, 2, 3)] == [6, 2, 1]
    assert [regret(scores, PERFORMANCE, k) for k in (1, 2, 3)] == [5, 1, 0]


def test_equal_performances_share_the_best_rank():
    assert best_rank_at([2, 1, 0], [90, 91, 91], 2) == 1
    assert precision_at([2, 1, 0], [91, 90, 91], 1) == 1


@pytest.mark.parametrize("k", [1, 3, 6])
def test_ndcg_against_scikit_learn(k):
    gains = np.argsort(np.argsort(PERFORMANCE)) / 5
    for scores in (SCORES, [6, 5, 4, 3, 2, 1]):
        assert ndcg_at(scores, PERFORMANCE, k) == pytest.approx(ndcg_score([gains], [scores], k=k))


def test_perfect_rankings():
    assert [measure(PERFORMANCE, PERFORMANCE, 2) for measure in MEASURES] == [1, 1, 1, 0]
    assert weighted_kendall(PERFORMANCE, PERFORMANCE) == pytest.approx(1)


def test_without_variation():
    assert np.isnan(weighted_kendall([1, 1], [1, 2]))
    assert np.isnan(ndcg_at([1.0], [90.0], 1))  # no network is better than another


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("scores", "performance", "k", "message"),
    [
        ([1, np.nan], [1, 2], 1, "scores: found a value that is not finite"),
        ([1, 2], [1, np.inf], 1, "performance: found a value that is not finite"),
        ([1, 2], [1], 1, "performance: found 1 values, expected one for each of 2 networks"),
        ([1, 2], [1, 2], 3, "k: found 3, expected 1 to 2"),
        ([1, 2], [1, 2], 0, "k: found 0, expected 1 to 2"),
    ],
)
def test_mistakes(measure, scores, performance, k, message):
    with pytest.raises(InputError, match=message):
        measure(scores, performance, k)
