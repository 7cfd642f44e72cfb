import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from epsinas.datasets.cifar10 import cifar10_images
from epsinas.datasets.imagenet16_120 import BATCHES, imagenet16_120_images
from epsinas.errors import InputError
from epsinas.files import images as image_files
from epsinas.files import tables as schemas
from epsinas.files import whole
from epsinas.sources import conversion, packaged, retrieval
from epsinas.sources.base import BENCHMARKS, BenchmarkTables, RawFile, Trained
from epsinas.sources.conversion import copy_conversion, image_conversion, table_sources
from epsinas.sources.retrieval import (
    PlannedDownload,
    announcement,
    is_filled_in,
    known_sources,
    missing_files,
    planned_downloads,
    retrieve,
)
from tests.conftest import MIRROR
from tests.datasets.test_official_images import pixels, write_cifar10, write_imagenet16
from tests.refusals import refusal

FOLDER = "https://drive.google.com/drive/folders/FOLDER"


@pytest.fixture
def mirror(tmp_path) -> Path:
    """A mirror with one file of every schema."""
    folder = tmp_path / "mirror"
    frame = pd.DataFrame({"index": [0, 1], "architecture": ["a", "b"]})
    schemas.write_architectures(frame, folder / "tiny.architectures.parquet")
    frame = pd.DataFrame({"index": [0], "dataset": ["d"], "split": ["test"], "epochs": [1], "accuracy": [50.0]})
    frame["seed"] = pd.array([None], dtype="Int8")
    schemas.write_performance(frame, folder / "tiny.performance.parquet")
    frame = pd.DataFrame({"index": [0], "seconds": [1.5]})
    schemas.write_training_cost(frame, folder / "tiny.training-cost.parquet")
    frame = pd.DataFrame({"index": [0], "dataset": ["d"], "metric": ["m"], "score": [-np.inf]})
    schemas.write_published_scores(frame, folder / "tiny.published-scores.parquet")
    image_files.write_images(pixels(2, 4), np.array([0, 1]), "made by a test", folder / "tiny.npz")
    (folder / "ptb").mkdir()
    (folder / "ptb" / "train.txt").write_text("the cat\n")
    for path in folder.iterdir():
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield folder
    (folder / "ptb").chmod(0o755)


@pytest.mark.parametrize(
    "name",
    [
        "tiny.architectures.parquet",
        "tiny.performance.parquet",
        "tiny.training-cost.parquet",
        "tiny.published-scores.parquet",
        "ptb/train.txt",
    ],
)
def test_a_file_of_the_mirror_is_copied_and_recorded(tmp_path, mirror, name):
    target = tmp_path / "results" / name
    found = retrieve(name, target, mirror, tmp_path / "cache")
    assert target.read_bytes() == (mirror / name).read_bytes()
    assert asdict(found) == {
        "name": name,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "bytes": target.stat().st_size,
        "source": str(mirror / name),
        "via": "mirror",
        "licence": None,
        "raw": {},
    }
    assert not (tmp_path / "cache").exists()
    target.write_bytes(b"a copy of a read-only file can be written to")


def test_the_source_of_images_is_what_they_say(tmp_path, mirror):
    found = retrieve("tiny.npz", tmp_path / "tiny.npz", str(mirror), tmp_path / "cache")
    assert (found.source, found.via) == ("made by a test", "mirror")


def test_what_the_mirror_lacks_is_named(tmp_path, mirror):
    target = tmp_path / "target"
    message = refusal(retrieve, "absent.npz", target, mirror, tmp_path)
    assert message == (f"absent.npz: missing from the mirror {mirror}: no such file, expected {mirror / 'absent.npz'}")
    message = refusal(retrieve, "a.npz", target, tmp_path / "nowhere", tmp_path)
    assert "no such folder" in message
    assert not target.exists()


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname"])
def test_names_do_not_leave_the_mirror(tmp_path, mirror, name):
    message = f"{name}: found a path that leaves the mirror, expected a file name"
    assert refusal(retrieve, name, tmp_path / "target", mirror, tmp_path) == message


def test_a_file_of_the_mirror_is_checked(tmp_path, mirror):
    shutil.copyfile(mirror / "tiny.architectures.parquet", mirror / "bad.performance.parquet")
    target = tmp_path / "target.parquet"
    message = refusal(retrieve, "bad.performance.parquet", target, mirror, tmp_path)
    assert message.startswith(f"{mirror / 'bad.performance.parquet'}: column accuracy or loss is missing")
    assert not target.exists()


def test_accuracies_given_as_fractions_are_refused(tmp_path, mirror):
    path = mirror / "tiny.performance.parquet"
    table = pd.read_parquet(path)
    schemas.write_performance(table.assign(accuracy=table["accuracy"] / 100), path)
    message = refusal(retrieve, path.name, tmp_path / "target", mirror, tmp_path)
    assert message.startswith(f"{path}: column accuracy: found at most 0.")
    assert message.endswith("on d, a fraction; expected percent (0 to 100)")


def test_an_expected_sha256_is_compared(tmp_path, mirror):
    target, name = tmp_path / "target.npz", "tiny.npz"
    right = whole.sha256(mirror / name)
    wrong = "0" * 64
    assert refusal(retrieve, name, target, mirror, tmp_path, expected_sha256=wrong) == (
        f"{mirror / name}: found sha256 {right}, expected {wrong}"
    )
    assert not target.exists()
    assert retrieve(name, target, mirror, tmp_path, expected_sha256=right.upper()).sha256 == right


def test_a_file_without_official_source_is_named(tmp_path):
    message = refusal(retrieve, "chain.performance.parquet", tmp_path / "t", None, tmp_path)
    assert message.startswith("chain.performance.parquet: no official source to download; ")
    assert "cifar10.npz" in message


@pytest.mark.parametrize(
    ("name", "mirror", "filled_in"),
    [
        ("nas-bench-201.published-scores.parquet", "folder", True),
        ("nas-bench-201.published-scores.parquet", None, True),
        ("nas-bench-201.training-cost.parquet", "folder", True),
        ("nas-bench-201.training-cost.parquet", None, False),  # the official files have it
        ("nas-bench-201.performance.parquet", "folder", False),
        ("tiny.published-scores.parquet", "folder", False),
        ("nas-bench-201.published-scores.parquet", "package", False),
    ],
)
def test_what_belongs_to_a_benchmarks_numbers_is_filled_in(tmp_path, name, mirror, filled_in):
    mirror = tmp_path if mirror == "folder" else mirror
    assert is_filled_in(name, mirror) == filled_in
    if filled_in:
        assert planned_downloads([name], mirror, tmp_path) == []
        found = retrieve(name, tmp_path / "results" / name, mirror, tmp_path)
        assert (found.via, found.source, found.licence) == ("package", *packaged.origin(name))


def test_which_files_a_mirror_misses(mirror):
    names = ["tiny.npz", "ptb/train.txt", "zipf/train.txt", "nas-bench-201.training-cost.parquet", "cifar10.npz"]
    assert missing_files(names, mirror) == ["cifar10.npz"]
    for other in (None, "package"):
        assert missing_files(names, other) == []


def test_the_mirrors_own_file_is_taken_before_the_packages(tmp_path, mirror):
    shutil.copyfile(mirror / "tiny.training-cost.parquet", mirror / "nas-bench-201.training-cost.parquet")
    found = retrieve("nas-bench-201.training-cost.parquet", tmp_path / "cost.parquet", mirror, tmp_path)
    assert found.via == "mirror"


def test_what_the_benchmarks_files_hold_is_known():
    holdings = {name: source.holdings for name, source in known_sources().items() if source.holdings}
    assert {name.rpartition(".")[0].rpartition(".")[0] for name in holdings} == {
        "nas-bench-101",
        "nas-bench-201",
        "nas-bench-nlp",
    }
    assert Trained("cifar100", "valid", 200) in holdings["nas-bench-201.performance.parquet"].performance
    assert holdings["nas-bench-101.performance.parquet"].networks == 423_624


def official(name: str, content: bytes, address: str) -> RawFile:
    return RawFile(name, (address,), "md5", hashlib.md5(content).hexdigest())


def test_downloads_are_converted_and_recorded(tmp_path, server, offer):
    content = write_cifar10(tmp_path / "archive").read_bytes()
    server.files["cifar.tar.gz"] = content
    archive = official("archive.tar.gz", content, server.address("cifar.tar.gz"))
    offer("cifar10.npz", image_conversion((archive,), lambda paths: cifar10_images(paths[0])))
    target = tmp_path / "results" / "cifar10.npz"
    found = retrieve("cifar10.npz", target, None, tmp_path / "cache")
    assert len(image_files.read_images(target).images) == 10
    assert found.sha256 == whole.sha256(target)
    assert (found.via, found.source) == ("download", archive.addresses[0])
    assert found.raw == {"archive.tar.gz": hashlib.sha256(content).hexdigest()}
    message = refusal(retrieve, "cifar10.npz", target, None, tmp_path / "cache", expected_sha256="0")
    assert message == f"cifar10.npz as downloaded: found sha256 {found.sha256}, expected 0"


def test_a_failed_download_leaves_no_destination(tmp_path, server, offer):
    offer("file.txt", copy_conversion(official("file.txt", b"text", server.address("absent"))))
    refusal(retrieve, "file.txt", tmp_path / "results" / "file.txt", None, tmp_path / "cache")
    assert not (tmp_path / "results").exists()


def test_another_way_is_tried_where_the_first_ones_files_cannot_be_had(tmp_path, server, offer):
    server.files["second.txt"] = b"text"
    first, second = (official(f"{name}.txt", b"text", server.address(f"{name}.txt")) for name in ("first", "second"))
    offer("file.txt", copy_conversion(first), copy_conversion(second))
    found = retrieve("file.txt", tmp_path / "file.txt", None, tmp_path / "cache")
    assert list(found.raw) == ["second.txt"]
    assert found.source == server.address("second.txt")
    server.ranges.clear()
    retrieve("file.txt", tmp_path / "file.txt", None, tmp_path / "cache")
    assert server.ranges == []


def test_the_address_that_gave_a_file_is_recorded(tmp_path, server, offer):
    server.files["second.txt"] = b"text"
    addresses = (server.address("first.txt"), server.address("second.txt"))
    offer("file.txt", copy_conversion(RawFile("file.txt", addresses)))
    for _ in range(2):
        found = retrieve("file.txt", tmp_path / "target.txt", None, tmp_path / "cache")
        assert found.source == addresses[1]
    (tmp_path / "cache" / "file.txt").write_bytes(b"another text, by hand")
    assert retrieve("file.txt", tmp_path / "target.txt", None, tmp_path / "cache").source == addresses[0]


def test_the_first_way_is_what_an_error_is_about(tmp_path, server, offer):
    first, second = (official(f"{name}.txt", b"text", server.address(f"{name}.txt")) for name in ("first", "second"))
    offer("file.txt", copy_conversion(first), copy_conversion(second))
    message = refusal(retrieve, "file.txt", tmp_path / "file.txt", None, tmp_path / "cache")
    assert message.startswith(f"first.txt: cannot be downloaded from {first.addresses[0]}: 404")


def test_a_wrong_file_in_the_cache_is_said_and_not_passed_over(tmp_path, server, offer):
    server.files["second.txt"] = b"text"
    first, second = (official(f"{name}.txt", b"text", server.address(f"{name}.txt")) for name in ("first", "second"))
    offer("file.txt", copy_conversion(first), copy_conversion(second))
    (tmp_path / "first.txt").write_bytes(b"wrong")
    message = refusal(retrieve, "file.txt", tmp_path / "results" / "file.txt", None, tmp_path)
    assert message.startswith(f"{tmp_path / 'first.txt'}: found md5 ")
    assert (tmp_path / "first.txt").read_bytes() == b"wrong"
    assert server.ranges == []


@pytest.fixture
def tables(offer, tmp_path):
    """A benchmark with one official file in the cache, whose content is its only architecture; lists readings of it."""
    read = []

    def reader(paths, progress):
        read.append(paths)
        architectures = pd.DataFrame({"index": [0], "architecture": [paths[0].read_text()]})
        performance = pd.DataFrame(
            {"index": [0], "dataset": ["d"], "split": ["test"], "epochs": [1], "seed": [0], "accuracy": [50.0]}
        )
        return BenchmarkTables(architectures, performance)

    def register(version: int = 1) -> list:
        raw = RawFile("official.file", ("http://127.0.0.1:1/",))
        for source in table_sources("tiny", [((raw,), reader)], version, ("architectures", "performance"), "MIT"):
            offer(source.name, *source.conversions)
        return read

    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "official.file").write_text("first")
    return register


def architecture(tmp_path) -> str:
    target = tmp_path / "tiny.architectures.parquet"
    retrieve(target.name, target, None, tmp_path / "cache")
    return schemas.read_architectures(target)["architecture"].item()


def test_an_official_file_is_read_once_for_all_its_tables(tmp_path, tables):
    read = tables()
    assert architecture(tmp_path) == "first"
    retrieve("tiny.performance.parquet", tmp_path / "performance", None, tmp_path / "cache")
    assert len(schemas.read_performance(tmp_path / "performance")) == 1
    assert read == [[tmp_path / "cache" / "official.file"]]


def test_tables_say_what_they_were_made_of(tmp_path, tables):
    tables(version=7)
    architecture(tmp_path)
    (record,) = (tmp_path / "cache").glob("tiny.tables-*-v7/made_of.json")
    digest = hashlib.sha256(b"first").hexdigest()
    assert json.loads(record.read_text()) == {"files": {"official.file": digest}, "reader": 7}


def test_memory_that_ends_in_a_conversion_is_no_bad_file(tmp_path, offer):
    def reader(paths, progress=None):
        raise MemoryError

    raw = RawFile("official.file", ("http://127.0.0.1:1/",))
    (tmp_path / "official.file").write_text("content")
    offer("pictures.npz", image_conversion((raw,), reader))
    (source,) = table_sources("tiny", [((raw,), reader)], 1, ("architectures",), "MIT")
    offer(source.name, *source.conversions)
    for name in ("pictures.npz", source.name):
        message = refusal(retrieve, name, tmp_path / name, None, tmp_path)
        assert message.startswith("official.file: the machine's memory ended while it was read; ")


def test_another_official_file_makes_other_tables(tmp_path, tables):
    """Once, tables in the cache were used whatever had become of the file that they were made of."""
    tables()
    assert architecture(tmp_path) == "first"
    (tmp_path / "cache" / "official.file").write_text("second")
    assert architecture(tmp_path) == "second"


def test_another_version_of_the_reader_makes_tables_again(tmp_path, tables, offer):
    read = tables()
    architecture(tmp_path)
    for kind in ("architectures", "performance"):
        BENCHMARKS.unregister(f"test tiny.{kind}.parquet")
    tables(version=2)
    architecture(tmp_path)
    assert len(read) == 2


def test_an_interrupted_conversion_leaves_no_tables(tmp_path, tables, monkeypatch):
    read = tables()

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setitem(conversion._WRITERS, "performance", fail)
        with pytest.raises(KeyboardInterrupt):
            architecture(tmp_path)
    assert architecture(tmp_path) == "first"
    assert len(read) == 2


def test_what_would_be_downloaded_is_said_once_for_each_file(tmp_path, offer):
    raw = RawFile("official.file", ("http://127.0.0.1:1/", "http://127.0.0.1:2/"), size=7)
    other = RawFile("other.file", ("http://127.0.0.1:3/",))
    for name in ("one.txt", "two.txt"):
        offer(name, copy_conversion(raw))
    offer("three.txt", copy_conversion(other), licence=None)
    names = ["one.txt", "two.txt", "three.txt", "digits.npz"]
    first = ("official.file", 7, "MIT", "http://127.0.0.1:1/")
    second = ("other.file", None, None, "http://127.0.0.1:3/")
    assert planned_downloads(names, None, tmp_path) == [first, second]
    (tmp_path / "official.file").write_text("")
    assert planned_downloads(names, None, tmp_path) == [second]
    assert planned_downloads(names, tmp_path, tmp_path) == []


def test_what_comes_is_announced(tmp_path):
    downloads = [
        PlannedDownload("large.pth", 5_050_000_000, "MIT", "https://a"),
        PlannedDownload("small.zip", 879_000, None, "https://b"),
        PlannedDownload("other.zip", None, None, "https://c"),
        *(PlannedDownload(f"batch_{number}", 1_000_000, "CC0", "https://d") for number in (1, 2, 3)),
    ]
    assert announcement(downloads, "cache") == (
        "6 official files will be downloaded into cache, 5.05 GB and what is of unknown size:\n"
        "  large.pth: 5.05 GB, MIT, https://a\n"
        "  small.zip: 879 kB, no licence stated, https://b\n"
        "  other.zip: size unknown, no licence stated, https://c\n"
        "  batch_1 to batch_3 (3 files): 3 MB, CC0, https://d"
    )
    assert announcement([], "cache") == ""


def test_imagenet16_120_is_made_of_ten_files(tmp_path, drive, offer):
    (tmp_path / "official").mkdir()
    files = []
    for path in write_imagenet16(tmp_path / "official"):
        drive.files[path.name] = path.read_bytes()
        drive.folder.append((path.name, f"ImageNet16/{path.name}"))
        files.append(official(path.name, path.read_bytes(), FOLDER))
    offer("ImageNet16-120.npz", image_conversion(tuple(files), imagenet16_120_images))
    found = retrieve("ImageNet16-120.npz", tmp_path / "images.npz", None, tmp_path / "cache")
    assert image_files.read_images(tmp_path / "images.npz").labels.tolist() == [0, 119] * 9 + [9]
    assert found.source == FOLDER
    assert len(found.raw) == 10


@pytest.mark.parametrize("mirror", [None, "package", "folder"])
def test_what_the_package_makes_needs_no_mirror_that_has_it(tmp_path, mirror):
    if mirror == "folder":
        mirror = tmp_path
    found = retrieve("zipf/train.txt", tmp_path / "results" / "train.txt", mirror, tmp_path / "cache")
    assert (found.via, found.source) == ("package", "words by Zipf's law")
    if mirror == tmp_path:
        (tmp_path / "zipf").mkdir()
        (tmp_path / "zipf" / "train.txt").write_text("my own words\n")
        found = retrieve("zipf/train.txt", tmp_path / "results" / "train.txt", mirror, tmp_path / "cache")
        assert found.via == "mirror"


@pytest.mark.parametrize("source", known_sources().values(), ids=known_sources())
def test_the_table_of_sources_is_complete(source):
    assert source.conversions
    lengths = {"md5": 32, "sha256": 64}
    for way in source.conversions:
        assert way.raw or way.made
        for file in way.raw:
            assert all(address.startswith("https://") for address in file.addresses)
            assert set(file.checksum) <= set("0123456789abcdef")
            complete = len(file.checksum) == lengths[file.algorithm]
            # The first has the end of its checksum in its name; the others' are not published.
            unknown = ("train_logs_single_run.zip", "train_logs_multiple_runs.zip", "NATS-tss-v1_0-3ffb9-simple.tar")
            assert complete or file.name.endswith(f"{file.checksum}.pth") or file.name in unknown


def test_the_ten_files_of_imagenet16_differ():
    assert [file.name for file in BATCHES] == [f"train_data_batch_{number}" for number in range(1, 11)]
    assert len({file.checksum for file in BATCHES}) == 10


@pytest.mark.skipif(not MIRROR.is_dir(), reason=f"no mirror of real data in {MIRROR.name}")
@pytest.mark.parametrize("name", ["nas-bench-201.performance.parquet", "ImageNet16-120.npz"])
def test_real_files_are_retrieved_from_the_mirror(tmp_path, name):
    found = retrieve(name, tmp_path / name, MIRROR, tmp_path / "cache")
    assert found.sha256 == whole.sha256(MIRROR / name)


def test_own_images_are_checked_and_copied(tmp_path):
    images = np.zeros((3, 4, 4, 1), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, labels=np.arange(3, dtype=np.int16), source="my camera")
    provenance = retrieval.take(tmp_path / "mine.npz", tmp_path / "data" / "pets.npz")
    assert (provenance.name, provenance.source, provenance.via) == ("pets.npz", "my camera", "own file")
    assert (tmp_path / "data" / "pets.npz").read_bytes() == (tmp_path / "mine.npz").read_bytes()


def test_own_images_that_are_malformed_are_not_copied(tmp_path):
    np.savez(tmp_path / "mine.npz", images=np.zeros((3, 4, 4)), labels=np.arange(3), source="my camera")
    with pytest.raises(InputError, match="array images: found dtype float64, expected uint8"):
        retrieval.take(tmp_path / "mine.npz", tmp_path / "pets.npz")
    assert not (tmp_path / "pets.npz").exists()


def test_the_package_has_its_tables_and_what_it_makes_itself(tmp_path):
    found = retrieve("digits.npz", tmp_path / "digits.npz", "package", tmp_path / "cache")
    assert (found.via, found.licence) == ("package", "CC BY 4.0")
    assert image_files.read_images(tmp_path / "digits.npz").images.shape == (1797, 8, 8, 1)
    with pytest.raises(InputError, match=r"cifar10.npz: not inside the package, which has nas-bench-201.arch"):
        retrieve("cifar10.npz", tmp_path / "cifar10.npz", "package", tmp_path / "cache")


@pytest.mark.parametrize("name", packaged.FILES)
def test_published_accuracies_come_from_the_package(tmp_path, name):
    found = retrieve(name, tmp_path / name, "package", tmp_path / "cache")
    assert (found.via, found.source, found.licence) == ("package", *packaged.origin(name))
    assert planned_downloads([name], "package", tmp_path / "cache") == []
    # What comes from the package is as from a mirror: in its schema.
    assert retrieve(name, tmp_path / "copy", tmp_path, tmp_path / "cache").sha256 == found.sha256
