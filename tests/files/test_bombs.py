"""Files that announce more than they hold, or unpack to more than memory: refused before memory is taken."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from epsinas.errors import InputError
from epsinas.files.arrays import read_array
from epsinas.files.images import read_images
from epsinas.files.tables import ARCHITECTURES, distinct_rows, read_architectures, read_performance, read_table
from tests.hostile import outcomes


def header(shape: tuple, dtype: str = "|u1") -> bytes:
    """The beginning of an `.npy` file."""
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def npz(path: Path, compression: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    content = {
        "images": header((2, 1, 1, 3)) + bytes(6),
        "labels": header((2,), "<i2") + bytes(4),
        "source": header((), "<U1") + b"a\0\0\0",
    }
    with zipfile.ZipFile(path, "w", compression, compresslevel=1) as archive:
        for name, value in (content | members).items():
            archive.writestr(f"{name}.npy", value)
    return path


def test_an_npz_of_these_members_is_read(tmp_path):
    images, labels, source = read_images(npz(tmp_path / "file.npz", zipfile.ZIP_DEFLATED))
    assert (images.shape, labels.tolist(), source) == ((2, 1, 1, 3), [0, 0], "a")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"images": b"no npy"}, "array images cannot be read: EOF: reading magic string, expected 8 bytes got 6"),
        (
            {"images": header((10**16, 1, 1, 1)) + bytes(6)},
            "array images cannot be read: its header announces 10000000000000000 bytes, and 6 follow",
        ),
        ({"images": header((-2, -3, 1, 1)) + bytes(6)}, "array images cannot be read: its header announces"),
        ({"source": header((), "<U10001") + bytes(40_004)}, "array source: found 10001 characters, expected 10000"),
        ({"labels": header((2,), "<f8") + bytes(16)}, "array labels: found dtype float64, expected int16"),
    ],
)
def test_an_npz_with_an_odd_member_is_one_line(tmp_path, members, message):
    path = npz(tmp_path / "file.npz", **members)
    with pytest.raises(InputError) as caught:
        read_images(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_an_array_that_comes_twice_is_refused(tmp_path):
    path = npz(tmp_path / "file.npz")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("labels.npy", header((2,), "<i2") + bytes(4))
    with pytest.raises(InputError, match="found two arrays 'labels', expected one"):
        read_images(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_numpys_way_to_compress_is_read(tmp_path, compression):
    with zipfile.ZipFile(tmp_path / "file.npz", "w", compression) as archive:
        for name in ("images", "labels", "source"):
            archive.writestr(f"{name}.npy", b"")
    with pytest.raises(InputError, match="array images cannot be read: found it compressed in another way"):
        read_images(tmp_path / "file.npz")


@pytest.mark.parametrize("shape", [(10**16,), (2**62, 2**62), (-1,)])
def test_an_npy_header_is_believed_no_further_than_the_file_goes(tmp_path, shape):
    path = tmp_path / "file.npy"
    path.write_bytes(header(shape) + bytes(10))
    with pytest.raises(
        InputError, match=r"file.npy: not a readable .npy file: its header announces -?\d+ bytes, and 10"
    ):
        read_array(path, "numbers")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header((0, 10**30)), "its header announces other than plain values"),
        (header((True,)) + b"a", "its header announces other than plain values"),
        (header((1,), "|O") + b"N.".ljust(16), "its header announces other than plain values"),
        (header((10**12,), "<U0"), "its header announces 1000000000000 bytes, and 0 follow"),
        (header((10**12,), "|V0"), "its header announces 1000000000000 bytes, and 0 follow"),
    ],
)
def test_an_npy_header_announces_plain_values(tmp_path, content, message):
    (tmp_path / "file.npy").write_bytes(content)
    with pytest.raises(InputError, match=rf"file.npy: not a readable .npy file: {message}$"):
        read_array(tmp_path / "file.npy", "numbers")
    with pytest.raises(InputError, match=rf"file.npz: array labels cannot be read: {message}$"):
        read_images(npz(tmp_path / "file.npz", labels=content))


def table(path: Path, rows: int, **columns: object) -> Path:
    content = {"index": pa.array(np.zeros(rows, dtype=np.int32)), "architecture": pa.array(["a"] * rows)} | columns
    pq.write_table(pa.table(content), path, compression="zstd")
    return path


def test_bombs_are_refused_before_they_take_memory(tmp_path):
    rows, long = 40_000, pa.DictionaryArray.from_arrays(pa.array(np.zeros(40_000, np.int32)), pa.array(["x" * 100_000]))
    fixed = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([bytes(8000)], pa.binary(8000)))
    zeros = bytes(1 << 20)
    with zipfile.ZipFile(tmp_path / "images.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("images.npy", "w", force_zip64=True) as member:
            member.write(header((300 << 20, 1, 1, 1)))
            for _ in range(300):
                member.write(zeros)
        archive.writestr("labels.npy", header((2,), "<i2") + bytes(4))
        archive.writestr("source.npy", header((), "<U1") + bytes(4))
    rows_path = tmp_path / "rows.parquet"
    with pq.ParquetWriter(rows_path, pa.schema({"index": pa.int32()})) as writer:
        part = pa.table({"index": pa.array(np.zeros(10_000_000, dtype=np.int32))})
        for _ in range(4):
            writer.write_table(part)
    paths = {
        tmp_path / "images.npz": "unpack to 314573192, expected at most 268435456",
        rows_path: "unpack to 320",
        table(tmp_path / "long.parquet", rows, note=long): "unpack to 4000040000, expected at most 268435456",
        table(tmp_path / "fixed.parquet", rows, note=fixed): "unpack to 32",
    }
    imports = "from epsinas.files.images import read_images; from epsinas.files.tables import read_architectures"
    call = "(read_images if path.endswith('npz') else read_architectures)(path)"
    found = outcomes(imports, call, list(paths), 250, 30)
    for (path, expected), line in zip(paths.items(), found, strict=True):
        assert line.startswith(f"{path}: found {path.stat().st_size} bytes that {expected}")


@pytest.mark.parametrize("value", [[[1, 2]], [{"a": 1}]])
def test_columns_of_lists_and_records_are_refused(tmp_path, value):
    path = table(tmp_path / "file.parquet", 1, more=pa.array(value))
    with pytest.raises(InputError, match="column more: found lists or records, expected plain values"):
        read_architectures(path)


@pytest.mark.parametrize("column", ["architecture", "note"])
def test_texts_that_are_none_are_refused(tmp_path, column):
    texts = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(bytes(4) + b"\1\0\0\0"), pa.py_buffer(b"\xff")])
    path = table(tmp_path / "file.parquet", 1, **{column: texts})
    with pytest.raises(InputError, match=r"not a readable Parquet file: .*[Ii]nvalid UTF8"):
        read_architectures(path)


def test_a_name_that_is_no_text_is_refused(tmp_path):
    path = table(tmp_path / "file.parquet", 1)
    path.write_bytes(path.read_bytes().replace(b"architecture", b"architectur\xff"))
    with pytest.raises(InputError, match="not a readable Parquet file: 'utf-8' codec can't decode byte 0xff"):
        read_architectures(path)


def test_a_date_that_there_is_not_is_refused(tmp_path):
    path = table(tmp_path / "file.parquet", 1, day=pa.array([1 << 30], pa.date32()))
    with pytest.raises(InputError, match=r"file\.parquet: not a table of plain columns: year 2941775 is out of range"):
        read_architectures(path)


def test_repeated_texts_come_back(tmp_path):
    frame = pd.DataFrame({"index": range(1000), "architecture": ["a", "b"] * 500, "note": ["c"] * 1000})
    frame.to_parquet(tmp_path / "file", row_group_size=100)
    assert read_table(tmp_path / "file", ARCHITECTURES)["note"].tolist() == ["c"] * 1000
    assert distinct_rows(tmp_path / "file", ["architecture", "note"]) == [("a", "c"), ("b", "c")]


def test_messages_have_no_control_characters_of_a_table(tmp_path):
    frame = pd.DataFrame({"index": [1, 1], "architecture": ["a", "b"], "x\x1b[2J\n": ["y", "z"]})
    frame.to_parquet(tmp_path / "file")
    with pytest.raises(InputError) as caught:
        read_performance(tmp_path / "file")
    assert str(caught.value).endswith(r"found index, architecture, x\x1b[2J\n")
    frame = pd.DataFrame({"index": [1], "dataset": ["a"], "split": ["\x1b" + 1000 * "x"], "epochs": [1], "loss": [1.0]})
    frame["seed"] = pd.array([1], dtype="Int8")
    frame.to_parquet(tmp_path / "file")
    with pytest.raises(InputError, match=r"column split: row 0: found '\\x1bx{59}'\.\.\., expected valid or test$"):
        read_performance(tmp_path / "file")
