import numpy as np
import pandas as pd
import pytest

from epsinas.errors import InputError
from epsinas.evaluation.coefficients import FEWEST
from epsinas.pages.why_epsilon import PAGE, POPULATIONS
from epsinas.spaces import NasBench201
from epsinas.study.config import read_study
from tests.results import plan_of, results_of

COUNT = 400
SPACE = NasBench201()


def plan(options=None, **section):
    return plan_of(**section, **({} if options is None else {"why_epsilon": options}))


def made_up(study, count=COUNT):
    """Results in which activity decides on the accuracy, and epsilon is a noisy activity, without a path 5 more."""
    rng = np.random.default_rng(0)
    networks = pd.DataFrame({"index": range(count), "architecture": SPACE.sample(count, rng)})
    networks = networks.join(pd.DataFrame([SPACE.traits(one) for one in networks["architecture"]]))
    networks = networks.assign(trained_as=networks["index"], convolutions=rng.integers(0, 90, count))
    activity = rng.normal(size=count)
    epsilon = -activity + rng.normal(size=count)

    def scores(run):
        parts = []
        for setting in study.settings(run):
            values = {"activity": activity, "epsilon": epsilon}.get(run.metric, rng.normal(size=count))
            if run.metric == "epsilon":
                known = networks["parameter_free" if run.precision == "single" else "connected"]
                values = np.where(known, values + 5 * ~networks["parameter_free"], np.nan)
            parts.append(pd.DataFrame({"index": range(count), "setting": setting, "score": values}))
        return pd.concat(parts)

    return results_of(PAGE.request(study), study, networks, scores, accuracy=80 - activity)


def test_only_studies_that_ask_for_it_have_the_page():
    assert PAGE.request(plan()) is None
    assert PAGE.request(plan({}, weights="auto")) is None
    assert PAGE.request(plan({}, performance=None)) is None
    request = PAGE.request(plan({"datasets": ["cifar10"]}))
    assert [(run.metric, run.precision, run.settings) for run in request.runs] == [
        ("epsilon", "single", "pair"),
        ("epsilon", "extended", "pair"),
        ("activity", "single", "one"),
        ("dormancy", "single", "one"),
        ("kernel_agreement", "single", "one"),
        ("brightness", "single", "weights"),
        ("reference_epsilon", "single", "references"),
    ]
    assert {(run.networks, run.dataset, run.size) for run in request.runs} == {("random-2000", "cifar10", 256)}
    assert {run.size for run in PAGE.request(plan({"batch_size": 64})).runs} == {64}
    assert request.data == ("nas-bench-201.performance.parquet",)


def test_no_more_networks_than_the_study_has():
    assert {run.networks for run in PAGE.request(plan({}, networks=50)).runs} == {"random-50"}
    assert {run.networks for run in PAGE.request(plan({"networks": None})).runs} == {"all"}


def test_spaces_without_such_paths_do_not_have_the_option():
    with pytest.raises(InputError, match="nas-bench-101: found unknown key why_epsilon"):
        read_study({"study": "s", "nas-bench-101": {"why_epsilon": {}}})


def test_what_decides_on_the_accuracy_explains_epsilon():
    results = made_up(plan({"resamples": 20}))
    table = PAGE.table(results)
    assert table.groupby("dataset")["population"].unique().map(list).to_dict() == {
        name: list(POPULATIONS) for name in ("cifar10", "cifar100")
    }
    on = table[table["dataset"] == "cifar10"].set_index(["population", "what"])
    networks = results.networks("")
    assert on.loc[("path", "epsilon"), "archs"] == networks["parameter_free"].sum()
    assert on.loc[("connected", "epsilon"), "archs"] == networks["connected"].sum()
    activity = on.loc[("path", "activity")]
    assert activity["spearman"] == pytest.approx(-1)
    assert np.isnan(activity["epsilon_given"])  # nothing of the accuracy is left
    unrelated = on.loc[("path", "kernel_agreement")]
    assert unrelated["epsilon_given"] == pytest.approx(unrelated["epsilon_spearman"], abs=0.05)
    assert unrelated["epsilon_given_low"] < unrelated["epsilon_given"] < unrelated["epsilon_given_high"]


def test_strata_that_are_shifted_against_each_other():
    on = PAGE.table(made_up(plan({"resamples": 2, "datasets": ["cifar10"]}))).set_index(["population", "what"])
    shift = on.loc[("connected", "parameter_free")]
    assert shift["with_epsilon"] < -0.7
    assert shift["epsilon_spearman"] < 0.5 < shift["epsilon_given"]
    for population in ("path", "no path"):
        assert (population, "parameter_free") not in on.index
        assert on.loc[(population, "epsilon"), "spearman"] > 0.6


def test_pooling_is_counted_on_paths_only():
    on = PAGE.table(made_up(plan({"resamples": 2, "datasets": ["cifar10"]}))).set_index(["population", "what"])
    assert on.loc[("path", "pooling_edges"), "archs"] == on.loc[("path", "epsilon"), "archs"]
    for population in ("no path", "connected"):
        assert (population, "pooling_edges") not in on.index
    assert ("path, no pooling", "pooling_edges") not in on.index
    assert on.loc[("path, pooling", "pooling_edges"), "median"] >= 1


def test_a_population_of_a_few_networks_is_left_out():
    results = made_up(plan({"resamples": 2, "datasets": ["cifar10"], "networks": 20}, networks=20), 20)
    few = (results.networks("").connected & ~results.networks("").parameter_free).sum()
    assert few < FEWEST
    assert "no path" not in set(PAGE.table(results)["population"])


def test_the_figure_and_what_people_read():
    results = made_up(plan({"resamples": 5}))
    table = PAGE.table(results)
    shown = PAGE.shown(table)
    assert {"share of active inputs", "brightness, weight 1", "brightness, weight 1e-07"} <= set(shown["what"])
    results.table = lambda: table
    axes = PAGE.figure(results).axes
    titles = [axis.get_title().partition("\n")[0] for axis in axes]
    assert titles == ["a path of skips and pooling", "no such path", "all connected"]
    assert "epsilon" in [label.get_text() for label in axes[0].get_yticklabels()]
