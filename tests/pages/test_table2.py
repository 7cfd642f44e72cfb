import dataclasses

import numpy as np
import pandas as pd
import pytest

from epsinas import NasBench201
from epsinas.evaluation.runs import Evaluated
from epsinas.metrics.base import METRICS
from epsinas.pages.table2 import (
    baseline_rows,
    compared_row,
    comparison_table,
    computed_row,
    quoted_rows,
    score_row,
    trained_rows,
    with_gains,
)
from epsinas.study.comparison import IMPORTED, SHIPPED

SPACE = NasBench201()
POOLS = {"pool_size": 50, "runs": 20, "seed": 0}
SCORES = {"cifar10": pd.Series([np.nan, 1.0, 3.0, 2.0])}
COLUMNS = {
    "cifar10_valid": None,
    "cifar10_test": pd.Series([90.0, 80.0, 70.0, 60.0]),
    "cifar100_valid": None,
    "cifar100_test": pd.Series([40.0, 30.0, 20.0, 10.0]),
}


def test_the_highest_score_of_each_pool():
    # Every pool of 50 of four networks has the third one, which has the highest score.
    row = score_row("epsilon", SCORES, COLUMNS, **POOLS)
    assert row["block"] == "Trainless (N=50)"
    assert (row["cifar10_test_mean"], row["cifar10_test_sd"], row["runs"]) == (70, 0, 20)
    assert (row["cifar10_scored"], row["cifar10_networks"]) == (3, 4)
    assert "cifar100_scored" not in row
    assert row["note"] == "cifar10: 3 of 4 networks scored; cifar100: no scores in the data source"
    assert np.isnan(row["cifar100_test_mean"])
    assert row["missing"] == "not in the data source: cifar10_valid, cifar100_valid, cifar100_test"


def test_cost_of_scoring_a_pool():
    row = computed_row("epsilon", SCORES, COLUMNS, 7.2, **POOLS)
    assert row["cost_hours"] == pytest.approx(7.2 / 4 * 50 / 3600)
    assert row["cost_origin"].startswith("measured: scoring cifar10 on one core")


def test_baselines():
    best, chance = baseline_rows(COLUMNS, **POOLS)
    assert (best["method"], best["cifar10_test_mean"], best["cifar100_test_mean"]) == ("Optimal", 90, 40)
    assert 60 <= chance["cifar10_test_mean"] < 90
    assert best["missing"] == "not in the data source: cifar10_valid, cifar100_valid"


def test_published_scores():
    scores = {"cifar10": pd.Series([np.nan, 9.0, np.nan, 5.0])}
    table = pd.DataFrame({"stand_in": ["noise"]})
    metric = dataclasses.replace(METRICS["naswot"], name="naswot@published")
    published = [Evaluated(metric, table, table, "test", 200, IMPORTED)]
    row = compared_row(published, scores, COLUMNS, {"naswot": 7.2}, **POOLS)
    assert (row["method"], row["scores"], row["stand_in"]) == ("naswot@published", "imported", "noise")
    assert row["cifar10_test_mean"] == 80
    assert row["note"].startswith("scores as others published them; cifar10: 2 of 4 networks scored")
    assert "cost_hours" not in row
    own = [Evaluated(METRICS["naswot"], table, table, "test", 200, SHIPPED)]
    row = compared_row(own, scores, COLUMNS, {"naswot": 7.2}, **POOLS)
    assert row["cost_hours"] == pytest.approx(7.2e-3 * 50 / 3600)
    assert row["note"].startswith("cifar10: 2 of 4")


def test_trained_searches_choose_by_validation_and_pay():
    architectures = list(SPACE.architectures())
    rng = np.random.default_rng(0)
    validation, cost = pd.Series(rng.uniform(10, 90, 15625)), pd.Series(np.full(15625, 100.0))
    columns = {"a_test": validation - 5, "a_valid": None}
    rows = trained_rows(SPACE, architectures, validation, cost, columns, 1000.0, runs=8, seed=0)
    assert [row["method"] for row in rows] == ["REA", "RS", "REINFORCE"]
    for row in rows:
        assert row["cost_hours"] == pytest.approx(1000 / 3600)
        assert row["runs"] == 8
        # The best of ten trained networks, whose test accuracy is its validation accuracy less 5.
        assert 60 < row["a_test_mean"] < 85
        assert row["missing"] == "not in the data source: a_valid"


def test_quoted_rows_are_those_not_recomputed():
    rows = quoted_rows(["cifar10", "ImageNet16-120"], [("State-of-the-art", "REA")])
    methods = [row["method"] for row in rows]
    assert "REA" not in methods
    bohb = rows[methods.index("BOHB")]
    assert (bohb["cifar10_test_mean"], bohb["cifar10_test_sd"], bohb["cost_hours"]) == (93.92, 0.33, 3.3)
    assert bohb["ImageNet16-120_test_mean"] == 44.42
    assert "cifar100_test_mean" not in bohb
    assert rows[methods.index("tenas")]["cifar10_test_mean"] == 93.9


def test_table_has_the_papers_order_and_all_columns():
    rows = [score_row("epsilon", SCORES, COLUMNS, size, 5, 0) for size in (10, 100)]
    rows += quoted_rows(["cifar10", "cifar100"], [])
    table = comparison_table(rows + baseline_rows(COLUMNS, **POOLS), COLUMNS)
    blocks = table["block"].drop_duplicates().tolist()
    assert blocks[0] == "State-of-the-art"
    assert blocks[-1] == "Trainless (all space)"
    assert blocks.index("Trainless (N=100)") < blocks.index("Trainless (N=10)")
    assert {"cifar10_valid_mean", "cifar10_valid_sd", "missing", "note"} <= set(table)


def test_gains_over_a_random_network():
    rows = [
        {"block": "Baselines (N=1000)", "method": "Random", "origin": "quoted"},
        {"block": "Trainless (N=50)", "method": "epsilon", "cifar10_test_mean": 81.0},
        {"block": "State-of-the-art", "method": "REA", "cifar10_test_mean": 90.0},
        {"block": "Baselines (N=100)", "method": "Optimal", "cifar10_test_mean": 90.0},
        {"block": "Baselines (N=100)", "method": "Random", "cifar10_test_mean": 72.0},
        {"block": "Baselines (N=50)", "method": "Optimal", "cifar10_test_mean": 87.0},
        {"block": "Baselines (N=50)", "method": "Random", "cifar10_test_mean": 75.0},
    ]
    rows = [{"origin": "recomputed"} | row for row in rows]
    found = with_gains(rows, {"cifar10_test": COLUMNS["cifar10_test"]})[1:]
    assert [row["cifar10_test_improvement"] for row in found] == pytest.approx([8, 25, 25, 0, 16, 0])
    assert [row["cifar10_test_gained"] for row in found] == pytest.approx([0.5, 1, 1, 0, 1, 0])
