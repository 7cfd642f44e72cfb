"""Miniature official files from a server with a broken connection, a wrong checksum and a refusal on the way."""

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from epsinas.files.tables import read_architectures, read_performance, read_training_cost
from epsinas.sources import nas_bench_101, nas_bench_201, nas_bench_nlp
from epsinas.sources.base import RawFile
from epsinas.sources.conversion import table_sources
from epsinas.sources.retrieval import planned_downloads, retrieve
from tests.conftest import PROJECT
from tests.sources.test_nas_bench_101 import rows
from tests.sources.test_nas_bench_201 import META, nats_record, write_nas_bench_201, write_nats_bench
from tests.sources.test_nas_bench_nlp import archive, log
from tests.sources.test_tfrecords import write_records

SCRIPT = PROJECT / "benchmarks" / "official_files.py"


@pytest.fixture
def official(server, tmp_path):
    """A function that serves a file and says what it is; `faulty` addresses come before the right one."""

    def serve(path: Path, *faulty: str, content: bytes | None = None) -> RawFile:
        whole = path.read_bytes()
        server.files[path.name] = whole if content is None else content
        addresses = (*faulty, server.address(path.name))
        return RawFile(path.name, addresses, "sha256", hashlib.sha256(whole).hexdigest(), len(whole))

    (tmp_path / "official").mkdir()
    return serve


def retrieved(names: list[str], folder: Path) -> None:
    for name in names:
        found = retrieve(name, folder / "results" / name, None, folder / "cache")
        assert (found.via, found.licence) == ("download", "MIT")


def offer_tables(offer, benchmark: str, readers: list, kinds: tuple[str, ...]) -> list[str]:
    sources = table_sources(benchmark, readers, 1, kinds, "MIT")
    for source in sources:
        offer(source.name, *source.conversions)
    return [source.name for source in sources]


def test_nas_bench_201_comes_over_a_broken_connection(tmp_path, official, offer, server):
    raw = official(write_nas_bench_201(tmp_path / "official" / "nb201.pth"))
    readers = [((raw,), lambda paths, progress: nas_bench_201.read_nas_bench_201(paths[0], progress))]
    names = offer_tables(offer, "nas-bench-201", readers, ("architectures", "performance", "training_cost"))
    assert len(planned_downloads(names, None, tmp_path / "cache")) == 1
    server.faults = [("cut", 1000), ("status", 503)]
    retrieved(names, tmp_path)
    assert server.ranges == [None, "bytes=1000-", "bytes=1000-"]
    assert len(read_architectures(tmp_path / "results" / names[0])) == 2
    assert len(read_performance(tmp_path / "results" / names[1])) == 74
    assert len(read_training_cost(tmp_path / "results" / names[2])) == 2


def test_nas_bench_201_comes_from_the_archive_where_the_file_is_refused(tmp_path, official, offer, server):
    folder = tmp_path / "official"
    first = official(write_nas_bench_201(folder / "nb201.pth"), content=b"You have exceeded the quota")
    members = {"meta": META, "000000": nats_record(0), "000001": nats_record(1)}
    second = official(write_nats_bench(folder / "nats.tar", members), server.address("refused"))
    readers = [
        ((first,), lambda paths, progress: nas_bench_201.read_nas_bench_201(paths[0], progress)),
        ((second,), lambda paths, progress: nas_bench_201.read_nats_bench(paths[0], progress)),
    ]
    names = offer_tables(offer, "nas-bench-201", readers, ("architectures", "performance"))
    retrieved(names, tmp_path)
    assert len(read_performance(tmp_path / "results" / names[1])) == 74
    assert not (tmp_path / "cache" / "nb201.pth").exists()


def test_nas_bench_101_comes_from_its_second_address(tmp_path, official, offer, server):
    server.files["wrong"] = b"wrong"
    raw = official(write_records(tmp_path / "official" / "nb101.tfrecord", rows()), server.address("wrong"))
    readers = [((raw,), lambda paths, progress: nas_bench_101.read_nas_bench_101(paths[0], progress, verified=True))]
    names = offer_tables(offer, "nas-bench-101", readers, ("architectures", "performance"))
    retrieved(names, tmp_path)
    assert len(read_performance(tmp_path / "results" / names[1])) == 24


def test_nas_bench_nlp_comes_from_three_archives(tmp_path, official, offer, server):
    folder = tmp_path / "official"
    raws = (
        official(archive(folder / "single.zip", log(3), log(4)), server.address("refused")),
        official(archive(folder / "several.zip", log(3, experiment_id=1))),
        official(archive(folder / "wikitext-2.zip", log(3, data="data/wikitext-2"))),
    )
    names = offer_tables(
        offer, "nas-bench-nlp", [(raws, nas_bench_nlp.read_nas_bench_nlp)], ("architectures", "performance")
    )
    retrieved(names, tmp_path)
    assert set(read_performance(tmp_path / "results" / names[1])["dataset"]) == {"ptb", "wikitext-2"}


def test_the_benchmark_of_readers_runs(tmp_path):
    command = [sys.executable, SCRIPT, "nats-bench", "nas-bench-nlp", "--share", "1e-4", "--folder", tmp_path]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    counts = {line.split()[0]: int(line.split()[1]) for line in run.stdout.splitlines()[1:]}
    assert counts == {"nats-bench": 2, "nas-bench-nlp": 1}
    assert list(tmp_path.iterdir()) == []


def test_the_benchmarks_file_is_like_the_official_one(tmp_path):
    """PyTorch reads it too, and finds in it what our reader finds."""
    specification = importlib.util.spec_from_file_location("official_files", SCRIPT)
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    script.write_pth(tmp_path / "file.pth", 7, script.templates(None))
    contents = torch.load(tmp_path / "file.pth", weights_only=False)
    assert list(contents) == ["meta_archs", "total_archs", "basestr", "arch2infos", "evaluated_indexes"]
    results = nas_bench_201._Results("file.pth")
    for index, record in contents["arch2infos"].items():
        results.add(index, record)
    expected = results.tables(contents["meta_archs"]).performance
    found = nas_bench_201.read_nas_bench_201(tmp_path / "file.pth").performance
    assert found.equals(expected)
