from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from epsinas import InputError
from epsinas.evaluation.runs import Evaluated, common_rows
from epsinas.files.tables import read_own_scores
from epsinas.metrics.base import METRICS, find_metric
from epsinas.metrics.subject import Conditions, Subject
from epsinas.spaces import NasBench201
from epsinas.study.comparison import (
    SHIPPED,
    _counted,
    _imported,
    compared,
    comparison_request,
    costs,
    whole_in_further_precisions,
)
from epsinas.study.config import read_study
from epsinas.study.plan import TOGETHER, Plan, Run

NETWORKS = pd.DataFrame({"index": [5, 6, 7], "architecture": ["a", "b", "c"]})


def plan(**comparison):
    section = {"datasets": ["cifar10", "cifar100"], "performance": {"split": "test", "epochs": 200}}
    section["comparison"] = {"metrics": ["naswot", "swap", "grad_norm", "parameters"], **comparison}
    return Plan(read_study({"study": "s", "nas-bench-201": section}))


def test_metrics_that_need_random_weights_are_scored_together():
    planned = plan(networks=20, datasets=["cifar10"])
    (run,) = planned.comparison_runs("nas-bench-201")
    assert run == Run("nas-bench-201", "cifar10", "real", 64, 1, TOGETHER, "single", "usual", "random-20")
    assert [metric.name for metric in planned.metrics(run)] == ["naswot", "swap", "grad_norm"]
    assert planned.job(run)["metrics"] == [["naswot", [""]], ["swap", ["1"]], ["grad_norm", [""]]]
    assert planned.computed(run).networks == "random"
    assert planned.memory(run) == 3800
    assert [path.rpartition("/")[2] for path in planned.parts(run)] == ["1-by-20.parquet"]
    other = plan(settings={"swap": "published"}).comparison_runs("nas-bench-201")[1]
    assert (other.dataset, other.networks) == ("cifar100", "all")
    assert plan(settings={"swap": "published"}).job(other)["metrics"][1] == ["swap", ["32"]]
    # Networks of a data set have its number of classes.
    assert [plan().job(run)["skeleton"]["classes"] for run in plan().comparison_runs("nas-bench-201")] == [10, 100]


def test_dearer_metrics_make_more_jobs():
    (few,) = plan(metrics=["naswot"], datasets=["cifar10"]).comparison_runs("nas-bench-201")
    (more,) = plan(metrics=["naswot", "grasp"], datasets=["cifar10"]).comparison_runs("nas-bench-201")
    assert len(plan(metrics=["naswot"]).parts(few)) < len(plan(metrics=["naswot", "grasp"]).parts(more))


def test_no_networks_are_scored_where_the_package_has_scores():
    assert plan(networks=0, shipped=True).comparison_runs("nas-bench-201") == []
    with pytest.raises(InputError, match=r"comparison\.networks: found 0, expected 1 or more, or shipped: true"):
        plan(networks=0)


def test_a_comparison_without_random_weights_has_no_runs():
    assert plan(metrics=["parameters"]).comparison_runs("nas-bench-201") == []
    assert (
        comparison_request(Plan(read_study({"study": "s", "nas-bench-201": {"datasets": ["a"]}})), "nas-bench-201").runs
        == ()
    )


@pytest.mark.parametrize(
    ("options", "files", "runs"),
    [
        ({}, ["performance"], 2),
        ({"shipped": True}, ["performance", "computed-scores", "constant-weight-scores"], 0),
        ({"published": True}, ["performance", "published-scores"], 2),
    ],
)
def test_what_a_comparison_is_made_of(options, files, runs):
    found = comparison_request(plan(**options), "nas-bench-201")
    assert found.data == tuple(f"nas-bench-201.{kind}.parquet" for kind in files)
    assert len(found.runs) == runs
    assert comparison_request(plan(scores={"mine": "a.csv"}), "nas-bench-201").files == ("a.csv",)


def test_a_metric_of_the_comparison_must_suit_the_networks():
    with pytest.raises(InputError, match="metric hidden_covariance: found networks of images, expected sequences"):
        plan(metrics=["hidden_covariance"])
    with pytest.raises(
        InputError, match=r"config: nas-bench-201\.comparison\.settings: found naswot: many, expected one"
    ):
        plan(settings={"naswot": "many"})


def test_costs_are_those_of_networks_that_were_scored():
    scores = pd.DataFrame(
        {
            "index": [1, 1, 2, 2, 3, 3],
            "metric": ["a", "b"] * 3,
            "draw": 0,
            "batch_size": 64,
            "seconds": [0.1, 0.0, 0.3, 0.5, 0.0, 0.0],
        }
    )
    found = costs(scores).set_index("metric")
    assert found.loc["a", ["networks", "milliseconds"]].tolist() == [2, pytest.approx(200)]
    assert found.loc["b", ["networks", "milliseconds"]].tolist() == [1, pytest.approx(500)]


def test_imported_metrics_have_the_sign_and_title_of_ours():
    assert _imported("tenas_ntk", "own").sign == -1
    assert _imported("nwot", "published").title == "NASWOT (published as nwot)"
    assert _imported("mine", "own").sign == 1
    assert find_metric("jacov") is METRICS["jacob_cov"]
    with pytest.raises(InputError, match="metric mine@own: found scores from elsewhere, which cannot be computed here"):
        _imported("mine", "own").score(Subject(Conditions(NasBench201(), None), "", 0), "")


def evaluated(name, scores, accuracy):
    table = pd.DataFrame({"index": range(len(scores)), "score": scores, "metric": name, "setting": "", "draw": 0})
    facts = {"space": "s", "dataset": "d", "inputs": "", "stand_in": "", "batch_size": 0, "precision": "single"}
    performance = pd.DataFrame({"index": range(len(scores)), "accuracy": accuracy})
    performance = performance.assign(
        dataset="d", split="test", epochs=1, seed=pd.array([None] * len(scores), dtype="Int8")
    )
    return Evaluated(METRICS[name], table.assign(**facts, error=np.nan, reason=""), performance, "test", 1)


@pytest.mark.parametrize(
    ("changes", "found"),
    [({}, 1), ({"weights": [1e-3, 1.0]}, 0), ({"skeleton": {"channels": 8}}, 0), ({"further_networks": None}, 0)],
)
def test_the_package_has_epsilon_of_all_networks_in_extended_precision(changes, found):
    """Of the space's own networks and weights, and where the study itself scores a sample only."""
    shipped = plan(metrics=["naswot"], shipped=True)
    section = dict(shipped.sections["nas-bench-201"].options)
    section |= {"precisions": ["single", "extended"], "further_networks": 300} | changes
    study = Plan(read_study({"study": "s", "nas-bench-201": section}))
    networks = pd.DataFrame({"index": range(4), "trained_as": [0, 0, 2, 3], "connected": [True, True, True, False]})
    scores = {"index": [0, 2], "dataset": "cifar10", "inputs": "pink_noise", "metric": "epsilon", "score": [0.5, 0.25]}
    kept = {
        "index": [0],
        "dataset": "cifar10",
        "inputs": "pink_noise",
        "metric": "naswot",
        "setting": "",
        "score": [1.0],
    }
    results = SimpleNamespace(
        section=lambda space: study.sections[space],
        networks=lambda space: networks,
        performance=lambda space: pd.DataFrame(),
        imported_scores=lambda space: {},
        computed_scores=lambda space: pd.DataFrame(kept),
        constant_weight_scores=lambda space: pd.concat(
            [pd.DataFrame(scores | {"precision": precision}) for precision in ("single", "extended")]
        ),
    )
    whole = whole_in_further_precisions(results, "nas-bench-201")
    assert len(whole) == found
    for run in whole:
        table = run.scores
        assert (run.metric.name, run.origin, set(table["precision"])) == ("epsilon", SHIPPED, {"extended"})
        np.testing.assert_array_equal(table["score"], [0.5, 0.5, 0.25, np.nan])
        assert table["reason"].tolist() == ["", "", "", "disconnected"]
        assert set(table["setting"]) == {"1e-07,1"}
    # It is no metric beside epsilon: what knows metrics by their names would take it for the study's own.
    assert {run.metric.name for run in compared(results, "nas-bench-201")} == {"naswot"}


CLASSES = pd.Series(range(5))


def test_the_common_coverage():
    accuracy = [1.0, 2.0, 3.0, 4.0, 5.0]
    first = evaluated("naswot", [1.0, 2.0, 3.0, 4.0, np.nan], accuracy)
    # A lower one is better: the sign turns it.
    second = evaluated("tenas_ntk", [np.nan, -2.0, -4.0, -3.0, -9.0], accuracy)
    rows = common_rows([first, second], CLASSES)
    assert [row["common"] for row in rows] == [3, 3]
    assert [row["spearman_common"] for row in rows] == [pytest.approx(1), pytest.approx(0.5)]
    assert [row["same_as"] for row in rows] == ["", ""]
    third = evaluated("near", [10.0, 20.0, 40.0, 80.0, 80.0], accuracy)
    assert [row["same_as"] for row in common_rows([first, second, third], CLASSES)] == ["near", "", "naswot"]


def test_scores_of_one_s_own(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("architecture,score\nc,1.5\na,\n")
    found = read_own_scores(path, NETWORKS, ["cifar10"])
    assert found["index"].tolist() == [7, 5]
    assert found["dataset"].tolist() == ["", ""]
    assert found["score"].tolist()[0] == 1.5
    path.write_text("architecture,score,dataset\na,1,cifar10\na,2,cifar100\n")
    assert read_own_scores(path, NETWORKS, ["cifar10", "cifar100"])["score"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("architecture\na\n", "column score is missing; found architecture"),
        ("architecture,score\na,much\n", "column score: row 0: found much, expected a number"),
        (
            "architecture,score\na,1\nd,1\n",
            "column architecture: row 1: found d, expected one of the benchmark's networks",
        ),
        ("architecture,score\na,1\na,2\n", "column architecture: row 1: found a, expected each once"),
        ("architecture,score,dataset\na,1,mnist\n", "column dataset: row 0: found mnist, expected cifar10"),
        ("architecture,score,score\na,1,2\n", "column score appears twice; found architecture, score, score"),
        ("", "not a readable CSV file"),
    ],
)
def test_scores_of_one_s_own_that_are_wrong(tmp_path, content, message):
    path = tmp_path / "mine.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_own_scores(path, NETWORKS, ["cifar10"])


def test_random_numbers_follow_the_study_s_seed():
    networks = pd.DataFrame({"index": [0], "architecture": [next(NasBench201().architectures())]})

    def random_score(seed, dataset):
        study = plan(metrics=["random"])
        results = Mock(networks=lambda space: networks, section=lambda space: study.sections[space], seed=seed)
        return _counted(results, "nas-bench-201", METRICS["random"], dataset).item()

    first, other, second = random_score(0, "cifar10"), random_score(0, "cifar100"), random_score(1, "cifar10")
    assert first == other != second
