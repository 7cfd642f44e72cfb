import hashlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from epsinas.errors import InputError
from epsinas.files import images as image_files
from epsinas.files import tables as schemas
from epsinas.files import whole
from tests.conftest import MIRROR
from tests.refusals import refusal

needs_mirror = pytest.mark.skipif(not MIRROR.is_dir(), reason=f"no mirror of real data in {MIRROR.name}")


def performance(**columns) -> pd.DataFrame:
    """Three rows of a performance table; keyword arguments replace columns, None removes one."""
    table = {
        "index": np.array([0, 0, 1], dtype=np.int32),
        "dataset": ["cifar10"] * 3,
        "split": ["test", "test", "valid"],
        "epochs": np.array([200, 200, 12], dtype=np.int16),
        "seed": pd.array([None, 0, 1], dtype="Int8"),
        "accuracy": [90.5, 91.0, 10.0],
    }
    return pd.DataFrame({name: value for name, value in (table | columns).items() if value is not None})


def images(**arrays) -> dict[str, np.ndarray]:
    """The arrays of two images; keyword arguments replace arrays, None removes one."""
    content = {
        "images": np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3),
        "labels": np.array([0, 9], dtype=np.int16),
        "source": np.array("made by a test"),
    }
    return {name: value for name, value in (content | arrays).items() if value is not None}


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "file"


def test_performance_comes_back_in_the_documented_types(path):
    frame = performance(note=["a", "b", "c"])
    schemas.write_performance(frame, path)
    read = schemas.read_performance(path)
    assert {name: str(dtype) for name, dtype in read.dtypes.items() if name != "note"} == {
        "index": "int32",
        "dataset": str(frame.dataset.dtype),
        "split": str(frame.dataset.dtype),
        "epochs": "int16",
        "seed": "Int8",
        "accuracy": "float64",
    }
    pd.testing.assert_frame_equal(read, frame)
    pd.testing.assert_frame_equal(pd.read_parquet(path), frame)


def test_other_widths_of_integers_and_text_are_taken(path):
    frame = performance(
        index=np.array([0, 0, 1], dtype=np.int64),
        dataset=pd.Categorical(["cifar10"] * 3),
        epochs=np.array([200, 200, 12], dtype=np.uint32),
        accuracy=np.array([90, 91, 10], dtype=np.int64),
    )
    frame.to_parquet(path, index=False)
    read = schemas.read_performance(path)
    assert (read["index"].dtype, read["epochs"].dtype, read["accuracy"].dtype) == (
        "int32",
        "int16",
        "float64",
    )
    assert read["dataset"].tolist() == ["cifar10"] * 3


def test_all_seeds_may_be_null(path):
    frame = performance(index=np.arange(3), seed=[None] * 3)
    table = pa.Table.from_pandas(frame).set_column(4, "seed", pa.nulls(3))
    pq.write_table(table, path)
    assert schemas.read_performance(path)["seed"].isna().all()


def test_the_data_frames_own_index_may_be_the_column(path):
    frame = pd.DataFrame({"architecture": ["a", "b"]}, index=pd.Index([4, 2], name="index"))
    frame.to_parquet(path)
    assert schemas.read_architectures(path)["index"].tolist() == [4, 2]


def test_an_unnamed_index_is_no_column(path):
    pd.DataFrame({"index": [4, 2], "architecture": ["a", "b"]}, index=[7, 8]).to_parquet(path)
    assert list(schemas.read_architectures(path)) == ["index", "architecture"]


def test_folder_names_are_not_columns(tmp_path):
    path = tmp_path / "epochs=3" / "file.parquet"
    schemas.write_architectures(pd.DataFrame({"index": [0], "architecture": ["a"]}), path)
    assert list(schemas.read_architectures(path)) == ["index", "architecture"]


def test_a_loss_may_be_null_where_training_failed(path):
    schemas.write_performance(performance(accuracy=None, loss=[5.1, None, 4.9]), path)
    assert schemas.read_performance(path)["loss"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"split": None}, "column split is missing; found index, dataset, epochs, seed, accuracy"),
        (
            {"accuracy": None},
            "column accuracy or loss is missing; found index, dataset, split, epochs, seed",
        ),
        ({"index": ["0", "0", "1"]}, "column index: found values of type large_string, expected int32"),
        ({"dataset": [1, 2, 3]}, "column dataset: found values of type int64, expected string"),
        ({"seed": [0.0, 1.0, 2.0]}, "column seed: found values of type double, expected int8"),
        (
            {"accuracy": ["90", "91", "10"]},
            "column accuracy: found values of type large_string, expected double",
        ),
        ({"index": [0, 0, -1]}, "column index: row 2: found -1, expected at least 0"),
        ({"split": ["test", "test", "train"]}, "column split: row 2: found train, expected valid or test"),
        ({"split": ["test", None, "test"]}, "column split: row 1: found null, expected a value"),
        ({"accuracy": [90.0, 101.0, 10.0]}, "column accuracy: row 1: found 101.0, expected at most 100"),
        ({"accuracy": [90.0, 10.0, np.inf]}, "column accuracy: row 2: found inf, expected a finite number"),
        ({"loss": [1.0, -1.0, np.nan]}, "column loss: row 1: found -1.0, expected at least 0"),
        (
            {"seed": pd.array([0, 0, 1], dtype="Int8")},
            "row 1: found index 0, dataset cifar10, split test, epochs 200, seed 0 a second time, "
            "expected one row for each",
        ),
    ],
)
def test_a_wrong_performance_table_is_explained(path, columns, message):
    frame = performance(**columns)
    frame.to_parquet(path, index=False)
    read = refusal(schemas.read_performance, path)
    assert read.replace(": found values of type string", ": found values of type large_string") == f"{path}: {message}"
    path.unlink()
    refusal(schemas.write_performance, frame, path)
    assert not path.exists()


def test_integers_that_do_not_fit_are_refused(path):
    performance(seed=pd.array([None, 0, 777], dtype="Int16")).to_parquet(path)
    message = refusal(schemas.read_performance, path)
    assert message.startswith(f"{path}: column seed: ")
    assert "777" in message
    assert message.endswith("expected int8")


def test_a_column_that_appears_twice_is_refused(path):
    pq.write_table(pa.table([[1], [2], ["a"]], names=["index", "index", "architecture"]), path)
    message = f"{path}: column index appears twice; found index, index, architecture"
    assert refusal(schemas.read_architectures, path) == message


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            pd.DataFrame({"index": [3, 1, 3], "architecture": ["a", "b", "c"]}),
            "row 2: found index 3 a second time, expected one row for each",
        ),
        (pd.DataFrame({"index": [3]}), "column architecture is missing; found index"),
        (
            pd.DataFrame({"index": np.array([], dtype=np.int32), "architecture": np.array([], dtype="U1")}),
            "found 0 rows, expected at least one",
        ),
    ],
)
def test_a_wrong_architectures_table_is_explained(path, frame, message):
    frame.astype({"architecture": "str"} if "architecture" in frame else {}).to_parquet(path)
    assert refusal(schemas.read_architectures, path) == f"{path}: {message}"


def test_training_cost_and_published_scores(path):
    cost = pd.DataFrame({"index": np.arange(2, dtype=np.int32), "seconds": [1.5, 2.0]})
    schemas.write_training_cost(cost, path)
    pd.testing.assert_frame_equal(schemas.read_training_cost(path), cost)
    scores = cost[["index"]].assign(dataset="cifar10", metric="naswot", score=[-np.inf, 2.0])
    schemas.write_published_scores(scores, path)
    pd.testing.assert_frame_equal(schemas.read_published_scores(path), scores)
    message = f"{path}: column seconds is missing; found index, dataset, metric, score"
    assert refusal(schemas.read_training_cost, path) == message


@pytest.mark.parametrize("read", [schemas.read_architectures, schemas.read_performance])
def test_a_file_that_is_not_parquet_is_named(tmp_path, path, read):
    path.write_text("index,architecture\n0,a\n")
    assert refusal(read, path).startswith(f"{path}: not a readable Parquet file: ")
    path.write_bytes(b"PAR1" + bytes(40) + b"PAR1")
    assert refusal(read, path).startswith(f"{path}: not a readable Parquet file: ")
    assert refusal(read, tmp_path) == f"{tmp_path}: found a folder, expected a file"
    assert refusal(read, tmp_path / "absent") == f"{tmp_path / 'absent'}: found no such file, expected a file"


def test_a_frame_that_is_no_plain_table_is_refused(path):
    frame = pd.DataFrame({"index": [0, 1], "architecture": ["a", 2]}, dtype=object)
    assert refusal(schemas.write_architectures, frame, path).startswith(f"{path}: not a table of plain columns: ")


@pytest.mark.parametrize("channels", [1, 3])
def test_images_come_back_as_they_were(path, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 6, channels), dtype=np.uint8)
    image_files.write_images(pixels, np.arange(5), "a test", path)
    read = image_files.read_images(path)
    np.testing.assert_array_equal(read.images, pixels)
    assert (read.labels.dtype, read.labels.tolist(), read.source) == (np.int16, [0, 1, 2, 3, 4], "a test")
    with np.load(path) as archive:
        assert set(archive) == {"images", "labels", "source"}


def test_images_are_written_the_same_at_any_time(tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    image_files.write_images(*images().values(), first)
    monkeypatch.setattr("time.time", lambda: 0.0)
    image_files.write_images(*images().values(), second)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": None}, "array labels is missing; found images, source"),
        ({"source": None}, "array source is missing; found images, labels"),
        ({"images": np.zeros((2, 4, 4, 3))}, "array images: found dtype float64, expected uint8 (0 to 255)"),
        (
            {"images": np.zeros((2, 48), dtype=np.uint8)},
            "array images: found shape (2, 48), expected (N, H, W, C) with 1 or 3 channels",
        ),
        (
            {"images": np.zeros((2, 3, 4, 4), dtype=np.uint8)},
            "array images: found shape (2, 3, 4, 4), expected (N, H, W, C) with 1 or 3 channels",
        ),
        (
            {"images": np.zeros((0, 4, 4, 3), dtype=np.uint8)},
            "array images: found shape (0, 4, 4, 3), expected (N, H, W, C) with 1 or 3 channels",
        ),
        ({"labels": np.zeros(2)}, "array labels: found dtype float64, expected int16"),
        (
            {"labels": np.zeros(3, dtype=np.int16)},
            "array labels: found shape (3,), expected (2,), one for each image",
        ),
        (
            {"labels": np.array([0, -1])},
            "array labels: row 1: found -1, expected a class from 0 to 32767",
        ),
        (
            {"labels": np.array([40000, 0])},
            "array labels: row 0: found 40000, expected a class from 0 to 32767",
        ),
        (
            {"source": np.array([1, 2])},
            "array source: found dtype int64 and shape (2,), expected a single text",
        ),
    ],
)
def test_wrong_images_are_explained(path, arrays, message):
    content = images(**arrays)
    with open(path, "wb") as file:
        np.savez(file, **content)
    assert refusal(image_files.read_images, path) == f"{path}: {message}"
    if len(content) == 3:
        path.unlink()
        assert refusal(image_files.write_images, *content.values(), path) == f"{path}: {message}"
        assert not path.exists()


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("content", [b"", b"text\n", b"PK\x03\x04 not a zip", b"\x80\x04N."])
def test_a_file_that_is_not_npz_is_named(path, content):
    path.write_bytes(content)
    assert refusal(image_files.read_images, path).startswith(f"{path}: not a readable npz file: ")


def test_a_single_array_is_not_an_npz(path):
    path.write_bytes(npy(np.zeros(3)))
    message = f"{path}: found a single array, expected images, labels and source (npz)"
    assert refusal(image_files.read_images, path) == message


def test_arrays_of_objects_are_not_unpickled(path):
    with open(path, "wb") as file:
        np.savez(file, **images(labels=np.array([{}, None])))
    assert refusal(image_files.read_images, path).startswith(f"{path}: array labels cannot be read: ")


def test_a_damaged_array_is_named(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in images().items():
            archive.writestr(f"{name}.npy", npy(array)[:-1] if name == "images" else npy(array))
    assert refusal(image_files.read_images, path).startswith(f"{path}: array images cannot be read: ")


def test_sha256_and_digest(path):
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert whole.sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert whole.digest(path, "md5") == hashlib.md5(b"abc").hexdigest()


def test_an_interrupted_write_leaves_what_was_there(tmp_path, path):
    path.write_text("old")

    def interrupted():
        with whole.atomic(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    message = f"{path}: cannot be written: No space left on device"
    assert refusal(schemas.write_performance, performance(), path) == message
    assert os.listdir(tmp_path) == []


def test_folders_are_made(tmp_path):
    image_files.write_images(*images().values(), tmp_path / "new" / "folder" / "cifar10.npz")
    assert (tmp_path / "new" / "folder" / "cifar10.npz").is_file()


@needs_mirror
@pytest.mark.parametrize(
    ("name", "read", "rows"),
    [
        ("nas-bench-201.architectures.parquet", schemas.read_architectures, 15625),
        ("nas-bench-101.architectures.parquet", schemas.read_architectures, 15000),
        ("nas-bench-nlp.architectures.parquet", schemas.read_architectures, 344),
        ("nas-bench-201.performance.parquet", schemas.read_performance, 193236),
        ("nas-bench-101.performance.parquet", schemas.read_performance, 60000),
        ("nas-bench-nlp.performance.parquet", schemas.read_performance, 656),
        ("nas-bench-201.training-cost.parquet", schemas.read_training_cost, 15625),
        ("nas-bench-201.published-scores.parquet", schemas.read_published_scores, 292445),
    ],
)
def test_the_real_tables_are_in_their_schemas(name, read, rows):
    assert len(read(MIRROR / name)) == rows


@needs_mirror
def test_the_real_images_are_in_their_schema():
    assert image_files.read_images(MIRROR / "ImageNet16-120.npz").images.shape == (12800, 16, 16, 3)


def test_nullable_integers_have_the_width_of_their_column(path):
    """Once, any of them became Int8, and 1,000 an error."""
    schema = schemas.TableSchema(
        (
            schemas.Column("small", pa.int8(), null=True),
            schemas.Column("large", pa.int64(), null=True),
            schemas.Column("unsigned", pa.uint16(), null=True),
        ),
        key=("large",),
    )
    frame = pd.DataFrame({"small": [1, None], "large": [None, 2**40], "unsigned": [1000, None]})
    schemas.write_table(frame.astype({"small": "Int8", "large": "Int64", "unsigned": "UInt16"}), path, schema)
    read = schemas.read_table(path, schema)
    assert read.dtypes.astype(str).to_dict() == {"small": "Int8", "large": "Int64", "unsigned": "UInt16"}
    assert read["large"].tolist() == [pd.NA, 2**40]


def test_rows_and_their_kinds_are_known_without_the_table(tmp_path):
    path = tmp_path / "table.parquet"
    pd.DataFrame({"a": ["x", "x", "y"], "b": [1, 1, 2], "c": [1.0, 2.0, 3.0]}).to_parquet(path)
    assert schemas.count_rows(path) == 3
    assert schemas.distinct_rows(path, ["a", "b"]) == [("x", 1), ("y", 2)]
    with pytest.raises(InputError, match="column d is missing; found a, b, c"):
        schemas.distinct_rows(path, ["a", "d"])
    path.write_text("no table")
    for read in (schemas.count_rows, lambda path: schemas.distinct_rows(path, ["a"])):
        with pytest.raises(InputError, match="not a readable Parquet file"):
            read(path)
        with pytest.raises(InputError, match="found no such file"):
            read(tmp_path / "absent.parquet")


def test_a_performance_table_without_any_value_is_refused(path):
    performance(accuracy=[np.nan] * 3, loss=[np.nan] * 3).to_parquet(path)
    expected = f"{path}: column accuracy: found no value in any row, expected that of some training"
    assert refusal(schemas.read_performance, path) == expected


def test_distinct_rows_may_be_those_that_have_a_value(path):
    performance(accuracy=[np.nan, np.nan, 10.0]).to_parquet(path)
    columns, values = ["split", "epochs"], ("accuracy", "loss")
    assert schemas.distinct_rows(path, columns, values) == [("valid", 12)]
    assert schemas.distinct_rows(path, columns) == [("test", 200), ("valid", 12)]
    assert schemas.distinct_rows(path, columns, ["absent"]) == [("test", 200), ("valid", 12)]
