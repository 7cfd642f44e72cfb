import pytest
import yaml

from epsinas import InputError
from epsinas.study.config import read_study
from tests.conftest import PROJECT

SCHEMA = PROJECT / "workflow" / "schemas" / "study.schema.yaml"
STUDIES = [PROJECT / "config.yaml", *sorted((PROJECT / "workflow" / "studies").glob("*.yaml"))]


def minimal(**changes):
    section = {"datasets": ["mine"], "performance": {"split": "test", "epochs": 2}, "weights": [1e-3, 1]}
    return {"study": "s", "nas-bench-201": section | changes.pop("section", {})} | changes


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_of_the_project_is_valid(path):
    read_study(yaml.safe_load(path.read_text()), SCHEMA)


def test_defaults_are_filled_in_at_every_depth():
    study = read_study(minimal(), SCHEMA)
    assert study["seed"] == 0
    assert study["nas-bench-201"]["skeleton"] == {"channels": 16, "cells": 5, "classes": 10}
    assert study["nas-bench-201"]["zeros"] == "masked"


def test_the_given_configuration_is_not_changed():
    config = minimal()
    read_study(config, SCHEMA)
    assert config == minimal()


def training(**changes):
    return {
        "dataset": "mine",
        "split": {"valid": 0.2, "test": 0.2},
        "recipe": {"epochs": 2, "batch_size": 32, "learning_rate": 0.1},
        "seeds": [0],
    } | changes


def test_training_study():
    study = read_study(minimal(train=training()), SCHEMA)
    assert study["train"]["recipe"]["momentum"] == 0.9
    assert study["train"]["networks"] is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"study": "s"}, "config: the study: key nas-bench-201 is missing"),
        (minimal(colour=1), "config: the study: found unknown key colour, expected only study,"),
        (minimal(section={"datasets": []}), r"config: nas-bench-201.datasets: \[\] should be non-empty"),
        (minimal(section={"weights": [1, 0.1]}), "weights: found 1 0.1, the larger one first; expected LOW < HIGH"),
        (minimal(study="a/b"), "config: study: 'a/b' does not match"),
        (minimal(seed=-1), "config: seed: -1 is less than the minimum of 0"),
        (
            minimal(train=training(dataset="other")),
            "config: nas-bench-201.datasets: found mine, expected only train.dataset, other",
        ),
        (
            minimal(train=training(recipe={"epochs": 9, "batch_size": 32, "learning_rate": 0.1})),
            "config: nas-bench-201.performance.epochs: found 2, expected train.recipe.epochs, 9",
        ),
        (minimal(train=training(seeds=[0, 0])), r"config: train.seeds: \[0, 0\] has non-unique elements"),
    ],
)
def test_mistakes(config, message):
    with pytest.raises(InputError, match=message) as caught:
        read_study(config, SCHEMA)
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
        read_study(minimal(section={"ablations": ablations}), SCHEMA)


def test_defaults_of_sections_that_are_present():
    section = read_study(minimal(section={"search": {}, "ablations": {"inputs": {}}}), SCHEMA)["nas-bench-201"]
    assert section["search"]["random_warm_up"] == "first"
    assert section["ablations"]["inputs"]["networks"] is None
    assert "selection" not in section
    assert "weights" not in section["ablations"]


def test_other_spaces_need_no_performances():
    study = read_study(minimal(**{"nas-bench-nlp": {"corpora": {"zipf": "train"}, "weights": [1e-5, 1e-3]}}), SCHEMA)
    section = study["nas-bench-nlp"]
    assert section["performance"] is None
    assert section["precisions"] == ["single", "double", "extended"]  # the default beside the reference
    assert (section["embedding"], section["steps"], section["resamples"]) == ("uniform_positive_1", 70, 0)
    with pytest.raises(InputError, match=r"config: nas-bench-201.performance: found null, expected split and epochs"):
        read_study(minimal(section={"performance": None}), SCHEMA)


def test_mistakes_about_other_spaces():
    section = {"corpora": {"ptb": "train"}, "weights": [1e-5, 1e-3]}
    embeddings = {"ablations": {"embeddings": {"datasets": ["wikitext-2"]}}}
    with pytest.raises(
        InputError, match=r"embeddings\.datasets: found wikitext-2, expected only nas-bench-nlp.corpora"
    ):
        read_study(minimal(**{"nas-bench-nlp": section | embeddings}), SCHEMA)
    with pytest.raises(InputError, match=r"weights: found 1\.0 1\.0, equal weights"):
        read_study(minimal(**{"nas-bench-101": {"datasets": ["a"], "weights": [1.0, 1.0]}}), SCHEMA)
    with pytest.raises(InputError, match=r"config: nas-bench-nlp.corpora.ptb: 'all' is not one of"):
        read_study(minimal(**{"nas-bench-nlp": section | {"corpora": {"ptb": "all"}}}), SCHEMA)
