import hashlib
import io
import json
import os
import re
import sys
import threading
import urllib.parse
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests

from epsinas.sources import checksums, download
from epsinas.sources.base import RawFile
from epsinas.sources.download import fetch
from epsinas.sources.progress import on_console
from tests.refusals import refusal
from tests.sources.conftest import CONTENT

DRIVE = "https://drive.google.com/uc?id=IDENTIFIER"
FOLDER = "https://drive.google.com/drive/folders/FOLDER"


def raw(address: str, content: bytes = CONTENT, **fields) -> RawFile:
    fields = {"addresses": (address,), "checksum": hashlib.md5(content).hexdigest()} | fields
    return RawFile("raw.bin", algorithm="md5", **fields)


def test_a_download_is_kept_in_the_cache(tmp_path, server):
    path = fetch(raw(server.address("raw.bin")), tmp_path / "cache")
    assert path.read_bytes() == CONTENT
    assert fetch(raw(server.address("raw.bin")), tmp_path / "cache") == path
    assert server.ranges == [None]


def test_a_file_put_into_the_cache_by_hand_is_taken(tmp_path):
    (tmp_path / "raw.bin").write_bytes(CONTENT)
    assert fetch(raw("http://127.0.0.1:1/"), tmp_path).read_bytes() == CONTENT


def test_a_wrong_file_in_the_cache_is_named_and_kept(tmp_path, server):
    (tmp_path / "raw.bin").write_bytes(b"damaged")
    found, right = (hashlib.md5(content).hexdigest() for content in (b"damaged", CONTENT))
    assert refusal(fetch, raw(server.address("raw.bin")), tmp_path) == (
        f"{tmp_path / 'raw.bin'}: found md5 {found}, expected {right}; "
        "put the right file in its place, or remove it to have it downloaded"
    )
    assert (tmp_path / "raw.bin").read_bytes() == b"damaged"
    assert server.ranges == []


def test_a_cut_connection_is_continued(tmp_path, server):
    server.faults = [("cut", 500), ("cut", 250)]
    assert fetch(raw(server.address("raw.bin")), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=500-", "bytes=750-"]


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


def test_another_part_than_was_asked_for_is_not_taken(tmp_path, server):
    server.answers_range = False
    server.faults = [("cut", 500)]
    assert fetch(RawFile("raw.bin", (server.address("raw.bin"),)), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=500-", None]


def test_a_part_that_was_not_asked_for_is_no_file(tmp_path, server, monkeypatch):
    monkeypatch.setattr(requests.codes, "partial_content", 200)
    address = server.address("raw.bin")
    message = refusal(fetch, RawFile("raw.bin", (address,)), tmp_path)
    assert message.startswith(f"raw.bin: cannot be downloaded from {address}: the server could not continue the downl")


def test_a_server_that_sends_next_to_nothing_is_given_up(tmp_path, server, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    server.faults = 4 * [("drip", 0.05)]
    message = refusal(fetch, RawFile("raw.bin", (server.address("raw.bin"),)), tmp_path)
    assert re.search(r"raw.bin: the server sent \d bytes in 0.2 seconds; name a mirror", message)


def test_a_server_that_directs_to_no_address_is_named(tmp_path, server, monkeypatch):
    monkeypatch.setattr(requests, "get", lambda *_, **__: urllib.parse.urlsplit("http://[::1"))
    message = refusal(fetch, RawFile("raw.bin", (server.address("raw.bin"),)), tmp_path)
    assert "raw.bin: Invalid IPv6 URL; name a mirror" in message


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
    assert message == (
        f"raw.bin: cannot be downloaded from {address}: in what it sent found md5 {right}, expected {wrong}; "
        f"name a mirror, or put the file into {tmp_path} by hand"
    )
    assert {path.name for path in tmp_path.iterdir()} == {".raw.bin.lock"}


def test_the_end_of_a_checksum_is_compared(tmp_path, server):
    address, right = server.address("raw.bin"), hashlib.md5(CONTENT).hexdigest()
    message = refusal(fetch, raw(address, checksum="096897"), tmp_path)
    assert f"in what it sent found md5 {right}, expected one that ends in 096897; " in message
    assert fetch(raw(address, checksum=right[-6:]), tmp_path).is_file()


def test_the_size_counts_where_the_checksum_is_not_whole(tmp_path, server):
    address, end = server.address("raw.bin"), hashlib.md5(CONTENT).hexdigest()[-6:]
    (tmp_path / "raw.bin").write_bytes(CONTENT)
    message = refusal(fetch, raw(address, checksum=end, size=1100), tmp_path)
    assert message.startswith(f"{tmp_path / 'raw.bin'}: found 1024 bytes, expected about 1100; put the right file")
    assert fetch(raw(address, checksum=end, size=1050), tmp_path).is_file()


PAGE = b"\xef\xbb\xbf\n<!DOCTYPE html><html>Quota exceeded</html>"


@pytest.mark.parametrize("name", ["raw.bin", "logs.zip", "file.pth"])
def test_a_web_page_is_not_kept(tmp_path, server, name):
    server.files["page"] = PAGE
    address = server.address("page")
    message = refusal(fetch, RawFile(name, (address,)), tmp_path)
    assert f"cannot be downloaded from {address}: in what it sent found a web page, expected a file; " in message
    assert {path.name for path in tmp_path.iterdir()} == {f".{name}.lock"}


@pytest.mark.parametrize(
    ("name", "right"),
    [("a.zip", b"PK\x03\x04"), ("a.tar", bytes(257) + b"ustar"), ("a.pth", b"\x80\x02\x8a"), ("a.txt", b"a")],
)
def test_a_file_without_a_checksum_is_of_its_kind(tmp_path, server, name, right):
    server.files |= {"wrong": b"\x00\x01", "right": right}
    addresses = (server.address("wrong"), server.address("right"))
    expected = b"\x00\x01" if name == "a.txt" else right
    assert fetch(RawFile(name, addresses), tmp_path).read_bytes() == expected


def test_a_server_that_refuses_every_range_is_named(tmp_path, server):
    (tmp_path / "raw.bin.part").write_bytes(CONTENT + b"more")
    server.faults = 4 * [("status", 416)]
    address = server.address("raw.bin")
    message = refusal(fetch, raw(address), tmp_path)
    assert f"cannot be downloaded from {address}: 416 Requested Range Not Satisfiable; " in message


def test_a_partial_file_that_is_a_link_is_not_followed(tmp_path, server):
    other = tmp_path / "precious"
    other.write_bytes(CONTENT[:10])
    for name in ("raw.bin.part", "raw.bin"):
        (tmp_path / "cache").mkdir(exist_ok=True)
        (tmp_path / "cache" / name).symlink_to(other if name.endswith("part") else tmp_path / "absent")
    path = fetch(raw(server.address("raw.bin")), tmp_path / "cache")
    assert (path.read_bytes(), path.is_symlink(), other.read_bytes()) == (CONTENT, False, CONTENT[:10])


def test_a_lock_that_is_a_link_is_not_followed(tmp_path, server):
    (tmp_path / "precious").write_text("old")
    (tmp_path / ".raw.bin.lock").symlink_to(tmp_path / "precious")
    assert "cannot be written: Too many levels of symbolic links" in refusal(
        fetch, raw(server.address("raw.bin")), tmp_path
    )
    assert (tmp_path / "precious").read_text() == "old"


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("size", [None, 1000])
def test_a_server_that_never_stops_is_cut_off(tmp_path, server, monkeypatch, size, announced):
    monkeypatch.setattr(download, "LARGEST", 2000)
    server.endless = True
    server.announces = announced
    most = 1050 if size else 2000
    address = server.address("raw.bin")
    message = refusal(fetch, raw(address, size=size), tmp_path)
    assert f"{address}: found more than {most} bytes in what it sent, expected {size or 'fewer'}; " in message
    assert len(server.ranges) == 1
    part = tmp_path / "raw.bin.part"
    assert not part.exists() or part.stat().st_size <= most


def test_google_drive_is_cut_off_too(tmp_path, drive):
    message = refusal(fetch, raw(DRIVE, size=500), tmp_path)
    assert f"{DRIVE}: found more than 525 bytes in what it sent, expected 500; " in message


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
    message = f"raw.bin: cannot be downloaded from {FOLDER}: not in this folder; found ImageNet16/val_data; "
    assert refusal(fetch, raw(FOLDER), tmp_path).startswith(message)


def test_a_drive_that_refuses_says_what_to_do(tmp_path, drive):
    drive.files.clear()
    assert refusal(fetch, raw(DRIVE), tmp_path) == (
        f"raw.bin: cannot be downloaded from {DRIVE}: Cannot retrieve the public link of the file. "
        f"You may need to change permission; name a mirror, or put the file into {tmp_path} by hand"
    )


def test_a_missing_gdown_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", None)
    message = f"raw.bin: cannot be downloaded from {DRIVE}: gdown is not installed; expected `pip install epsinas[wo"
    assert refusal(fetch, raw(DRIVE), tmp_path).startswith(message)


def test_processes_wait_for_each_other(tmp_path, server):
    threads = [threading.Thread(target=partial(fetch, raw(server.address("raw.bin")), tmp_path)) for _ in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.ranges == [None]


def test_addresses_are_tried_in_order(tmp_path, server, drive):
    drive.files.clear()
    server.files["wrong.bin"] = b"another file"
    addresses = (DRIVE, server.address("absent.bin"), server.address("wrong.bin"), server.address("raw.bin"))
    assert fetch(raw(DRIVE, addresses=addresses), tmp_path).read_bytes() == CONTENT
    assert drive.calls == [("IDENTIFIER", True)]
    assert len(server.ranges) == 3


def test_what_is_wrong_with_each_address_is_said(tmp_path, server, drive):
    drive.files["IDENTIFIER"] = b"another file"
    address = server.address("absent.bin")
    message = refusal(fetch, raw(DRIVE, addresses=(address, DRIVE)), tmp_path)
    assert message.startswith(
        f"raw.bin: cannot be downloaded from {address}: 404 Not Found; {DRIVE}: in what it sent found md5 "
    )


def test_parts_from_two_addresses_are_not_mixed(tmp_path, server):
    server.files |= {"first.bin": b"1" * 1000, "second.bin": b"2" * 1000}
    server.faults = [("cut", 500)] + 3 * [("status", 503)]
    addresses = (server.address("first.bin"), server.address("second.bin"))
    path = fetch(RawFile("raw.bin", addresses), tmp_path)
    assert path.read_bytes() == b"2" * 1000


def test_a_checksum_is_computed_once(tmp_path, server, monkeypatch):
    computed = []
    compute = checksums._compute
    monkeypatch.setattr(checksums, "_compute", lambda *arguments: computed.append(arguments) or compute(*arguments))
    official = raw(server.address("raw.bin"))
    for _ in range(3):
        path = fetch(official, tmp_path)
    found = checksums.recorded_digests(path, ("sha256", "md5"))
    assert found == {name: hashlib.new(name, CONTENT).hexdigest() for name in ("sha256", "md5")}
    assert len(computed) == 1


def test_a_checksum_is_computed_again_for_another_content(tmp_path):
    path = tmp_path / "file"
    for content in (b"one", b"two"):
        path.write_bytes(content)
        os.utime(path, ns=(0, content[0]))
        assert checksums.recorded_digests(path, ("md5",)) == {"md5": hashlib.md5(content).hexdigest()}


@pytest.mark.parametrize("record", ["nonsense", "[]", '{"bytes": 3, "mtime_ns": 0, "md5": 7}'])
def test_a_damaged_record_is_not_believed(tmp_path, record):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    os.utime(path, ns=(0, 0))
    (tmp_path / ".file.checksums.json").write_text(record)
    assert checksums.recorded_digests(path, ("md5",)) == {"md5": hashlib.md5(b"one").hexdigest()}
    assert json.loads((tmp_path / ".file.checksums.json").read_text())["md5"] == hashlib.md5(b"one").hexdigest()


def test_a_folder_that_cannot_be_written_to_has_no_records(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "file"
    path.write_bytes(b"one")
    monkeypatch.setattr(Path, "write_text", refuse)
    assert checksums.recorded_digests(path, ("md5",)) == {"md5": hashlib.md5(b"one").hexdigest()}
    assert list(tmp_path.iterdir()) == [path]


class Told:
    """A progress that remembers."""

    def __init__(self):
        self.works = []

    @contextmanager
    def __call__(self, title, total, unit="B"):
        done = []
        yield done.append
        self.works.append((title, total, sum(done)))


def test_progress_is_told_with_what_was_there_before(tmp_path, server):
    (tmp_path / "raw.bin.part").write_bytes(CONTENT[:300])
    told = Told()
    fetch(raw(server.address("raw.bin")), tmp_path, told)
    assert told.works == [("raw.bin", len(CONTENT), len(CONTENT))]


def test_progress_of_google_drive(tmp_path, drive):
    told = Told()
    fetch(raw(DRIVE, size=1024), tmp_path, told)
    assert told.works == [("raw.bin", 1024, 1024)]


def test_the_console_says_what_came(tmp_path, server):
    stream = io.StringIO()
    fetch(raw(server.address("raw.bin")), tmp_path, on_console(stream))
    assert stream.getvalue() == "epsinas: raw.bin: 1.02 kB in 0 s\n"
