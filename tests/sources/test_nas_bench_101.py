import base64
import json
import struct
from pathlib import Path

import pandas as pd
import pytest

from epsinas.files import tables as schemas
from epsinas.sources import nas_bench_101
from epsinas.sources.base import BenchmarkTables
from epsinas.sources.nas_bench_101 import read_nas_bench_101
from epsinas.spaces import NasBench101
from tests.refusals import refusal
from tests.sources.test_tfrecords import write_records

SPACE = NasBench101()
ARCHITECTURES = [
    "010001000:input,conv3x3-bn-relu,output",
    "0110000100010000:input,maxpool3x3,conv1x1-bn-relu,output",
    "0100:input,output",
]
PARAMETERS = [3_000_000, 250_000, 300]
ORDER = [0, 1, 0, 2, 1, 1, 2, 0, 2]
"""Networks of the file's rows: runs of different networks are mixed."""


def varint(number: int) -> bytes:
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def doubles(**fields: float) -> bytes:
    """Fields of type double, by number: protobuf's wire format by hand."""
    return b"".join(bytes([int(name[1:]) << 3 | 1]) + struct.pack("<d", value) for name, value in fields.items())


def metrics(parameters: int, valid: float, test: float, evaluations: int = 3) -> str:
    """A training's metrics as in the official file: evaluations at its beginning, half-way and at its end."""
    content = b""
    for number in range(evaluations):
        epoch, last = 54.0 * number, number == evaluations - 1
        evaluation = doubles(_1=epoch, _2=10 * epoch, _3=1.0, _4=valid if last else 0.1, _5=test if last else 0.2)
        evaluation += b"\x32\x04path"
        content += b"\x0a" + varint(len(evaluation)) + evaluation
    content += b"\x10" + varint(parameters) + doubles(_3=2000.0)
    return base64.encodebytes(content).decode()


def accuracies(index: int, run: int) -> tuple[float, float]:
    """Made-up fractions that differ for every run."""
    return 0.6 + index / 10 + run / 100, 0.5 + index / 10 + run / 100


def row(index: int, run: int, **changes) -> bytes:
    matrix, operations = ARCHITECTURES[index].split(":")
    fields = {
        "hash": SPACE.graph_hash(ARCHITECTURES[index]),
        "epochs": 108,
        "matrix": matrix,
        "operations": operations,
        "metrics": metrics(PARAMETERS[index], *accuracies(index, run)),
    } | changes
    return json.dumps(list(fields.values())).encode()


def rows() -> list[bytes]:
    return [row(index, ORDER[:position].count(index)) for position, index in enumerate(ORDER)]


@pytest.fixture(scope="module")
def official(tmp_path_factory) -> Path:
    return write_records(tmp_path_factory.mktemp("raw") / "nasbench_only108.tfrecord", rows())


@pytest.fixture(scope="module")
def converted(official) -> BenchmarkTables:
    return read_nas_bench_101(official)


def test_architectures_are_in_the_order_of_the_file(converted):
    table = converted.architectures
    assert table["index"].tolist() == [0, 1, 2]
    assert table["architecture"].tolist() == ARCHITECTURES
    assert table["hash"].tolist() == [SPACE.graph_hash(architecture) for architecture in ARCHITECTURES]
    assert table["parameters"].tolist() == PARAMETERS


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("split", ["valid", "test"])
def test_accuracies_of_three_runs_and_their_mean(converted, split, index):
    table = converted.performance
    found = table[(table["split"] == split) & (table["index"] == index)]
    runs = [100 * accuracies(index, run)[split == "test"] for run in range(3)]
    assert found["seed"].isna().tolist() == [True, False, False, False]
    assert found["seed"].dropna().tolist() == [0, 1, 2]
    assert found["accuracy"].tolist() == pytest.approx([sum(runs) / 3, *runs], rel=1e-14)
    assert set(found["dataset"]) == {"cifar10"}
    assert set(found["epochs"]) == {108}


def test_there_are_no_other_rows(converted):
    assert len(converted.performance) == 3 * 2 * (3 + 1)


def test_tables_are_in_their_schemas(converted, tmp_path):
    path = tmp_path / "table"
    for table, kind in zip(converted[:2], ("architectures", "performance"), strict=True):
        getattr(schemas, f"write_{kind}")(table, path)
        pd.testing.assert_frame_equal(getattr(schemas, f"read_{kind}")(path), table)


def test_tables_are_like_the_mirrors(converted, mirror):
    for table, kind in zip(converted[:2], ("architectures", "performance"), strict=True):
        real = pd.read_parquet(mirror / f"nas-bench-101.{kind}.parquet")
        pd.testing.assert_series_equal(table.dtypes, real.dtypes)


def test_every_truncation_is_found(official, tmp_path):
    whole, path = official.read_bytes(), tmp_path / "part"
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        assert refusal(read_nas_bench_101, path).startswith("part: ")


def test_a_truncation_between_records_is_found(tmp_path):
    path = write_records(tmp_path / "part", rows()[:-1])
    message = f"part: found 2 runs of 108 epochs for {SPACE.graph_hash(ARCHITECTURES[2])}, expected 3"
    assert refusal(read_nas_bench_101, path) == message
    message = "part: found no records, expected three for each network"
    assert refusal(read_nas_bench_101, write_records(path, [])) == message


def test_changed_bytes_are_found(official, tmp_path):
    path = tmp_path / "changed"
    for position in range(0, official.stat().st_size, 11):
        content = bytearray(official.read_bytes())
        content[position] ^= 1 << position % 8
        path.write_bytes(content)
        assert "checksum" in refusal(read_nas_bench_101, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not json", "found no row of NAS-Bench-101 (Expecting value"),
        (b"\xff", "found no row of NAS-Bench-101 ("),
        (b"[" * 10_000, "found no row of NAS-Bench-101 ("),
        (b"{}", "found no row of NAS-Bench-101 (not enough values"),
        (b"[1, 2, 3]", "found no row of NAS-Bench-101 (not enough values"),
        (row(0, 0, metrics="*"), "found no row of NAS-Bench-101 ("),
        (row(0, 0, metrics=base64.b64encode(b"\x0a\x05abc").decode()), "found no row of NAS-Bench-101 ("),
        (row(0, 0, metrics=metrics(1, 0.5, 0.5, evaluations=2)), "found no row of NAS-Bench-101 ("),
        (row(0, 0, metrics=7), "found no row of NAS-Bench-101 ("),
        (row(0, 0, epochs=None), "epochs: found None, expected 1 to 32767"),
        (row(0, 0, epochs=1.5), "epochs: found 1.5, expected 1 to 32767"),
        (row(0, 0, epochs="108"), "epochs: found '108', expected 1 to 32767"),
        (row(0, 0, epochs=float("inf")), "epochs: found inf, expected 1 to 32767"),
        (row(0, 0, epochs=10**400), "epochs: found an integer of 1329 bits, expected 1 to 32767"),
        (row(0, 0, matrix=10001), "found no row of NAS-Bench-101 (adjacency: found 10001, expected a text), "),
        (row(0, 0, hash=7), "found no row of NAS-Bench-101 (hash: found 7, expected a text), "),
        (row(0, 0, hash=32 * "a" + "\n"), f"hash: found '{32 * 'a'}\\n', expected 32 hexadecimal digits"),
        (row(0, 0, metrics=metrics(1, 1.5, 0.5)), "valid accuracy: found 1.5, expected 0 to 1"),
        (row(0, 0, metrics=metrics(1, 0.5, float("nan"))), "test accuracy: found nan, expected 0 to 1"),
        (row(0, 0, metrics=metrics((1 << 64) - 1, 0.5, 0.5)), "parameters: found -1, expected 0 or more"),
        (
            row(0, 0, operations="input,conv3x3-bn-relu,output\n"),
            r"found white space in '010001000:input,conv3x3-bn-relu,output\n', expected none",
        ),
        (row(0, 0, epochs=-1), "epochs: found -1, expected 1 to 32767"),
        (row(0, 0, matrix="010001001"), "found an edge from vertex 2 to vertex 2, expected"),
        (row(0, 0, operations="input,conv5x5,output"), "unknown operation 'conv5x5'"),
        (row(0, 0, hash=32 * "a"), f"found hash {32 * 'a'} for 010001000:input,conv3x3-bn-relu,output, expected "),
    ],
)
def test_rows_of_another_form_are_refused(tmp_path, content, message):
    path = write_records(tmp_path / "odd", [row(1, 0), content])
    assert refusal(read_nas_bench_101, path).startswith(f"odd: record 1: {message}")


def test_rows_that_contradict_each_other_are_refused(tmp_path):
    path = write_records(tmp_path / "odd", [row(0, 0), row(0, 1, metrics=metrics(7, 0.5, 0.5))])
    name = SPACE.graph_hash(ARCHITECTURES[0])
    message = f"odd: record 1: found another network for hash {name}, expected {ARCHITECTURES[0]}"
    assert refusal(read_nas_bench_101, path) == message


def test_more_epochs_are_kept_apart(tmp_path):
    both = [
        content for index in range(2) for run in range(3) for content in (row(index, run), row(index, run, epochs=12))
    ]
    table = read_nas_bench_101(write_records(tmp_path / "full", both)).performance
    assert table.groupby("epochs").size().to_dict() == {12: 16, 108: 16}


def test_the_real_first_record_is_read(mirror, monkeypatch):
    """Its base64 is wrapped: a newline after 76 characters and at the end."""
    monkeypatch.setattr(nas_bench_101, "_RUNS", 1)
    tables = read_nas_bench_101(mirror / "nasbench_full.first-record.tfrecord")
    assert tables.architectures.loc[0].to_dict() == {
        "index": 0,
        "architecture": "0100110001000000010010000010000001000000010000000:input,conv3x3-bn-relu,maxpool3x3,"
        "conv3x3-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,output",
        "hash": "00005c142e6f48ac74fdcf73e3439874",
        "parameters": 8_555_530,
    }
    final = tables.performance.query("seed == 0").set_index("split")["accuracy"]
    assert final.between(34, 36).all()
    assert set(tables.performance["epochs"]) == {4}


def test_architectures_of_a_verified_file_are_not_checked(tmp_path, monkeypatch):
    """Once, 423,624 names were computed again after the file's checksum had been compared."""
    monkeypatch.setattr(nas_bench_101, "_check", lambda *_: pytest.fail("checked"))
    path = write_records(tmp_path / "file", rows())
    assert len(read_nas_bench_101(path, verified=True).architectures) == 3
