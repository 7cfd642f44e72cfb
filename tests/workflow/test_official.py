"""The official study on miniature official files, from a server with faults."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from epsinas import space
from epsinas.datasets.zipf import zipf_text
from epsinas.spaces import NasBench101
from tests.conftest import PROJECT
from tests.datasets.test_official_images import pixels, python2_batch, rows, write_archive, write_imagenet16
from tests.sources import test_nas_bench_101 as nb101
from tests.sources import test_nas_bench_201 as nb201
from tests.sources.conftest import Server, server  # noqa: F401 (a fixture)
from tests.sources.test_nas_bench_nlp import archive, log
from tests.sources.test_tfrecords import write_records
from tests.workflow.running import run

NETWORKS = 12

MODULE = '''\
"""The official files at other addresses, with other checksums and fewer networks."""

import json
from dataclasses import replace
from pathlib import Path

from epsinas.sources.base import BENCHMARKS, OfficialBenchmark
from epsinas.sources.retrieval import known_sources

FILES = json.loads(Path("files.json").read_text())


def here(source):
    ways = [replace(way, raw=tuple(map(served, way.raw))) for way in source.conversions]
    holdings = source.holdings and replace(source.holdings, networks=12)
    return replace(source, conversions=ways, holdings=holdings)


def served(raw):
    return replace(raw, **FILES.get(raw.name, {}))


BENCHMARKS.register(OfficialBenchmark("miniatures", tuple(here(source) for source in known_sources().values())))
'''


@pytest.fixture
def official(tmp_path, monkeypatch) -> list[Path]:
    """Miniatures of the official files, with twelve networks of each space."""
    folder = tmp_path / "official"
    folder.mkdir()
    rng = np.random.default_rng(0)

    monkeypatch.setattr(nb201, "NAMES", space("nas-bench-201").sample(NETWORKS, rng))
    monkeypatch.setattr(nb201, "SEEDS", {index: [777, 888, 999][: 1 + index % 3] for index in range(NETWORKS)})
    original = nb201.accuracy
    monkeypatch.setattr(nb201, "accuracy", lambda index, *rest: original(0, *rest) + index)
    contents = nb201.nas_bench_201_contents() | {"arch2infos": dict(enumerate(map(nb201.record_pair, range(NETWORKS))))}
    nb201.write_nas_bench_201(folder / "NAS-Bench-201-v1_1-096897.pth", contents)

    monkeypatch.setattr(nb101, "ARCHITECTURES", NasBench101().sample(NETWORKS, rng))
    monkeypatch.setattr(nb101, "PARAMETERS", [1000] * NETWORKS)
    monkeypatch.setattr(nb101, "accuracies", lambda index, run: (0.5 + index / 40 + run / 100, 0.4 + index / 40))
    trainings = [nb101.row(index, number) for number in range(3) for index in range(NETWORKS)]
    write_records(folder / "nasbench_only108.tfrecord", trainings)

    losses = {"val_losses": [6.0] * 50, "epochs": 50}
    recipes = list(enumerate(space("nas-bench-nlp").sample(NETWORKS, rng)))
    logs = [log(index, recipe, test_losses=[4 + index / 10] * 50, **losses) for index, recipe in recipes]
    archive(folder / "train_logs_single_run.zip", *logs)
    archive(folder / "train_logs_multiple_runs.zip", logs[0] | {"experiment_id": 1})
    archive(folder / "train_logs_wikitext-2.zip", *(log | {"data": "data/wikitext-2"} for log in logs))

    images = {number: rows(pixels(40, 32, number)) for number in range(1, 6)}
    batches = {f"data_batch_{number}": python2_batch(image, b"labels", [0] * 40) for number, image in images.items()}
    write_archive(folder / "cifar-10-python.tar.gz", "cifar-10-batches-py", batches)
    train = python2_batch(images[1], b"fine_labels", [0] * 40)
    write_archive(folder / "cifar-100-python.tar.gz", "cifar-100-python", {"train": train})
    write_imagenet16(folder)
    (folder / "ptb.train.txt").write_text(zipf_text(50, 40, 20))
    (folder / "wikitext-2.valid.txt").write_text(zipf_text(60, 40, 20))
    return sorted(folder.iterdir())


@pytest.fixture
def project(checkout, official, server: Server) -> Path:  # noqa: F811
    """The workflow with a module that names the server's files, three of which cannot be had at once."""
    files = {}
    for path in official:
        content = path.read_bytes()
        server.files[path.name] = content
        checksum = {"algorithm": "sha256", "checksum": hashlib.sha256(content).hexdigest(), "size": len(content)}
        files[path.name] = {"addresses": [server.address(path.name)], **checksum}
    server.breaks["cifar-10-python.tar.gz"] = 200_000
    files["NAS-Bench-201-v1_1-096897.pth"]["addresses"].insert(0, server.address("refused"))
    server.files["wrong"] = b"another file"
    files["nasbench_only108.tfrecord"]["addresses"].insert(0, server.address("wrong"))
    (checkout / "files.json").write_text(json.dumps(files))
    (checkout / "miniatures.py").write_text(MODULE)
    return checkout


def small_study() -> dict:
    """The official study with fewer batches and small networks."""
    config = yaml.safe_load((PROJECT / "workflow" / "studies" / "official.yaml").read_text())
    config["modules"] = ["miniatures"]
    for name in ("nas-bench-201", "nas-bench-101", "nas-bench-nlp"):
        config[name] |= {"batch_size": 8, "draws": 1, "precisions": ["extended"], "ablations": {}}
        config[name]["skeleton"] = {"channels": 2, "cells": 1}
    config["nas-bench-nlp"] |= {"steps": 5, "skeleton": {"hidden_size": 20, "layers": 2}, "resamples": 10}
    config["nas-bench-101"] |= {"skeleton": {"channels": 4, "cells": 1}, "resamples": 10}
    section = config["nas-bench-201"]
    section["selection"] = {"runs": 5, "pool_sizes": [5]}
    section["comparison"] = {"metrics": ["parameters"], "published": True}
    del section["search"]  # it needs the whole space
    return config


def test_the_official_study_on_miniature_official_files(project, server):  # noqa: F811
    results = project / "results" / "official"
    tables = {"table1": 3, "table2": None, "table3": 1, "table4": 2}
    targets = [f"results/official/tables/{name}.csv" for name in tables]
    code, output = run(project, small_study(), *targets)
    assert code == 0, output
    for name, rankings in tables.items():
        table = pd.read_csv(results / "tables" / f"{name}.csv")
        own = table.query("metric == 'epsilon'") if rankings else table
        assert rankings is None or own["networks"].tolist() == [NETWORKS] * rankings

    # What comes and what is taken instead is said once, before anything happens; then how far it is.
    said = [line for line in output.splitlines() if line.startswith("epsinas: ")]
    files = "19 official files will be downloaded into resources"
    assert sum(files in line for line in said) == 1
    place = "12 networks in the official files, where the study names"
    assert said[:4] == [
        f"epsinas: nas-bench-101: {place} 423,624: these are taken",
        f"epsinas: nas-bench-201: {place} 15,625: these are taken",
        f"epsinas: nas-bench-nlp: {place} 14,322: these are taken",
        "epsinas: nas-bench-201.published-scores.parquet: not in the official files; it comes from the package",
    ]
    assert any(line.startswith("epsinas: reading NAS-Bench-201-v1_1-096897.pth: ") for line in said)
    assert any(line.startswith("epsinas: cifar-10-python.tar.gz: ") for line in said)

    inputs = {path.stem: json.loads(path.read_text()) for path in (results / "provenance").glob("*.json")}
    assert inputs["nas-bench-201.published-scores.parquet"]["via"] == "package"
    raws = {"nas-bench-201": "NAS-Bench-201-v1_1-096897.pth", "nas-bench-101": "nasbench_only108.tfrecord"}
    for name, raw in raws.items():
        found = inputs[f"{name}.performance.parquet"]
        assert (found["via"], found["source"]) == ("download", server.address(raw))
        assert found["raw"] == {raw: hashlib.sha256(server.files[raw]).hexdigest()}
    # The download that broke off went on where it was.
    assert any(wanted and int(wanted[6:-1]) > 0 for wanted in server.ranges)
    assert not list((project / "resources").glob("*.part*"))
