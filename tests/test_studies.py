from pathlib import Path

import pytest
import yaml

from epsinas import InputError
from epsinas.studies import read_study

PROJECT = Path(__file__).resolve().parents[1]
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
