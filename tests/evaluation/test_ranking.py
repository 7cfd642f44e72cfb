from dataclasses import asdict, fields
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from epsinas.errors import InputError
from epsinas.evaluation.ranking import SIX, Evaluation, bootstrap, evaluate
from tests.conftest import MIRROR

needs_mirror = pytest.mark.skipif(not MIRROR.is_dir(), reason="the mirror of real data is absent")


def values(evaluation: Evaluation) -> list[float]:
    return [getattr(evaluation, name) for name in SIX]


def pairwise_tau_b(x: np.ndarray, y: np.ndarray) -> float:
    """(concordant - discordant) / sqrt(pairs untied in x * pairs untied in y), pair by pair."""
    signs = [(np.sign(x[i] - x[j]), np.sign(y[i] - y[j])) for i, j in combinations(range(len(x)), 2)]
    untied = [sum(s[side] != 0 for s in signs) for side in (0, 1)]
    return sum(a * b for a, b in signs) / np.sqrt(untied[0] * untied[1])


def tied_data(seed: int, networks: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Scores and accuracies that repeat values and lack some."""
    rng = np.random.default_rng(seed)
    performance = rng.integers(0, 150, networks) / 2
    scores = np.round(performance / 10 + rng.normal(0, 2, networks), 1)
    scores[rng.random(networks) < 0.2] = np.nan
    scores[rng.random(networks) < 0.1] = -np.inf
    performance[rng.random(networks) < 0.1] = np.nan
    return scores, performance


def test_fields_begin_with_the_six_scores():
    assert tuple(field.name for field in fields(Evaluation)) == (*SIX, "networks", "archs")


def test_by_hand_on_21_networks():
    # Accuracies 0..20; P_90 = 18, so 19 and 20 are the best 10 %, and P_95 = 19, so 20 is the best 5 %.
    accuracy = np.arange(21.0)
    # A score equal to the accuracy, except that the worst network has the highest score: in ranks it moves by
    # 20 places and the 20 others by 1, so sum d^2 = 420, and 20 of the 210 pairs are discordant.
    scores = accuracy.copy()
    scores[0] = 30
    assert asdict(evaluate(scores, accuracy)) == {
        "spearman_global": pytest.approx(1 - 6 * 420 / (21 * (21**2 - 1))),
        "spearman_top10": pytest.approx(1),
        "kendall_global": pytest.approx((190 - 20) / 210),
        "kendall_top10": pytest.approx(1),
        "top10_top10": 50,  # scores above P_90 = 19 are 20 (accuracy 20) and 30 (accuracy 0)
        "top64_top5": 1,  # fewer than 64 networks: all are taken
        "networks": 21,
        "archs": 21,
    }


def test_losses_by_hand_on_21_networks():
    # Losses 20 down to 0: the best 10 % are below P_10 = 2 (losses 0 and 1), the best 5 % below P_5 = 1.
    loss = np.arange(20.0, -1, -1)
    scores = np.arange(1.0, 22)
    scores[0] = 31
    # The largest scores are still taken: 21 (loss 0) and 31 (loss 20) lie above P_90 = 20.
    expected = [-(1 - 6 * 420 / 9240), -1, -170 / 210, -1, 50, 1]
    assert values(evaluate(scores, loss, higher_is_better=False)) == pytest.approx(expected)


def test_scores_of_0_count_only_for_accuracies():
    scores, performance = [0.0, 1.0, 2.0], [3.0, 2.0, 1.0]
    assert evaluate(scores, performance).archs == 3
    assert evaluate(scores, performance, higher_is_better=False).archs == 2


def test_top64_counts_the_best_5_percent():
    # Accuracies 0..99: P_95 = 94.05, so 95..99 are the best; the network with 97 gets the lowest score.
    accuracy = np.arange(100.0)
    scores = accuracy.copy()
    scores[97] = -1
    assert evaluate(scores, accuracy).top64_top5 == 4


def test_top64_takes_all_that_equal_the_64th():
    # Accuracies 0..58 have scores 99..41; the other 41 networks, the best among them, share the score 40 of
    # the 64th place.
    accuracy = np.arange(100.0)
    scores = np.maximum(99 - accuracy, 40)
    assert evaluate(scores, accuracy).top64_top5 == 5


def test_thresholds_are_strict():
    # Eleven networks: P_90 is exactly the second-best accuracy, which therefore does not belong to the best.
    accuracy = np.arange(11.0)
    scores = accuracy.copy()
    scores[[9, 10]] = 10, 9
    evaluation = evaluate(scores, accuracy)
    assert evaluation.top10_top10 == 0  # the one score above P_90 = 9 has accuracy 9
    assert np.isnan(evaluation.spearman_top10)  # only one network is in the top 10 %


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("higher_is_better", [True, False])
def test_agrees_with_scipy_and_with_pairs_on_ties_and_missing_values(seed: int, higher_is_better: bool):
    scores, performance = tied_data(seed)
    both = np.isfinite(scores) & np.isfinite(performance) & (higher_is_better | (scores != 0))
    s, p = scores[both], performance[both]
    merit = p if higher_is_better else -p
    top = merit > np.percentile(merit, 90)
    evaluation = evaluate(scores, performance, higher_is_better=higher_is_better)
    assert (evaluation.networks, evaluation.archs) == (400, both.sum())
    assert evaluation.spearman_global == pytest.approx(stats.spearmanr(s, p).statistic)
    assert evaluation.spearman_global == pytest.approx(np.corrcoef(stats.rankdata(s), stats.rankdata(p))[0, 1])
    assert evaluation.kendall_global == pytest.approx(stats.kendalltau(s, p).statistic)
    assert evaluation.kendall_global == pytest.approx(pairwise_tau_b(s, p))
    assert evaluation.spearman_top10 == pytest.approx(stats.spearmanr(s[top], p[top]).statistic)
    assert evaluation.kendall_top10 == pytest.approx(pairwise_tau_b(s[top], p[top]))
    assert evaluation.top10_top10 == pytest.approx(100 * top[s > np.percentile(s, 90)].mean())


def test_only_ranks_of_scores_matter_and_order_of_networks_does_not():
    scores, performance = tied_data(3)
    shuffled = np.random.default_rng(0).permutation(len(scores))
    other = evaluate(np.exp(scores[shuffled] / 4), performance[shuffled])
    # exp(-inf) = 0 would be a score; missing stays missing.
    expected = evaluate(np.where(np.isinf(scores), -1e3, scores), performance)
    assert values(other)[:4] == pytest.approx(values(expected)[:4])


@pytest.mark.parametrize(
    ("scores", "performance", "archs"),
    [([], [], 0), ([1.0], [2.0], 1), ([np.nan, 1.0, 2.0], [1.0, 2.0, np.nan], 1)],
)
def test_fewer_than_two_networks_have_no_evaluation(scores: list, performance: list, archs: int):
    evaluation = evaluate(scores, performance)
    assert np.isnan(values(evaluation)).all()
    assert (evaluation.networks, evaluation.archs) == (len(scores), archs)


def test_constant_scores_have_no_correlation():
    evaluation = evaluate(np.ones(50), np.arange(50.0))
    assert np.isnan(values(evaluation)[:5]).all()
    assert evaluation.top64_top5 == 3  # all are tied for the 64th place; 47, 48, 49 lie above P_95 = 46.55


def test_constant_performance_has_no_correlation_and_no_best_networks():
    evaluation = evaluate(np.arange(50.0), np.ones(50))
    assert np.isnan(values(evaluation)[:4]).all()
    assert values(evaluation)[4:] == [0, 0]


def test_accepts_nullable_columns():
    scores = pd.Series([0.1, None, 0.3, 0.2], dtype="Float64")
    evaluation = evaluate(scores, [1, 2, 3, 2])
    assert (evaluation.spearman_global, evaluation.archs) == (pytest.approx(1), 3)


@pytest.mark.parametrize(
    ("scores", "performance", "message"),
    [
        (
            ["a"],
            [1.0],
            "scores: expected one number for each network, but found str32",
        ),
        (["1", "2"], [1.0, 2.0], "scores: expected one number for each network, but found str32"),
        (
            [10**400, 1.0],
            [1.0, 2.0],
            "scores: expected one number for each network, but int too large to convert to float",
        ),
        ([1.0, 2.0], [1j, 2.0], "performance: found complex numbers, expected real ones"),
        ([[1.0]], [1.0], "scores: found 2 dimensions, expected 1 (one number for each network)"),
        ([1.0, 2.0], [1.0], "performance: found 1 values, expected one for each of 2 networks"),
    ],
)
def test_bad_input(scores: list, performance: list, message: str):
    with pytest.raises(InputError) as raised:
        evaluate(scores, performance)
    assert str(raised.value) == message


def test_bootstrap_of_a_perfect_metric():
    # Whatever is drawn, ranks agree; draws of one network only have no correlation and are left out.
    accuracy = np.array([1.0, 2.0])
    intervals = bootstrap(accuracy, accuracy, 50, np.random.default_rng(0))
    assert tuple(intervals) == SIX
    assert intervals["spearman_global"] == pytest.approx((1, 1))
    assert intervals["kendall_global"] == pytest.approx((1, 1))
    assert np.isnan(intervals["spearman_top10"]).all()  # one network is never correlated


def test_bootstrap_resamples_the_networks_that_have_both_values():
    scores, performance = tied_data(4)
    intervals = bootstrap(scores, performance, 200, np.random.default_rng(1), confidence=0.9)
    both = np.isfinite(scores) & np.isfinite(performance)
    rng = np.random.default_rng(1)
    draws = rng.integers(both.sum(), size=(200, both.sum()))
    taus = [stats.kendalltau(scores[both][draw], performance[both][draw]).statistic for draw in draws]
    assert intervals["kendall_global"] == pytest.approx(tuple(np.percentile(taus, [5, 95])))
    low, high = intervals["spearman_global"]
    assert low < evaluate(scores, performance).spearman_global < high


def test_bootstrap_is_determined_by_the_generator():
    scores, performance = tied_data(5)
    first, again, other = (
        bootstrap(scores, performance, 20, np.random.default_rng(seed), higher_is_better=False) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_bootstrap_intervals_narrow_with_confidence():
    scores, performance = tied_data(6)
    wide, narrow = (
        bootstrap(scores, performance, 50, np.random.default_rng(1), confidence=level) for level in (0.95, 0.5)
    )
    assert wide["spearman_global"][0] < narrow["spearman_global"][0]
    assert narrow["spearman_global"][1] < wide["spearman_global"][1]


def test_bootstrap_without_networks_is_nan():
    intervals = bootstrap([np.nan, 1.0], [1.0, 1.0], 5, np.random.default_rng(0))
    assert np.isnan(list(intervals.values())).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resamples": 0}, "resamples: found 0, expected at least 1"),
        ({"confidence": 95}, "confidence: found 95, expected a number between 0 and 1"),
        ({"performance": [1.0]}, "performance: found 1 values, expected one for each of 2 networks"),
    ],
)
def test_bootstrap_bad_input(arguments: dict, message: str):
    usual = {"scores": [1.0, 2.0], "performance": [1.0, 2.0], "resamples": 5, "rng": np.random.default_rng(0)}
    with pytest.raises(InputError) as raised:
        bootstrap(**usual | arguments)
    assert str(raised.value) == message


@needs_mirror
def test_synflow_and_naswot_on_nas_bench_201():
    performance = pd.read_parquet(MIRROR / "nas-bench-201.performance.parquet")
    performance = performance.query("dataset == 'cifar10' and split == 'test' and epochs == 200")
    accuracy = performance[performance.seed.isna()].set_index("index").accuracy.reindex(range(15_625))
    scores = pd.read_parquet(MIRROR / "nas-bench-201.published-scores.parquet").query("dataset == 'cifar10'")

    def of(metric: str) -> Evaluation:
        return evaluate(scores[scores.metric == metric].set_index("index").score.reindex(accuracy.index), accuracy)

    # Table 1 has 0.74, 0.18, 0.54, 0.12, 45.75 and 29 for synflow, with other draws of the initial weights
    # and over all networks rather than the 9,445 without unreachable operations.
    assert of("synflow").archs == 9_445
    assert values(of("synflow")) == pytest.approx([0.775, 0.235, 0.578, 0.157, 50.4, 36], abs=0.05)
    assert of("naswot").archs == 15_424
    assert of("naswot").spearman_global == pytest.approx(0.786, abs=1e-3)
