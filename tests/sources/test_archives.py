import gzip
import io
import tarfile
from pathlib import Path

import pytest

from epsinas.sources import archives
from epsinas.sources.archives import tar_members
from tests.hostile import outcomes
from tests.refusals import refusal

GIGABYTES = 3 << 30


def entry(name: str, size: int, **fields) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def write(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return path


def read(path: Path, **options) -> dict[str, bytes]:
    return {name: file.read() for name, file in tar_members(path, lambda name: name != "other", 100, **options)}


def test_files_that_are_wanted_come_in_order(tmp_path):
    long = "folder/" + 150 * "n"
    members = [(entry(name, 3), b"abc") for name in (long, "folder/other", "last")]
    assert read(write(tmp_path / "a.tar", (entry("folder", 0, type=tarfile.DIRTYPE), b""), *members)) == {
        150 * "n": b"abc",
        "last": b"abc",
    }


@pytest.mark.parametrize("length", [0, 200, 550, 1550])  # within a header and contents
def test_an_archive_that_is_cut_off_is_one_line(tmp_path, length):
    path = write(tmp_path / "a.tar", (entry("a", 100), 100 * b"x"), (entry("b", 100), 100 * b"x"))
    path.write_bytes(path.read_bytes()[:length])
    assert refusal(read, path).startswith("a.tar: not a readable tar archive: ")


def test_a_name_that_comes_twice_is_refused(tmp_path):
    members = [(entry(f"{folder}/a", 1), b"x") for folder in "bc"]
    assert refusal(read, write(tmp_path / "a.tar", *members)) == "a.tar/a: found two members of this name, expected one"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    path = write(tmp_path / "a.tar", (entry("a", 0, type=kind, linkname="other"), b""))
    assert refusal(read, path) == "a.tar/a: found a link or a device, expected a plain file"


def test_a_file_that_is_too_large_is_refused(tmp_path):
    path = write(tmp_path / "a.tar", (entry("a", 101), bytes(101)))
    assert refusal(read, path) == "a.tar/a: found 101 bytes, expected at most 100"


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MEMBERS_LIMIT", 2)
    path = write(tmp_path / "a.tar", *((entry(name, 0), b"") for name in "abc"))
    assert refusal(read, path).startswith("a.tar: found more than 2 members and 1073741824 bytes in the archive")


def bomb(path: Path, kind: bytes, name: str) -> Path:
    """A header that announces gigabytes, and gzip of so many zeros, which is a thousandth of them."""
    info = entry(name, GIGABYTES, type=kind)
    with open(path, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as unpacked:
        unpacked.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(400):
            unpacked.write(bytes(1 << 20))
    return path


def test_bombs_are_refused_before_they_take_memory(tmp_path):
    kinds = {
        tarfile.GNUTYPE_LONGNAME: "not a readable tar.gz archive: found a header of 3221225472 bytes",
        tarfile.XHDTYPE: "not a readable tar.gz archive: found a header of 3221225472 bytes",
        tarfile.GNUTYPE_SPARSE: "not a readable tar.gz archive: found a file with holes",
        tarfile.REGTYPE: "found more than 100000 members and 1073741824 bytes in the archive",
    }
    paths = [bomb(tmp_path / f"{number}.tar.gz", kind, "a") for number, kind in enumerate(kinds)]
    call = "[name for name, _ in tar_members(pathlib.Path(path), 'b'.__eq__, 100, 'r|gz')]"
    found = outcomes("import pathlib; from epsinas.sources.archives import tar_members", call, paths, 100, 20)
    for path, line, expected in zip(paths, found, kinds.values(), strict=True):
        assert line.startswith(f"{path.name}: {expected}")
