import numpy as np
import pandas as pd
import pytest

from epsinas import InputError, evaluate
from epsinas.evaluation.intervals import prediction_interval
from epsinas.evaluation.ranking import bootstrap
from epsinas.evaluation.runs import (
    evaluate_draws,
    evaluate_table,
    panel_title,
    performance_label,
    performance_of,
    performances,
    rounding_table,
)


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
            "error": [0.0, 1.0, 1.0, 0.0, 0.0, np.inf] + [np.nan] * 6,
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
    assert table["spearman_global"][0] == pytest.approx(1)
    expected = evaluate(np.arange(6), [55, 50, 51, 52, 53, 54])
    assert table["spearman_global"][1] == pytest.approx(expected.spearman_global)
    assert table["metric"].tolist() == ["epsilon"] * 2
    assert table["scored"].tolist() == [5, 6]
    assert table["median_score"].tolist() == [2, 2.5]
    assert table["rounding_limited"][0] == 2
    assert pd.isna(table["rounding_limited"][1])


def test_losses_have_the_signs_of_losses(performance):
    losses = performance.rename(columns={"accuracy": "loss"})
    scores = run(0, [0, 1, 2, 3, 4, 5])
    found = evaluate_table(scores, losses, "test", 200)
    # The score of 0 counts as none.
    assert found[["networks", "archs"]].to_numpy().tolist() == [[6, 5]]
    expected = evaluate(np.arange(6), 50.0 + np.arange(6), higher_is_better=False)
    assert found["top10_top10"][0] == expected.top10_top10


def run(draw, scores, dataset="a"):
    identity = {"inputs": "real", "batch_size": 8, "draw": draw, "precision": "single", "dataset": dataset}
    scored = {"weight_low": 0.1, "weight_high": 1.0, "score": scores, "error": np.nan}
    return pd.DataFrame({"index": range(6)} | scored | identity)


def test_the_first_draw_with_the_interval_of_all(performance):
    rankings = [[0, 1, 2, 3, 5, 4], [0, 1, 2, 3, 4, 5], [1, 0, 2, 3, 5, 4]]
    table, draws = evaluate_draws(
        [*(run(draw, scores) for draw, scores in enumerate(rankings)), run(0, range(6), "b")], performance, "test", 200
    )
    assert table["dataset"].tolist() == ["a", "b"]
    assert table["draws"].tolist() == [3, 1]
    assert len(draws) == 4
    rho = draws["spearman_global"][:3]
    assert table["spearman_global"][0] == rho[0]
    assert (table["spearman_global_low"][0], table["spearman_global_high"][0]) == prediction_interval(
        rho, bounds=(-1, 1)
    )
    assert np.isnan(table["spearman_global_low"][1])


def test_intervals_over_the_sample_of_networks(performance):
    rankings = [[0, 1, 2, 3, 5, 4], [0, 1, 2, 3, 4, 5]]
    both = pd.concat([run(draw, scores) for draw, scores in enumerate(rankings)])
    other = run(0, range(6), "b")
    table, _ = evaluate_draws([both, other], performance, "test", 200, 50, np.random.default_rng(0))
    assert table["dataset"].tolist() == ["a", "b"]
    # The first draw's, with the same generator.
    expected = bootstrap(rankings[0], 50.0 + np.arange(6), 50, np.random.default_rng(0))
    assert (table["kendall_global_sample_low"][0], table["kendall_global_sample_high"][0]) == expected["kendall_global"]
    assert table["kendall_global_sample_high"][1] == 1


def test_rounding_against_the_most_precise_run():
    rows = {
        "single": ([1.5, np.nan, 2.0, 3.0], [0.5, np.inf, 0.1, 1e-5]),
        "extended": ([1.0, 1.0, 2.0, 4.0], [1e-9, 1e-9, 1.0, 1e-9]),
    }
    scores = pd.concat(
        pd.DataFrame({"index": range(4), "score": score, "error": error, "precision": precision})
        for precision, (score, error) in rows.items()
    ).assign(dataset="a", weight_low=1e-5, weight_high=1e-3, draw=0)
    single, extended = rounding_table(scores, "extended").to_dict("records")
    assert (single["scored"], single["limited"]) == (3, 2)
    assert single["limited_share"] == pytest.approx(2 / 3)
    # Of the two limited scores, one has a reference that is limited itself.
    assert (single["limited_median"], single["limited_largest"]) == (0.5, 0.5)
    assert single["others_largest"] == 0.25
    assert (extended["limited"], extended["others_largest"]) == (1, 0)


def test_titles_and_labels():
    assert panel_title("nas-bench-nlp", "ptb", several=True) == "NAS-Bench-NLP, PTB"
    assert panel_title("nas-bench-201", "mine", several=False) == "mine"
    assert performance_label("loss", "test") == "test loss (nats)"
    assert performance_label("accuracy", "valid") == "validation accuracy (%)"


def test_columns_that_the_data_source_lacks(performance):
    found = performances(performance, ["a", "c"], ["valid", "test"], 200, pd.Index([5, 7]))
    assert {name for name, values in found.items() if values is None} == {"a_valid", "c_valid", "c_test"}
    assert found["a_test"][5] == 55
    assert np.isnan(found["a_test"][7])
