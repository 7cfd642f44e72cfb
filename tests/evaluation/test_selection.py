import numpy as np
import pandas as pd
import pytest

from epsinas.errors import InputError
from epsinas.evaluation.selection import select, select_optimal, select_random
from tests.conftest import MIRROR

needs_mirror = pytest.mark.skipif(not MIRROR.is_dir(), reason="the mirror of real data is absent")

SELECTORS = {
    "score": lambda *arguments: select([1.0, np.nan, 2.0, 0.5, -1.0], *arguments),
    "optimal": select_optimal,
    "random": select_random,
}
ACCURACY = {"valid": [10.0, 20.0, 30.0, 40.0, 50.0], "test": [5.0, 4.0, 3.0, 2.0, 1.0]}


class Drawn:
    """Stands in for a generator: the pools are these."""

    def __init__(self, pools: list[list[int]]):
        self.pools = np.array(pools)

    def integers(self, high: int, size: tuple[int, int]) -> np.ndarray:
        assert size == self.pools.shape
        return self.pools


def test_by_hand():
    nan = np.nan
    # Scores of the pools: 1 nan 2, 0.5 -1 0.5, nan nan nan, nan -1 nan.
    pools = Drawn([[0, 1, 2], [3, 4, 3], [1, 1, 1], [1, 4, 1]])
    picked = select([1.0, nan, 2.0, 0.5, -1.0], ACCURACY, 3, 4, pools)
    assert picked["valid"].tolist() == [30, 40, 20, 50]
    assert picked["test"].tolist() == [3, 2, 4, 1]


def test_ties_and_pools_without_a_score_go_to_the_first_drawn():
    scores = [7.0, 7.0, np.nan, -np.inf, 7.0]
    picked = select(scores, ACCURACY, 3, 3, Drawn([[2, 4, 0], [3, 2, 3], [1, 0, 4]]))
    assert picked["valid"].tolist() == [50, 40, 20]


def test_optimal_by_hand_is_the_best_of_each_column_by_itself():
    best = select_optimal(ACCURACY, 3, 2, Drawn([[0, 1, 2], [4, 3, 4]]))
    assert best["valid"].tolist() == [30, 50]
    assert best["test"].tolist() == [5, 2]


def test_optimal_passes_over_unknown_accuracies():
    column = {"test": [np.nan, 2.0, np.nan]}
    best = select_optimal(column, 2, 2, Drawn([[0, 1], [0, 2]]))["test"]
    assert best[0] == 2
    assert np.isnan(best[1])


def test_random_takes_the_first_drawn():
    assert select_random(ACCURACY, 2, 2, Drawn([[1, 2], [4, 0]]))["test"].tolist() == [4, 1]


def test_pools_are_the_same_for_all_methods():
    methods = {name: method(ACCURACY, 2, 100, np.random.default_rng(3))["valid"] for name, method in SELECTORS.items()}
    assert (methods["optimal"] >= methods["score"]).all()
    assert (methods["optimal"] >= methods["random"]).all()
    # A score that is the accuracy itself finds the optimum in the same pools.
    perfect = select(ACCURACY["valid"], ACCURACY, 2, 100, np.random.default_rng(3))
    assert (perfect["valid"] == methods["optimal"]).all()


def test_random_has_the_mean_of_the_space():
    # 20,000 draws from 10..50 with a standard deviation of sqrt(200): the mean's standard error is 0.1.
    drawn = select_random(ACCURACY, 3, 20_000, np.random.default_rng(0))["valid"]
    assert drawn.mean() == pytest.approx(30, abs=0.4)


def test_optimal_has_the_expected_maximum():
    # P(best of 2 <= rank k) = (k/5)^2, so the mean rank is sum k (k^2 - (k-1)^2) / 25 = 3.8.
    best = select_optimal(ACCURACY, 2, 20_000, np.random.default_rng(0))["valid"]
    assert best.mean() == pytest.approx(38, abs=0.4)


@pytest.mark.parametrize("name", SELECTORS)
def test_shapes_and_determinism(name: str):
    first, again, other = (SELECTORS[name](ACCURACY, 2, 30, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert list(first) == ["valid", "test"]
    assert first["test"].shape == (30,)
    assert first["test"].dtype == np.float64
    assert (first["test"] == again["test"]).all()
    assert (first["test"] != other["test"]).any()


@pytest.mark.parametrize("name", SELECTORS)
@pytest.mark.parametrize(
    ("performance", "pool_size", "runs", "message"),
    [
        ({}, 1, 1, "performance: found no column, expected at least one"),
        ({"test": []}, 1, 1, "performance: found no network, expected at least one"),
        (
            {"valid": [1.0] * 5, "test": [1.0]},
            1,
            1,
            "performance['test']: found 1 values, expected one for each of 5 networks",
        ),
        (ACCURACY, 0, 1, "pool_size: found 0, expected at least 1"),
        (ACCURACY, 1, 0, "runs: found 0, expected at least 1"),
    ],
)
def test_bad_input(name: str, performance: dict, pool_size: int, runs: int, message: str):
    with pytest.raises(InputError) as raised:
        SELECTORS[name](performance, pool_size, runs, np.random.default_rng(0))
    assert str(raised.value) == message


def test_as_many_scores_as_networks():
    with pytest.raises(InputError) as raised:
        select([1.0], ACCURACY, 1, 1, np.random.default_rng(0))
    assert str(raised.value) == "scores: found 1 values, expected one for each of 5 networks"


@needs_mirror
@pytest.mark.parametrize(
    ("method", "mean", "spread"),
    # Table 2, N=1000, CIFAR-10 test: 92.96 +- 0.81, 94.20 +- 0.13 and 87.40 +- 11.94.
    [("naswot", 92.96, 0.81), ("optimal", 94.20, 0.13), ("random", 87.40, 11.94)],
)
def test_table_2_on_nas_bench_201(method: str, mean: float, spread: float):
    table = pd.read_parquet(MIRROR / "nas-bench-201.performance.parquet")
    table = table.query("dataset == 'cifar10' and split == 'test' and epochs == 200")
    columns = {"test": table[table.seed.isna()].set_index("index").accuracy.reindex(range(15_625))}
    scores = pd.read_parquet(MIRROR / "nas-bench-201.published-scores.parquet")
    scores = scores.query("dataset == 'cifar10' and metric == 'naswot'").set_index("index").score
    rng = np.random.default_rng(0)
    if method == "naswot":
        picked = select(scores.reindex(range(15_625)), columns, 1000, 500, rng)["test"]
    else:
        picked = {"optimal": select_optimal, "random": select_random}[method](columns, 1000, 500, rng)["test"]
    # The published naswot was computed from another batch and random initialisation.
    assert picked.mean() == pytest.approx(mean, abs=0.15 * spread + 0.05)
    assert picked.std() == pytest.approx(spread, rel=0.3)
