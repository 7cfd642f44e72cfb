"""The workflow end to end, on studies of seconds."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from epsinas import evaluate, score_architectures, space
from epsinas.engines.images.batches import read_draws
from epsinas.files.images import write_images
from epsinas.files.tables import read_scores, write_architectures, write_performance
from epsinas.study.provenance import verify
from tests.conftest import PROJECT
from tests.workflow.running import copy_workflow, run, start

DATASETS = ["cifar10", "toy"]
TRAINING = {
    "dataset": "toy",
    "split": {"valid": 0.2, "test": 0.3},
    "schedule": {"epochs": 200, "batch_size": 32, "learning_rate": 0.1},
    "seeds": [0],
}


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    """Twenty networks with made-up accuracies, and two sets of forty 8x8 images."""
    folder = tmp_path_factory.mktemp("mirror")
    rng = np.random.default_rng(0)
    networks = pd.DataFrame({"index": np.arange(20), "architecture": space("nas-bench-201").sample(20, rng)})
    write_architectures(networks, folder / "nas-bench-201.architectures.parquet")
    tables = [
        networks[["index"]].assign(
            dataset=dataset,
            split="test",
            epochs=200,
            seed=pd.array([None] * 20, dtype="Int8"),
            accuracy=rng.uniform(10, 90, 20),
        )
        for dataset in DATASETS
    ]
    write_performance(pd.concat(tables), folder / "nas-bench-201.performance.parquet")
    for dataset in DATASETS:
        images = rng.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
        write_images(images, rng.integers(0, 10, 40), "made up", folder / f"{dataset}.npz")
    return folder


def study(mirror, **changes):
    """The configuration of a study on the mirror."""
    section = {
        "skeleton": {"channels": 2, "cells": 1},
        "datasets": DATASETS,
        "performance": {"split": "test", "epochs": 200},
        "weights": [1e-3, 1.0],
        "batch_size": 16,
        "precisions": ["single", "extended"],
        "statistics": None,
    }
    return {
        "study": "toy",
        "mirror": str(mirror),
        "networks_per_job": 15625,
        "nas-bench-201": section | changes.pop("section", {}),
    } | changes


def test_mirror_to_tables_figures_and_provenance(checkout, mirror):
    code, output = run(checkout, study(mirror))
    assert code == 0, output
    results = checkout / "results" / "toy"

    table = pd.read_csv(results / "tables" / "table1.csv")
    assert list(zip(table["dataset"], table["precision"], strict=True)) == [
        (dataset, precision) for dataset in DATASETS for precision in ("single", "extended")
    ]
    assert (table["networks"] == 20).all()

    # The first row, computed directly.
    architectures = pd.read_parquet(mirror / "nas-bench-201.architectures.parquet")["architecture"]
    performance = pd.read_parquet(mirror / "nas-bench-201.performance.parquet").query("dataset == 'cifar10'")
    (batch,) = read_draws(mirror / "cifar10.npz", "cifar10", "real", 16, [0], 0)
    scores = score_architectures(space("nas-bench-201", channels=2, cells=1), architectures, batch, (1e-3, 1.0))
    stored = read_scores(
        results / "scores" / "nas-bench-201" / "cifar10" / "real-16-1" / "epsilon-single-pair-all.parquet"
    )
    np.testing.assert_array_equal(stored["score"], scores)
    expected = evaluate(scores, performance["accuracy"])
    assert table["spearman_global"][0] == pytest.approx(expected.spearman_global)
    assert table["archs"][0] == expected.archs

    weights = pd.read_csv(results / "tables" / "table8.csv").set_index("dataset")
    assert weights.loc["cifar10", ["published_low", "published_high"]].tolist() == [1e-7, 1.0]
    assert weights.loc["toy", ["used_low", "used_high"]].tolist() == [1e-3, 1.0]
    for suffix in ("svg", "pdf"):
        for figure in ("figure1", "distributions"):
            assert (checkout / "figures" / "toy" / f"{figure}.{suffix}").stat().st_size > 1000
    coverage = pd.read_csv(results / "tables" / "coverage.csv")
    assert coverage["scored"].tolist() == table["scored"].tolist()
    assert (coverage["milliseconds"] > 0).all()

    provenance = json.loads((results / "provenance.json").read_text())
    assert {entry["name"] for entry in provenance["inputs"]} == {path.name for path in mirror.iterdir()}
    assert all(len(entry["sha256"]) == 64 and entry["source"] for entry in provenance["inputs"])
    assert provenance["config"]["seed"] == 0
    assert "snakemake" in provenance["command"]
    assert {"retrieve", "describe_networks", "score_chunk", "make_table", "make_figure"} <= set(provenance["seconds"])

    scored = [name for name in provenance["outputs"] if name.startswith("scores/")]
    assert any("-of-" in name for name in scored)
    assert verify(results) == []

    lines = output.splitlines()[-3:]
    assert lines[0].startswith("epsilon, NAS-Bench-201, CIFAR-10: Spearman's rho ")
    assert lines[1:] == ["no numbers of the paper to compare with", "results/toy/report.html"]
    report = (results / "report.html").read_text()
    for page in ("table1", "table8", "coverage"):
        assert f'id="table-{page}"' in report
        assert (results / "tables" / f"{page}.tex").read_text().count(r"\midrule") == 2
        assert (results / "tables" / f"{page}.md").read_text().startswith("# ")

    # Snakemake's own report has the captions; a second run makes nothing, and says nothing of a report.
    code, output = run(checkout, study(mirror), "--report", "own.html")
    assert code == 0, output
    own = (checkout / "own.html").read_text()
    assert "size ranks well, too" in own
    assert "Table 1. Rank correlation with accuracy" in own
    code, output = run(checkout, study(mirror))
    assert "report.html" not in output, output


def test_smoke_study_trains_chooses_weights_and_scores(checkout):
    config = yaml.safe_load((PROJECT / "workflow" / "studies" / "smoke.yaml").read_text())
    code, output = run(checkout, config)
    assert code == 0, output
    results = checkout / "results" / "smoke"
    performance = pd.read_parquet(results / "data" / "nas-bench-201.performance.parquet")
    assert len(performance) == 24 * 2 * 3  # networks, splits, two seeds and their mean
    assert (performance["status"] == "ok").all()
    noise = pd.read_csv(results / "tables" / "noise.csv").query("population == 'all'")
    assert noise[["kind", "of", "archs"]].to_numpy().tolist() == [["seeds", "0 and 1", 24]]
    statistics = pd.read_csv(results / "tables" / "statistics.csv")
    first = statistics.query("population == 'all' and coverage == 'own'")
    table = pd.read_csv(results / "tables" / "table1.csv")
    assert first["spearman"].tolist() == pytest.approx(table["spearman_global"].tolist())
    assert first["kendall"].tolist() == pytest.approx(table["kendall_global"].tolist())
    for page in ("partial", "top", "differences", "convergence", "combinations"):
        assert not pd.read_csv(results / "tables" / f"{page}.csv").empty, page
    chosen = pd.read_csv(results / "weights" / "nas-bench-201" / "digits.csv").query("chosen")
    assert table["weight_low"].dropna().tolist() == chosen["weight_low"].tolist()


def test_killed_run_goes_on_from_the_finished_chunks(checkout, mirror):
    config = study(
        mirror, networks_per_job=1, section={"datasets": ["cifar10"], "precisions": ["single"], "networks": 20}
    )
    target = "results/toy/scores/nas-bench-201/cifar10/real-16-1/epsilon-single-pair-all.parquet"
    process = start(checkout, config, target)
    chunks = checkout / Path(target).with_suffix("")
    deadline = time.monotonic() + 120
    while len(list(chunks.glob("*.parquet"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    # A chunk whose job Snakemake did not see to its end is rightly run again: leave out the latest two.
    finished = sorted(chunks.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)[:-2]
    assert finished
    before = {path: path.stat().st_mtime_ns for path in finished}
    assert not (checkout / target).exists()

    code, output = run(checkout, config, target)
    assert code == 0, output
    assert (checkout / target).exists()
    assert {path: path.stat().st_mtime_ns for path in finished} == before
    assert not list(chunks.glob(".*.tmp"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "config: the study: found unknown key colour, expected only study,"),
        (
            {"section": {"weight": [1, 2]}},
            "config: nas-bench-201: found unknown key weight, expected only metrics,",
        ),
        ({"section": {"batch_size": 1}}, "config: nas-bench-201.batch_size: 1 is less than the minimum of 2"),
        ({"section": {"weights": [1.0, 1.0]}}, "weights: found 1.0 1.0, equal weights; expected LOW < HIGH"),
        ({"section": {"weights": [-1.0, 1.0]}}, "config: nas-bench-201.weights"),
        (
            {"section": {"datasets": ["toy"]}, "train": TRAINING | {"images": "my-tyos.npz"}},
            "config: train.images: found no file my-tyos.npz, expected an npz with images and labels",
        ),
        (
            {"section": {"performance": {"split": "test", "epochs": 7}}},
            "config: nas-bench-201.performance: found no test performance after 7 epochs on cifar10, toy in the mirror",
        ),
    ],
)
def test_mistakes_in_the_configuration_are_one_line(checkout, mirror, changes, message):
    code, output = run(checkout, study(mirror, **changes), "--dry-run")
    assert code != 0
    assert sum(message in line for line in output.splitlines()) == 1
    assert "Traceback" not in output


def test_a_crash_is_in_the_log(checkout, mirror, tmp_path, monkeypatch):
    """Neither the user's mistake nor a foreseen failure: the log has the whole story."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import epsinas.files.whole as whole\n\n\ndef fail(*_):\n    raise RuntimeError('out of the blue')\n\n\n"
        "whole.digest = whole.sha256 = fail\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(broken), prepend=os.pathsep)
    code, _ = run(checkout, study(mirror), "results/toy/data/toy.npz")
    assert code != 0
    (log,) = (checkout / "results" / "toy" / "logs" / "retrieve").rglob("*.log")
    assert "RuntimeError: out of the blue" in log.read_text()


@pytest.mark.parametrize("name", ["a space", "{braces}"])
def test_the_path_of_the_clone_may_be_any(tmp_path, mirror, name):
    folder = copy_workflow(tmp_path / name)
    # The environment lies in the clone, as `make` sets it up.
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    code, output = run(folder, study(mirror), "results/toy/data/toy.npz", python=folder / ".venv" / "bin" / "python")
    assert code == 0, output


def test_a_run_that_is_complete_does_nothing_whatever_the_command(checkout, mirror):
    config = study(mirror, section={"datasets": ["cifar10"], "precisions": ["single"]})
    assert run(checkout, config)[0] == 0
    before = (checkout / "results" / "toy" / "provenance.json").read_text()
    code, output = run(checkout, config, "--keep-going")
    assert code == 0
    assert "Nothing to be done" in output
    assert (checkout / "results" / "toy" / "provenance.json").read_text() == before


def test_what_the_mirror_lacks_is_said_once(checkout, mirror):
    code, output = run(checkout, study(mirror), "results/toy/data/toy.npz", "results/toy/data/cifar10.npz")
    assert code == 0, output
    said = [line for line in output.splitlines() if line.startswith("epsinas: ")]
    assert said == [
        f"epsinas: nas-bench-201: 20 networks in the mirror {mirror}, where the study names 15,625: these are taken"
    ]


def test_missing_file_in_the_mirror(checkout, mirror, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    code, output = run(checkout, study(empty), "results/toy/data/toy.npz")
    assert code != 0
    assert f"epsinas: toy.npz: missing from the mirror {empty}: no such file" in output
    assert "Traceback" not in output
    assert not (checkout / "results" / "toy" / "data" / "toy.npz").exists()


def test_checksum_that_differs(checkout, mirror):
    config = study(mirror, sha256={"toy.npz": "0" * 64})
    code, output = run(checkout, config, "results/toy/data/toy.npz")
    assert code != 0
    assert f"{mirror / 'toy.npz'}: found sha256 " in output
    assert f"expected {'0' * 64}" in output
    assert not (checkout / "results" / "toy" / "data" / "toy.npz").exists()


def test_a_study_without_a_name_is_not_merged_into_the_papers(checkout, mirror):
    """Once, it wrote over the paper's results."""
    config = study(mirror)
    del config["study"]
    code, output = run(checkout, config, "--dry-run")
    assert code == 1
    assert f"{checkout / 'study.yaml'}: key study is missing, expected the name of the study" in output
    assert "Traceback" not in output


def test_a_mistake_inside_a_file_of_the_mirror_names_the_file(checkout, mirror, tmp_path):
    for path in mirror.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    name = "nas-bench-201.architectures.parquet"
    table = pd.read_parquet(tmp_path / name)
    table.loc[7, "architecture"] = "|nor_conv_7x7~0|"
    write_architectures(table, tmp_path / name)
    code, _ = run(checkout, study(tmp_path, study="odd"), "results/odd/networks/nas-bench-201.parquet")
    assert code == 1
    log = (checkout / "results/odd/logs/describe_networks/nas-bench-201.log").read_text()
    assert log.startswith(f"epsinas: results/odd/data/{name}: column architecture: row 7: ")
