import numpy as np
import pandas as pd
import pytest

from epsinas.errors import InputError
from epsinas.metrics.base import METRICS
from epsinas.pages.few_labels import PAGE
from epsinas.spaces import NasBench201, NasBenchNLP
from epsinas.study.config import read_study
from epsinas.study.plan import Plan
from tests.results import plan_of, results_of

COUNT = 40


def plan(**options):
    return plan_of(few_labels=options)


def sequences(**options):
    section = {"corpora": {"ptb": "zipf"}, "performance": {"split": "test", "epochs": 50}, "few_labels": options}
    return Plan(read_study({"study": "s", "nas-bench-nlp": section | {"networks": COUNT}}))


def made_up(study, reached, measure="accuracy"):
    """Results whose first output of every network is its accuracy, and all other scores random."""
    rng = np.random.default_rng(0)
    request = PAGE.request(study)
    space = {"nas-bench-201": NasBench201(), "nas-bench-nlp": NasBenchNLP()}[request.networks[0]]
    networks = pd.DataFrame({"index": range(COUNT), "architecture": space.sample(COUNT, rng)})
    networks = networks.assign(trained_as=networks["index"], connected=True, parameters=rng.integers(1, 9, COUNT))

    def scores(run):
        settings = study.settings(run)
        values = rng.normal(size=(COUNT, len(settings)))
        if run.metric == "spectrum":
            values[:, :16] = np.asarray(reached)[:, None]
        rows = pd.DataFrame(values, columns=settings).assign(index=range(COUNT)).melt("index", var_name="setting")
        return rows.rename(columns={"value": "score"})

    return results_of(request, study, networks, scores, **{measure: reached})


def test_only_studies_that_ask_for_it_have_the_page():
    assert PAGE.request(Plan(read_study({"study": "s", "nas-bench-201": {"datasets": ["cifar10"]}}))) is None
    request = PAGE.request(plan(datasets=["cifar10"], networks=300))
    assert [(run.metric, run.precision, run.settings) for run in request.runs] == [
        ("spectrum", "extended", "weights"),
        ("layerwise", "single", "layers"),
        ("expected_synflow", "single", "one"),
    ]
    assert {(run.networks, run.dataset, run.size) for run in request.runs} == {("random-300", "cifar10", 64)}
    assert request.data == ("nas-bench-201.performance.parquet",)


def test_no_more_networks_than_the_study_has():
    assert [(run.metric, run.networks) for run in PAGE.request(sequences()).runs] == [
        ("spectrum", f"random-{COUNT}"),
        ("hidden_covariance", f"random-{COUNT}"),
    ]


def test_settings_are_of_the_weights_that_the_study_names():
    settings = METRICS["spectrum"].settings["weights"](plan(weights=[0.5, 2.0]).sections["nas-bench-201"].options)
    assert len(settings) == 64
    assert settings[0] == "0.5,0"


def test_who_is_told_the_performance_finds_it():
    reached = np.random.default_rng(1).permutation(np.linspace(10, 90, COUNT))
    table = PAGE.table(made_up(plan(labels=[10, 25], repeats=2, weights=[1.0]), reached))
    assert len(table) == 2 * 2 * 10
    assert table.groupby("dataset").size().to_dict() == {"cifar10": 20, "cifar100": 20}
    assert set(table["archs"]) == {30, 15}
    last = table.query("dataset == 'cifar10' and labels == 25").set_index(["features", "predictor"])["spearman"]
    assert last["outputs", "forest"] > 0.9
    assert last["outputs and architecture", "forest"] > 0.8
    assert last.drop(["outputs", "outputs and architecture"], level="features").max() < 0.7


def test_networks_without_outputs_or_training_are_left_out():
    reached = np.linspace(10, 90, COUNT)
    results = made_up(plan(datasets=["cifar10"], labels=[10], repeats=1, weights=[1.0]), reached)
    networks = results.networks("")
    networks.loc[:4, "connected"] = False
    performance = results.performance("").query("index < 32")
    results.networks, results.performance = lambda name: networks, lambda name: performance
    assert set(PAGE.table(results)["archs"]) == {COUNT - 5 - 8 - 10}


def test_lower_losses_are_better_and_figures_name_their_lines():
    loss = np.random.default_rng(2).permutation(np.linspace(4, 6, COUNT))
    results = made_up(sequences(labels=[10, 20], repeats=2, weights=[1.0]), loss, "loss")
    table = PAGE.table(results)
    found = table.query("labels == 20").set_index(["features", "predictor"])["spearman"]
    assert found["outputs", "ridge"] > 0.9
    assert ("hidden_covariance", "score") in found.index
    results.table = lambda: table
    figure = PAGE.figure(results)
    assert [text.get_text() for text in figure.legends[0].get_texts()][:3] == [
        "parameters",
        "hidden covariance",
        "architecture, forest",
    ]


def test_more_labels_than_networks():
    with pytest.raises(InputError, match="sizes: found 500 or more of 40 networks that train differently"):
        PAGE.table(made_up(plan(labels=[500], weights=[1.0]), np.linspace(10, 90, COUNT)))
