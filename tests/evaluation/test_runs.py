import numpy as np
import pandas as pd
import pytest

from epsinas import evaluate
from epsinas.evaluation.intervals import prediction_interval
from epsinas.evaluation.ranking import bootstrap
from epsinas.evaluation.runs import Evaluated, evaluate_draws, evaluate_table
from epsinas.metrics.base import Metric
from epsinas.metrics.epsilon import METRIC


def test_a_row_for_each_run_and_pair(performance):
    index = [5, 0, 1, 2, 3, 4]
    scores = pd.DataFrame(
        {
            "index": index * 2,
            "setting": ["0.1,1"] * 6 + ["0.2,1"] * 6,
            "score": [5, 0, 1, 2, 3, np.nan, *range(6)],
            "error": [0.0, 1.0, 1.0, 0.0, 0.0, np.inf] + [np.nan] * 6,
            "space": "any",
            "metric": "epsilon",
            "dataset": "a",
            "inputs": "real",
            "stand_in": "",
            "batch_size": 8,
            "draw": 0,
            "precision": "single",
        }
    )
    table = evaluate_table(evaluated(scores, performance))
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
    found = evaluate_table(evaluated(scores, losses))
    # The score of 0 counts as none.
    assert found[["networks", "archs"]].to_numpy().tolist() == [[6, 5]]
    expected = evaluate(np.arange(6), 50.0 + np.arange(6), higher_is_better=False)
    assert found["top10_top10"][0] == expected.top10_top10


def evaluated(scores, performance, metric=METRIC):
    return Evaluated(metric, scores, performance, "test", 200)


def run(draw, scores, dataset="a"):
    identity = {
        "inputs": "real",
        "stand_in": "",
        "batch_size": 8,
        "draw": draw,
        "precision": "single",
        "dataset": dataset,
    }
    scored = {"space": "any", "metric": "epsilon", "setting": "0.1,1", "score": scores, "error": np.nan}
    return pd.DataFrame({"index": range(6)} | scored | identity)


def test_the_first_draw_with_the_interval_of_all(performance):
    rankings = [[0, 1, 2, 3, 5, 4], [0, 1, 2, 3, 4, 5], [1, 0, 2, 3, 5, 4]]
    runs = [*(run(draw, scores) for draw, scores in enumerate(rankings)), run(0, range(6), "b")]
    table, draws = evaluate_draws([evaluated(scores, performance) for scores in runs])
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
    runs = [evaluated(scores, performance) for scores in (both, other)]
    table, _ = evaluate_draws(runs, 50, np.random.default_rng(0))
    assert table["dataset"].tolist() == ["a", "b"]
    # The first draw's, with the same generator.
    expected = bootstrap(rankings[0], 50.0 + np.arange(6), 50, np.random.default_rng(0))
    assert (table["kendall_global_sample_low"][0], table["kendall_global_sample_high"][0]) == expected["kendall_global"]
    assert table["kendall_global_sample_high"][1] == 1


def test_metrics_of_either_sign_and_without_settings_stand_in_one_table(performance):
    lower = Metric("lower", "Lower", "a test", lambda subject, setting: None, sign=-1)
    falling = run(0, [5, 4, 3, 2, 1, 0]).assign(metric="lower", setting="")
    table, draws = evaluate_draws([evaluated(run(0, range(6)), performance), evaluated(falling, performance, lower)])
    assert table["metric"].tolist() == ["epsilon", "lower"]
    # A low score predicts a good network, and the falling scores rank as the rising ones do.
    assert table["spearman_global"].tolist() == [1, 1]
    assert table["median_score"].tolist() == [2.5, 2.5]
    assert table["weight_low"].tolist()[0] == 0.1
    assert table["weight_low"].isna().tolist() == [False, True]
    assert len(draws) == 2
