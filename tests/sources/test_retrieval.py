import hashlib
import shutil
import sys
import threading
from dataclasses import asdict, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from epsinas.errors import InputError
from epsinas.files import images as image_files
from epsinas.files import tables as schemas
from epsinas.files import whole
from epsinas.sources import converters, retrieval
from epsinas.sources.retrieval import SOURCES, RawFile, fetch, retrieve
from tests.conftest import MIRROR
from tests.sources.test_converters import pixels, write_cifar10, write_imagenet16, write_nas_bench_201

CONTENT = bytes(range(256)) * 4
DRIVE = "https://drive.google.com/uc?id=IDENTIFIER"
FOLDER = "https://drive.google.com/drive/folders/FOLDER"


def raw(address: str, content: bytes = CONTENT, **fields) -> RawFile:
    return RawFile("raw.bin", address, "md5", **({"checksum": hashlib.md5(content).hexdigest()} | fields))


def refusal(function, *arguments, **named) -> str:
    with pytest.raises(InputError) as caught:
        function(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Server(ThreadingHTTPServer):
    """Serves `files`; each request spends one of `faults`: a status, or bytes after which to hang up."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: list[tuple[str, int]] = []
        self.ranges: list[str | None] = []
        self.continues = True

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        kind, value = self.server.faults.pop(0) if self.server.faults else ("none", 0)
        content = self.server.files.get(self.path[1:])
        if kind == "status" or content is None:
            return self.send_error(value or 404)
        start = int(wanted[6:-1]) if wanted and self.server.continues else 0
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: value if kind == "cut" else None])


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(retrieval, "CHUNK", 100)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(retrieval, "RETRY_WAITS", (0.0, 0.0, 0.0))
    with Server() as server:
        server.files["raw.bin"] = CONTENT
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def drive(monkeypatch):
    """A stand-in for gdown; `files` is what the drive has, by identifier, `calls` what was asked of it."""
    drive = SimpleNamespace(files={"IDENTIFIER": CONTENT}, calls=[], folder=[])

    def download(id, output, quiet, resume):
        drive.calls.append((id, resume))
        if id not in drive.files:
            raise RuntimeError("Cannot retrieve the public link of the file.\nYou may need to change permission")
        Path(output).write_bytes(drive.files[id])

    def download_folder(url, skip_download, quiet):
        assert skip_download
        drive.calls.append(url)
        return [SimpleNamespace(id=identifier, path=path) for identifier, path in drive.folder]

    monkeypatch.setitem(sys.modules, "gdown", SimpleNamespace(download=download, download_folder=download_folder))
    return drive


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
    message = refusal(retrieve, "nas-bench-201.published-scores.parquet", tmp_path / "t", None, tmp_path)
    assert message.startswith("nas-bench-201.published-scores.parquet: no official source to download; ")
    assert "cifar10.npz" in message


def test_a_download_is_kept_in_the_cache(tmp_path, server):
    path = fetch(raw(server.address("raw.bin")), tmp_path / "cache")
    assert path.read_bytes() == CONTENT
    assert fetch(raw(server.address("raw.bin")), tmp_path / "cache") == path
    assert server.ranges == [None]


def test_a_file_put_into_the_cache_by_hand_is_taken(tmp_path):
    (tmp_path / "raw.bin").write_bytes(CONTENT)
    assert fetch(raw("http://127.0.0.1:1/"), tmp_path).read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_downloaded_again(tmp_path, server):
    (tmp_path / "raw.bin").write_bytes(b"damaged")
    assert fetch(raw(server.address("raw.bin")), tmp_path).read_bytes() == CONTENT


def test_a_cut_connection_is_continued(tmp_path, server):
    server.faults = [("cut", 500), ("cut", 250)]
    assert fetch(raw(server.address("raw.bin")), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=500-", "bytes=700-"]


def test_a_later_run_continues_what_an_earlier_one_left(tmp_path, server):
    server.faults = [("cut", 500)] + 3 * [("status", 503)]
    message = refusal(fetch, raw(server.address("raw.bin")), tmp_path)
    assert "503 Service Unavailable" in message
    assert (tmp_path / "raw.bin.part").stat().st_size == 500
    server.ranges.clear()
    assert fetch(raw(server.address("raw.bin")), tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=500-"]


def test_a_server_that_cannot_continue_starts_anew(tmp_path, server):
    server.continues = False
    server.faults = [("cut", 500)]
    assert fetch(raw(server.address("raw.bin")), tmp_path).read_bytes() == CONTENT


def test_a_partial_file_longer_than_the_whole_is_dropped(tmp_path, server):
    (tmp_path / "raw.bin.part").write_bytes(CONTENT + b"more")
    assert fetch(raw(server.address("raw.bin")), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT) + 4}-", None]


def test_a_busy_server_is_asked_again(tmp_path, server):
    server.faults = [("status", 503), ("status", 429)]
    assert fetch(raw(server.address("raw.bin")), tmp_path).read_bytes() == CONTENT


def test_a_missing_file_is_asked_for_once(tmp_path, server):
    address = server.address("absent.bin")
    assert refusal(fetch, raw(address), tmp_path) == (
        f"raw.bin: cannot be downloaded from {address}: 404 Not Found; "
        f"name a mirror, or put the file into {tmp_path} by hand"
    )
    assert len(server.ranges) == 1


def test_a_server_that_does_not_answer_is_named(tmp_path, server):
    server.server_close()
    message = refusal(fetch, raw(server.address("raw.bin")), tmp_path)
    assert message.startswith(f"raw.bin: cannot be downloaded from {server.address('raw.bin')}: ")


def test_a_checksum_that_differs_is_explained_and_the_file_removed(tmp_path, server):
    address, right, wrong = server.address("raw.bin"), hashlib.md5(CONTENT).hexdigest(), "0" * 32
    message = refusal(fetch, raw(address, checksum=wrong), tmp_path)
    assert message == f"raw.bin: found md5 {right} in what {address} sent, expected {wrong}"
    assert not (tmp_path / "raw.bin").exists()
    assert not (tmp_path / "raw.bin.part").exists()


def test_the_end_of_a_checksum_is_compared(tmp_path, server):
    address, right = server.address("raw.bin"), hashlib.md5(CONTENT).hexdigest()
    message = refusal(fetch, raw(address, checksum="096897"), tmp_path)
    assert message == f"raw.bin: found md5 {right} in what {address} sent, expected one that ends in 096897"
    assert fetch(raw(address, checksum=right[-6:]), tmp_path).is_file()


def test_a_disk_that_is_too_small_is_named(tmp_path):
    message = refusal(fetch, raw("http://127.0.0.1:1/", size=10**18), tmp_path)
    assert message.endswith(f"GB free in {tmp_path}, expected at least 1000000000.0 GB for the download")


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "cache").write_text("a file")
    message = f"{tmp_path / 'cache' / 'raw.bin'}: cannot be written: File exists"
    assert refusal(fetch, raw("http://127.0.0.1:1/"), tmp_path / "cache") == message


def test_a_disk_that_fills_up_is_named(tmp_path, drive, monkeypatch):
    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys.modules["gdown"], "download", full)
    message = f"{tmp_path / 'raw.bin'}: cannot be written: No space left on device"
    assert refusal(fetch, raw(DRIVE), tmp_path) == message


def test_google_drive_files_go_through_gdown_with_resume(tmp_path, drive):
    assert fetch(raw(DRIVE), tmp_path).read_bytes() == CONTENT
    assert drive.calls == [("IDENTIFIER", True)]


def test_google_drive_folders_are_searched_for_the_file(tmp_path, drive):
    drive.folder = [("OTHER", "ImageNet16/val_data"), ("IDENTIFIER", "ImageNet16/raw.bin")]
    assert fetch(raw(FOLDER), tmp_path).read_bytes() == CONTENT
    assert drive.calls == [FOLDER, ("IDENTIFIER", True)]


def test_a_file_that_is_not_in_the_folder_is_named(tmp_path, drive):
    drive.folder = [("OTHER", "ImageNet16/val_data")]
    message = f"raw.bin: not in the folder {FOLDER}; found ImageNet16/val_data"
    assert refusal(fetch, raw(FOLDER), tmp_path) == message


def test_a_drive_that_refuses_says_what_to_do(tmp_path, drive):
    drive.files.clear()
    assert refusal(fetch, raw(DRIVE), tmp_path) == (
        f"raw.bin: cannot be downloaded from {DRIVE}: Cannot retrieve the public link of the file. "
        f"You may need to change permission; name a mirror, or put the file into {tmp_path} by hand"
    )


def test_a_missing_gdown_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", None)
    message = "raw.bin: gdown is not installed; expected `pip install epsinas[workflow]`"
    assert refusal(fetch, raw(DRIVE), tmp_path) == message


def test_downloads_are_converted_and_recorded(tmp_path, server, monkeypatch):
    archive = write_cifar10(tmp_path / "archive").read_bytes()
    server.files["cifar.tar.gz"] = archive
    official = raw(server.address("cifar.tar.gz"), archive)
    monkeypatch.setitem(SOURCES, "cifar10.npz", replace(SOURCES["cifar10.npz"], raw=(official,)))
    target = tmp_path / "results" / "cifar10.npz"
    found = retrieve("cifar10.npz", target, None, tmp_path / "cache")
    assert len(image_files.read_images(target).images) == 10
    assert found.sha256 == whole.sha256(target)
    assert (found.via, found.source) == ("download", official.address)
    assert found.raw == {"raw.bin": hashlib.sha256(archive).hexdigest()}
    message = refusal(retrieve, "cifar10.npz", target, None, tmp_path / "cache", expected_sha256="0")
    assert message == f"cifar10.npz as downloaded: found sha256 {found.sha256}, expected 0"


def test_a_failed_download_leaves_no_destination(tmp_path, server, monkeypatch):
    official = raw(server.address("absent"))
    monkeypatch.setitem(SOURCES, "cifar10.npz", replace(SOURCES["cifar10.npz"], raw=(official,)))
    refusal(retrieve, "cifar10.npz", tmp_path / "results" / "cifar10.npz", None, tmp_path / "cache")
    assert not (tmp_path / "results").exists()


def test_nas_bench_201_is_converted_once_for_its_three_tables(tmp_path, drive, monkeypatch):
    content = write_nas_bench_201(tmp_path / "file.pth").read_bytes()
    drive.files["IDENTIFIER"] = content
    official = replace(raw(DRIVE, content), name="NAS-Bench-201-v1_1-096897.pth")
    convert, calls = converters.nas_bench_201, []
    monkeypatch.setattr(converters, "nas_bench_201", lambda path: calls.append(path) or convert(path))
    for kind in ("performance", "architectures", "training-cost"):
        name = f"nas-bench-201.{kind}.parquet"
        monkeypatch.setitem(SOURCES, name, replace(SOURCES[name], raw=(official,)))
        found = retrieve(name, tmp_path / name, None, tmp_path / "cache")
        assert found.licence == "MIT"
    assert calls == [tmp_path / "cache" / "NAS-Bench-201-v1_1-096897.pth"]
    assert len(schemas.read_architectures(tmp_path / "nas-bench-201.architectures.parquet")) == 2
    assert len(schemas.read_performance(tmp_path / "nas-bench-201.performance.parquet")) == 62
    assert len(schemas.read_training_cost(tmp_path / "nas-bench-201.training-cost.parquet")) == 2


def test_imagenet16_120_is_made_of_ten_files(tmp_path, drive, monkeypatch):
    (tmp_path / "official").mkdir()
    files = []
    for path in write_imagenet16(tmp_path / "official"):
        drive.files[path.name] = path.read_bytes()
        drive.folder.append((path.name, f"ImageNet16/{path.name}"))
        files.append(replace(raw(FOLDER, path.read_bytes()), name=path.name))
    source = replace(SOURCES["ImageNet16-120.npz"], raw=tuple(files))
    monkeypatch.setitem(SOURCES, "ImageNet16-120.npz", source)
    found = retrieve("ImageNet16-120.npz", tmp_path / "images.npz", None, tmp_path / "cache")
    assert image_files.read_images(tmp_path / "images.npz").labels.tolist() == [0, 119] * 9 + [9]
    assert found.source == FOLDER
    assert len(found.raw) == 10


def test_processes_wait_for_each_other(tmp_path, server):
    threads = [threading.Thread(target=partial(fetch, raw(server.address("raw.bin")), tmp_path)) for _ in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.ranges == [None]


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_the_table_of_sources_is_complete(source):
    assert source.raw
    lengths = {"md5": 32, "sha256": 64}
    for file in source.raw:
        assert file.address.startswith("https://")
        assert set(file.checksum) <= set("0123456789abcdef")
        whole = len(file.checksum) == lengths[file.algorithm]
        # The first has the end of its checksum in its name; the logs' are not published.
        assert whole or file.name.endswith(f"{file.checksum}.pth") or file.name.startswith("train_logs_")


def test_the_ten_files_of_imagenet16_differ():
    files = SOURCES["ImageNet16-120.npz"].raw
    assert [file.name for file in files] == [f"train_data_batch_{number}" for number in range(1, 11)]
    assert len({file.checksum for file in files}) == 10


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


def test_file_that_is_not_in_the_embedded_benchmark(tmp_path):
    with pytest.raises(InputError, match=r"cifar10.npz: not in the embedded benchmark, which has digits.npz, "):
        retrieval.retrieve("cifar10.npz", tmp_path / "cifar10.npz", "embedded", tmp_path)
