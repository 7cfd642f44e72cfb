import numpy as np
import pandas as pd
import pytest

from epsinas import InputError, NasBench201
from epsinas.paper.pool import (
    baseline_rows,
    comparison_table,
    epsilon_row,
    guiding_accuracy,
    published_row,
    published_scores,
    quoted_rows,
    score_row,
    search_table,
    trained_rows,
)

SPACE = NasBench201()
POOLS = {"pool_size": 50, "runs": 20, "seed": 0}
SCORES = {"cifar10": pd.Series([np.nan, 1.0, 3.0, 2.0])}
COLUMNS = {
    "cifar10_valid": None,
    "cifar10_test": pd.Series([90.0, 80.0, 70.0, 60.0]),
    "cifar100_valid": None,
    "cifar100_test": pd.Series([40.0, 30.0, 20.0, 10.0]),
}


def performance(indices, datasets=("cifar10",), splits=("valid", "test"), epochs=200, seed=0):
    rng = np.random.default_rng(seed)
    tables = [
        pd.DataFrame({"index": indices, "dataset": dataset, "split": split, "epochs": epochs}).assign(
            seed=pd.array([None] * len(indices), dtype="Int8"), accuracy=rng.uniform(10, 90, len(indices))
        )
        for dataset in datasets
        for split in splits
    ]
    return pd.concat(tables, ignore_index=True)


def test_the_highest_score_of_each_pool():
    # Every pool of 50 of four networks has the third one, which has the highest score.
    row = score_row("epsilon", SCORES, COLUMNS, **POOLS)
    assert row["block"] == "Trainless (N=50)"
    assert (row["cifar10_test_mean"], row["cifar10_test_sd"], row["runs"]) == (70, 0, 20)
    assert row["note"] == "cifar10: 3 of 4 networks scored; cifar100: no scores in the data source"
    assert np.isnan(row["cifar100_test_mean"])
    assert row["missing"] == "not in the data source: cifar10_valid, cifar100_valid, cifar100_test"


def test_cost_of_scoring_a_pool():
    row = epsilon_row(SCORES, COLUMNS, 7.2, **POOLS)
    assert row["cost_hours"] == pytest.approx(7.2 / 4 * 50 / 3600)
    assert row["cost_origin"].startswith("measured: scoring jobs of cifar10 on one core")


def test_baselines():
    best, chance = baseline_rows(COLUMNS, **POOLS)
    assert (best["method"], best["cifar10_test_mean"], best["cifar100_test_mean"]) == ("Optimal", 90, 40)
    assert 60 <= chance["cifar10_test_mean"] < 90
    assert best["missing"] == "not in the data source: cifar10_valid, cifar100_valid"


def test_published_scores():
    table = pd.DataFrame({"index": [3, 1], "dataset": "cifar10", "metric": "naswot", "score": [5.0, 9.0]})
    scores = published_scores(table, "naswot", pd.RangeIndex(4))
    assert scores["cifar10"].tolist()[1::2] == [9, 5]
    row = published_row("naswot", scores, COLUMNS, **POOLS)
    assert row["cifar10_test_mean"] == 80
    assert row["note"].startswith("scores as others published them; cifar10: 2 of 4 networks scored")
    with pytest.raises(InputError, match="published scores: found no metric snip, the table has naswot"):
        published_scores(table, "snip", pd.RangeIndex(4))


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


def test_searches_are_guided_by_the_test_accuracy_only_where_there_is_no_other():
    both, test_only = performance([0, 1]), performance([0, 1], splits=["test"])
    assert guiding_accuracy(both, "cifar10", 200, pd.Index([1, 0]))[1] == "valid"
    assert guiding_accuracy(test_only, "cifar10", 200, pd.Index([1, 0]))[1] == "test"
    with pytest.raises(InputError, match="found no rows for dataset cifar10, split test, epochs 12"):
        guiding_accuracy(both, "cifar10", 12, pd.Index([0, 1]))


@pytest.mark.parametrize("warm_up", ["first", "all"])
def test_search_table(warm_up):
    table = performance(range(15625))
    accuracy = table.query("split == 'test'").set_index("index")["accuracy"]
    settings = {"rounds": 4, "trained": 12, "population": 5, "tournament": 2, "warm_up_pool": 100}
    curves = search_table(
        SPACE, list(SPACE.architectures()), accuracy, table, "cifar10", 200, 0, random_warm_up=warm_up, **settings
    )
    assert curves.groupby("search").size().to_dict() == dict.fromkeys(
        ["evolution", "evolution_move", "evolution_warm_up", "evolution_warm_up_move", "random", "random_warm_up"], 12
    )
    assert (curves["lower"] <= curves["median"]).all()
    assert (curves["median"] <= curves["upper"]).all()
    assert (curves["guide"] == "valid").all()
    # Scores are the test accuracies here, so the first network of a warm-up is the best of its pool.
    warm = curves[curves["search"] == "random_warm_up"]
    assert warm["median"].nunique() == 1


def test_search_needs_the_whole_space():
    table = performance(range(3))
    with pytest.raises(InputError, match="operations: found 3 networks, expected all 15625 combinations"):
        search_table(
            SPACE,
            list(SPACE.architectures())[:3],
            pd.Series([1.0, 2.0, 3.0]),
            table,
            "cifar10",
            200,
            0,
            random_warm_up="first",
            rounds=1,
            trained=2,
            population=2,
            tournament=1,
            warm_up_pool=2,
        )
