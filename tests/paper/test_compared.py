import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from epsinas.evaluation.runs import Evaluated
from epsinas.metrics.base import METRICS
from epsinas.pages import combinations, differences, noise, partial, statistics, top
from epsinas.paper import compared as module
from epsinas.paper.compared import ceiling_of, compared_datasets, statistics_request
from epsinas.sources import packaged
from epsinas.study.config import read_study
from epsinas.study.plan import Plan, Run
from tests.performances import random_performance

NETWORKS = 60
RUN = Run("nas-bench-201", "cifar10", "pink_noise", 64, 1, "epsilon", "single", "pair", "all")
SECTION = {"datasets": ["cifar10"], "performance": {"split": "test", "epochs": 200}, "precisions": ["single"]}


def plan(**changes) -> Plan:
    return Plan(read_study({"study": "s", "nas-bench-201": SECTION | changes}))


def evaluated(name: str, scores: np.ndarray, reasons: list[str], origin: str = "computed") -> Evaluated:
    facts = {"inputs": "pink_noise", "stand_in": "", "batch_size": 64, "precision": "single", "setting": ""}
    facts |= {"space": "nas-bench-201", "dataset": "cifar10", "metric": name, "draw": 0, "seconds": 0.0}
    table = pd.DataFrame({"index": range(NETWORKS), "score": scores, "reason": reasons}).assign(**facts)
    metric = dataclasses.replace(METRICS[name.partition("@")[0]], name=name)
    return Evaluated(metric, table, random_performance(range(NETWORKS)), "test", 200, origin)


@pytest.fixture
def results(monkeypatch) -> SimpleNamespace:
    """Return a study's files: naswot with gaps, the same published for fewer networks, and a metric of sign -1."""
    performance = random_performance(range(NETWORKS))
    accuracy = performance.query("split == 'test'")["accuracy"].to_numpy()
    drawn = np.random.default_rng(0).normal(size=(2, NETWORKS)) * 20
    gaps = np.where(np.arange(NETWORKS) < 10, np.nan, accuracy + drawn[0])
    naswot = evaluated("naswot", gaps, ["underflow"] * 10 + [""] * (NETWORKS - 10))
    fewer = evaluated(
        "naswot@published", np.where(np.arange(NETWORKS) < 30, np.nan, accuracy), [""] * NETWORKS, "imported"
    )
    ntk = evaluated("tenas_ntk", -accuracy + drawn[1], [""] * NETWORKS, "shipped")
    monkeypatch.setattr(module, "compared", lambda results, space: [fewer, ntk])
    monkeypatch.setattr(module, "whole_in_further_precisions", lambda results, space: [])
    networks = pd.DataFrame(
        {
            "index": range(NETWORKS),
            "trained_as": np.arange(NETWORKS) // 2 * 2,
            "parameters": np.arange(NETWORKS) % 9,
            "convolutions": np.arange(NETWORKS) % 4,
            "flops_cifar10": np.arange(NETWORKS) % 5,
            "connected": np.arange(NETWORKS) > 4,
            "reachable": True,
        }
    )
    study = plan(metrics=["naswot"], statistics={"resamples": 40, "splits": 3})
    return SimpleNamespace(
        plan=study,
        runs=(RUN,),
        request=SimpleNamespace(networks=("nas-bench-201",)),
        section=lambda space: study.sections[space],
        networks=lambda space: networks,
        performance=lambda space: performance,
        evaluated=lambda run: naswot,
        rng=lambda: np.random.default_rng(0),
        accuracy=accuracy,
    )


def test_all_metrics_side_by_side(results):
    (one,) = compared_datasets(results)
    assert list(one.scores) == ["naswot", "tenas_ntk"]
    assert one.own == ["naswot"]
    assert one.facts["tenas_ntk"]["origin"] == "shipped"
    assert one.scores["naswot"].isna().sum() == 10  # not the published ones, which are fewer
    assert np.corrcoef(one.scores["tenas_ntk"], results.accuracy)[0, 1] > 0.5  # turned by its sign
    np.testing.assert_array_equal(one.performance, results.accuracy)
    assert list(one.counts) == ["parameters", "flops", "convolutions"]
    assert {name: int(members.sum()) for name, members in one.populations.items()} == {"all": 60, "connected": 55}
    assert one.why_missing("naswot", one.scores.index) == "10 underflow"
    assert one.why_missing("naswot", one.scores.index[5:]) == "5 underflow"
    assert one.why_missing("tenas_ntk", one.scores.index) == ""
    assert one.reasons.notna().all().all()


def test_coefficients_of_every_population(results):
    table = statistics.PAGE.table(results)
    own = table.query("coverage == 'own'").set_index(["metric", "population"])
    assert own["archs"].to_dict() == {
        ("naswot", "all"): 50,
        ("tenas_ntk", "all"): 60,
        ("naswot", "connected"): 50,
        ("tenas_ntk", "connected"): 55,
    }
    assert own.loc[("naswot", "all"), "why"] == "10 underflow"
    assert own.loc[("naswot", "connected"), "why"] == "5 underflow"
    assert set(table["coverage"]) == {"own", "common", "last", "first"}
    assert (table["origin"] == np.where(table["metric"] == "naswot", "computed", "shipped")).all()


def test_pages_of_one_data_set(results):
    given = partial.PAGE.table(results)
    assert {"given_parameters", "given_parameters_and_flops", "with_convolutions_low"} <= set(given)
    (difference,) = differences.PAGE.table(results).to_dict("records")
    assert (difference["metric"], difference["other"], difference["archs"]) == ("naswot", "tenas_ntk", 50)
    best = top.PAGE.table(results)
    assert best[["metric", "coverage"]].to_numpy().tolist() == [
        ["naswot", "own"],
        ["tenas_ntk", "own"],
        ["naswot", "common"],
        ["tenas_ntk", "common"],
    ]
    assert best["precision_100"].isna().all()  # of 60 networks
    combined = combinations.PAGE.table(results)
    assert combined.query("size == 2")["metrics"].tolist() == ["naswot+tenas_ntk"]
    assert combined["spearman"].max() == combined.query("size == 2")["spearman"].iloc[0]


def test_the_ceiling_of_trainings_that_agree(results):
    (one,) = compared_datasets(results)
    assert np.isnan(one.ceiling)  # there is one training of each network
    table = random_performance(range(30), ("test",))
    twice = pd.concat([table.assign(seed=pd.array([seed] * 30, dtype="Int8")) for seed in (0, 1)])
    assert ceiling_of(twice, "cifar10", "test", 200) == pytest.approx(1)
    # The published accuracies: two trainings agree by 0.986, and there are 2.4 of each network.
    published = ceiling_of(packaged.performance("nas-bench-201"), "cifar10", "test", 200)
    assert published == pytest.approx(np.sqrt(2.367 * 0.986 / (1 + 1.367 * 0.986)), abs=5e-4)


def test_who_has_the_pages():
    assert statistics_request(plan()).runs == tuple(plan().whole_runs("nas-bench-201"))
    assert statistics_request(plan(performance=None)) is None
    assert statistics_request(plan(statistics=None)) is None
    assert statistics_request(plan(metrics=["epsilon"]), metrics=2) is None
    assert noise.PAGE.request(plan(statistics=None)) is None
    request = noise.PAGE.request(plan(ablations={"batches": {"draws": 4, "networks": 30}}))
    assert [(run.draws, run.networks) for run in request.runs if run.draws > 1] == [(4, "first-30")]
