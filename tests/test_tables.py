import numpy as np
import pandas as pd
import pytest

from epsinas import InputError, evaluate
from epsinas.tables import evaluate_table, performance_of


@pytest.fixture
def performance():
    rows = [(i, "a", "test", 200, pd.NA, 50.0 + i) for i in range(6)]
    rows += [(i, "a", "test", 200, 1, 0.0) for i in range(6)]  # one seed of those that the mean is over
    rows += [(i, "b", "test", 200, seed, 10.0 * i + seed) for i in range(6) for seed in (0, 2)]
    table = pd.DataFrame(rows, columns=["index", "dataset", "split", "epochs", "seed", "accuracy"])
    return table.astype({"seed": "Int8"})


def test_the_benchmarks_mean_is_taken(performance):
    assert performance_of(performance, "a", "test", 200).tolist() == [50, 51, 52, 53, 54, 55]


def test_seeds_are_averaged_where_there_is_no_mean(performance):
    assert performance_of(performance, "b", "test", 200)[3] == 31


def test_losses_where_there_is_no_accuracy(performance):
    losses = performance.rename(columns={"accuracy": "loss"})
    assert performance_of(losses, "a", "test", 200)[0] == 50


def test_no_such_rows(performance):
    with pytest.raises(InputError, match="performance: found no rows for dataset a, split test, epochs 12"):
        performance_of(performance, "a", "test", 12)


def test_a_row_for_each_run_and_pair(performance):
    index = [5, 0, 1, 2, 3, 4]
    scores = pd.DataFrame(
        {
            "index": index * 2,
            "weight_low": [0.1] * 6 + [0.2] * 6,
            "weight_high": 1.0,
            "score": [5, 0, 1, 2, 3, np.nan, *range(6)],
            "dataset": "a",
            "inputs": "real",
            "batch_size": 8,
            "draw": 0,
            "precision": "single",
        }
    )
    table = evaluate_table(scores, performance, "test", 200)
    assert table["weight_low"].tolist() == [0.1, 0.2]
    assert table["archs"].tolist() == [5, 6]
    assert table["spearman_global"][0] == 1
    expected = evaluate(np.arange(6), [55, 50, 51, 52, 53, 54])
    assert table["spearman_global"][1] == pytest.approx(expected.spearman_global)
    assert table["metric"].tolist() == ["epsilon"] * 2
