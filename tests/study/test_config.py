import pytest
import yaml

from epsinas import InputError
from epsinas.study.config import Study, check_keys, read_study
from tests.conftest import PROJECT

STUDIES = [PROJECT / "config.yaml", *sorted((PROJECT / "workflow" / "studies").glob("*.yaml"))]


def minimal(**changes):
    section = {"datasets": ["mine"], "performance": {"split": "test", "epochs": 2}, "weights": [1e-3, 1]}
    return {"study": "s", "nas-bench-201": section | changes.pop("section", {})} | changes


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_of_the_project_is_valid(path):
    assert read_study(yaml.safe_load(path.read_text())).sections


def test_a_key_that_comes_twice_is_refused(tmp_path):
    path = tmp_path / "study.yaml"
    shared = "study: a\ntrain: &one {seeds: [{a: 1}, {a: 2}]}\nnas-bench-201: {own: *one, again: *one}\n"
    path.write_text(shared)
    check_keys([path])
    path.write_text(shared + "nas-bench-101:\n  networks: 3\n  skeleton: {cells: 1}\n  networks: 4\n")
    with pytest.raises(InputError, match=r"study.yaml: line 7: found key 'networks' a second time, expected it once"):
        check_keys([str(path)])
    path.write_text("study: &all {again: *all}\nstudy: b\n")
    with pytest.raises(InputError, match="line 2: found key 'study' a second time"):
        check_keys([path])


def test_defaults_are_filled_in_at_every_depth():
    study = read_study(minimal()).config
    assert study["seed"] == 0
    assert study["nas-bench-201"]["skeleton"] == {"channels": 16, "cells": 5, "classes": 10}
    assert study["nas-bench-201"]["zeros"] == "masked"


def test_the_given_configuration_is_not_changed():
    config = minimal()
    read_study(config)
    assert config == minimal()


def training(**changes):
    return {
        "dataset": "mine",
        "split": {"valid": 0.2, "test": 0.2},
        "schedule": {"epochs": 2, "batch_size": 32, "learning_rate": 0.1},
        "seeds": [0],
    } | changes


def test_training_study():
    study = read_study(minimal(train=training())).config
    assert study["train"]["schedule"]["momentum"] == 0.9
    assert study["train"]["networks"] is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"study": "s"}, "config: the study: found no search space, expected one of nas-bench-101, "),
        (
            minimal(section={"skeleton": {"channels": 2.0}}),
            "config: nas-bench-201.skeleton.channels: 2.0 is not of type 'integer'",
        ),
        (
            minimal(section={"skeleton": {"cells": True}}),
            "config: nas-bench-201.skeleton.cells: True is not of type 'integer'",
        ),
        (
            minimal(section={"skeleton": {"classes": 0}}),
            "config: nas-bench-201.skeleton.classes: 0 is less than the minimum of 1",
        ),
        (
            minimal(train=training(skeleton={"width": 4})),
            "config: train.skeleton.width: unknown part of a skeleton, expected one of channels, cells, classes",
        ),
        (minimal(colour=1), "config: the study: found unknown key colour, expected only study,"),
        (minimal(section={"datasets": []}), r"config: nas-bench-201.datasets: \[\] should be non-empty"),
        (minimal(section={"weights": [1, 0.1]}), "weights: found 1 0.1, the larger one first; expected LOW < HIGH"),
        (minimal(study="a/b"), "config: study: 'a/b' does not match"),
        (minimal(study=101 * "a"), r"config: study: 'a{60}'\.\.\. does not match"),
        (minimal(seed=1 << 20_000), "config: Exceeds the limit .* for integer string conversion"),
        (
            minimal(section={"weights": [10**400, 1]}),
            "config: nas-bench-201.weights.0: 10{400} is not of",
        ),
        (minimal(study="a\n"), r"config: study: 'a\\n' does not match"),
        (minimal(section={"datasets": ["mine\n"]}), r"config: nas-bench-201.datasets.0: 'mine\\n' does not match"),
        (minimal(section={"metrics": ["epsilon\n"]}), r"config: nas-bench-201.metrics.0: 'epsilon\\n' does not match"),
        (
            minimal(section={"weights": [float("nan"), 1]}),
            "config: nas-bench-201.weights.0: nan is not of type 'number'",
        ),
        (
            minimal(section={"weights": [1e-3, float("inf")]}),
            "config: nas-bench-201.weights.1: inf is not of type 'number'",
        ),
        (
            minimal(section={"ablations": {"weights": {"values": [1e-3, float("nan")]}}}),
            "config: nas-bench-201.ablations.weights.values.1: nan is not of type 'number'",
        ),
        (minimal(section={"networks": 1e9}), "config: nas-bench-201.networks: 1000000000.0 is not of type 'integer'"),
        (
            minimal(section={"networks": 10**9}),
            "config: nas-bench-201.networks: 1000000000 is greater than the maximum",
        ),
        (minimal(section={"sample": 10**9}), "config: nas-bench-201.sample: 1000000000 is greater than the maximum"),
        (minimal(section={"draws": 10**9}), "config: nas-bench-201.draws: 1000000000 is greater than the maximum"),
        (minimal(section={"draws": 2.0}), "config: nas-bench-201.draws: 2.0 is not of type 'integer'"),
        (
            minimal(train=training(split={"valid": 0.7, "test": 0.6})),
            "config: train.split: found valid 0.7 and test 0.6, expected fractions with a sum below 1",
        ),
        (minimal(seed=-1), "config: seed: -1 is less than the minimum of 0"),
        (
            minimal(train=training(dataset="other")),
            "config: nas-bench-201.datasets: found mine, expected only train.dataset, other",
        ),
        (
            minimal(train=training(schedule={"epochs": 9, "batch_size": 32, "learning_rate": 0.1})),
            "config: nas-bench-201.performance.epochs: found 2, expected train.schedule.epochs, 9",
        ),
        (minimal(train=training(seeds=[0, 0])), r"config: train.seeds: \[0, 0\] has non-unique elements"),
    ],
)
def test_mistakes(config, message):
    with pytest.raises(InputError, match=message) as caught:
        read_study(config)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("ablations", "key"),
    [
        ({"inputs": {"datasets": ["mine", "other"]}}, "ablations.inputs.datasets"),
        ({"initialisation": {"datasets": ["other"]}}, "ablations.initialisation.datasets"),
        ({"weights": {"values": [0.1, 1], "repeated": ["other"]}}, "ablations.weights.repeated"),
        (
            {"weights": {"values": [0.1, 1], "wide": {"values": [0.1, 1], "datasets": ["other"]}}},
            "ablations.weights.wide.datasets",
        ),
    ],
)
def test_tables_take_datasets_of_the_study(ablations, key):
    with pytest.raises(InputError, match=f"config: nas-bench-201.{key}: found other, expected only .*, mine"):
        read_study(minimal(section={"ablations": ablations}))


def test_defaults_of_sections_that_are_present():
    section = read_study(minimal(section={"search": {}, "ablations": {"inputs": {}}})).config["nas-bench-201"]
    assert section["search"]["random_warm_up"] == "first"
    assert section["ablations"]["inputs"]["networks"] is None
    assert "selection" not in section
    assert "weights" not in section["ablations"]


def test_every_space_is_optional_and_needs_no_performances():
    study = read_study({"study": "s", "nas-bench-nlp": {"corpora": {"zipf": "train"}}})
    assert list(study.sections) == ["nas-bench-nlp"]
    section = study.sections["nas-bench-nlp"]
    assert section["performance"] is None
    assert section["weights"] == [1e-5, 1e-3]
    assert section["precisions"] == ["single", "double", "extended"]  # the default beside the reference
    assert (section["embedding"], section["steps"], section["resamples"]) == ("uniform_positive_1", 70, 0)
    assert section.datasets == ["zipf"]


def test_a_training_needs_performances_of_its_own_space():
    message = r"config: nas-bench-201\.performance\.epochs: found null, expected train.schedule.epochs, 2"
    with pytest.raises(InputError, match=message):
        read_study(minimal(section={"performance": None}, train=training()))
    with pytest.raises(InputError, match=r"config: train\.space: found nas-bench-101, expected one of nas-bench-201"):
        read_study(minimal(train=training(space="nas-bench-101")))


def test_metrics_have_unique_names():
    for names, message in (
        (["epsilons"], "unknown metric 'epsilons': expected one of .*epsilon, .*random_pair"),
        (["statistics:mean", "numpy:mean"], "nas-bench-201.metrics: found two metrics called mean"),
        (["tests.subjects:nothing"], "metric tests.subjects:nothing: found NoneType, expected a function"),
        (["no_such_module:mean"], "module no_such_module: cannot be imported"),
    ):
        with pytest.raises(InputError, match=message):
            read_study(minimal(section={"metrics": names}))
    study = read_study(minimal(section={"metrics": ["epsilon", "statistics:mean"]}))
    assert list(study.sections["nas-bench-201"].metrics) == ["epsilon", "mean"]


def test_a_module_that_cannot_be_imported():
    with pytest.raises(InputError, match="module no_such_module: cannot be imported"):
        read_study(minimal(modules=["no_such_module"]))


def test_the_part_of_a_study_that_a_job_needs():
    study = read_study(minimal(**{"nas-bench-101": {"datasets": ["a"]}}, train=training()))
    part = study.extract(("nas-bench-201",))
    assert set(part) == {"study", "seed", "ledger", "networks_per_job", "device", "train", "nas-bench-201"}
    assert Study(part).sections["nas-bench-201"].datasets == ["mine"]


def test_mistakes_about_other_spaces():
    section = {"corpora": {"ptb": "train"}, "weights": [1e-5, 1e-3]}
    embeddings = {"ablations": {"embeddings": {"datasets": ["wikitext-2"]}}}
    message = r"embeddings\.datasets: found wikitext-2, expected only data sets of nas-bench-nlp, ptb"
    with pytest.raises(InputError, match=message):
        read_study(minimal(**{"nas-bench-nlp": section | embeddings}))
    with pytest.raises(InputError, match=r"weights: found 1\.0 1\.0, equal weights"):
        read_study(minimal(**{"nas-bench-101": {"datasets": ["a"], "weights": [1.0, 1.0]}}))
    with pytest.raises(InputError, match=r"config: nas-bench-nlp.corpora.ptb: 'all' is not one of"):
        read_study(minimal(**{"nas-bench-nlp": section | {"corpora": {"ptb": "all"}}}))
