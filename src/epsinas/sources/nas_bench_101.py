"""NAS-Bench-101's official file: a TFRecord file with a record for every training of every network."""

import base64
import binascii
import json
import re
from array import array
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from epsinas.errors import InputError, one_line, shown
from epsinas.sources.base import BenchmarkTables, Holdings, OfficialBenchmark, RawFile, Trained
from epsinas.sources.conversion import architecture_table, table_sources
from epsinas.sources.progress import Progress, silent
from epsinas.spaces import NasBench101

VERSION = 2
"""Of the reader: raised whenever it gives other tables of the same file."""

_RUNS = 3
"""Trainings of each network of NAS-Bench-101."""
_HASH = re.compile(r"[0-9a-f]{32}")
_FINAL = 2
"""Position of the last of the evaluations of a training, after those at its beginning and half-way."""


def read_nas_bench_101(path: str | Path, progress: Progress = silent, *, verified: bool = False) -> BenchmarkTables:
    """Convert `nasbench_only108.tfrecord`.

    The architectures are in the order of their first appearance in the file, with the benchmark's `hash` and the
    number of trainable `parameters`. The performance table has a row for every network, split, number of epochs
    (108) and run (`seed` 0 to 2, in the order of appearance), and one with a null seed for their mean.

    The file is read record by record; what is kept of it is small.

    Args:
        path: of the file.
        progress: where to tell how many bytes are read.
        verified: the file has the official checksum, so that its architectures need not be checked one by one.

    Raises:
        InputError: a record is damaged or not as the benchmark writes it, or a network has not three runs.
    """
    from epsinas.sources.tfrecords import FRAME, records  # imports numba

    path = Path(path)
    numbers: dict[str, int] = {}
    names: list[str] = []
    parameters = array("q")
    runs: tuple[array, ...] = (array("l"), array("h"), array("d"), array("d"))
    with progress(f"reading {path.name}", _size(path)) as advance:
        for number, content in enumerate(records(path)):
            where = f"{path.name}: record {number}"
            row = _row(content, where)
            advance(len(content) + FRAME)
            if row.hash not in numbers:
                if not verified:
                    _check(row, where)
                numbers[row.hash] = len(names)
                names.append(row.architecture)
                parameters.append(row.parameters)
            index = numbers[row.hash]
            if (row.architecture, row.parameters) != (names[index], parameters[index]):
                raise InputError(f"{where}: found another network for hash {row.hash}, expected {names[index]}")
            for column, value in zip(runs, (index, row.epochs, 100 * row.valid, 100 * row.test), strict=True):
                column.append(value)
    if not names:
        raise InputError(f"{path.name}: found no records, expected three for each network")
    counts = Counter(zip(runs[0], runs[1], strict=True))
    for (index, epochs), count in counts.items():
        if count != _RUNS:
            raise InputError(
                f"{path.name}: found {count} runs of {epochs} epochs for {list(numbers)[index]}, expected {_RUNS}"
            )
    architectures = architecture_table(names).assign(hash=list(numbers), parameters=np.array(parameters))
    return BenchmarkTables(architectures, _performance(*map(np.array, runs)))


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


class _Row(NamedTuple):
    """One training of one network; accuracies are fractions."""

    hash: str
    epochs: int
    architecture: str
    parameters: int
    valid: float
    test: float


def _row(content: bytes, where: str) -> _Row:
    """Read a record: a JSON list of hash, epochs, adjacency matrix, operations, and metrics as base64 protobuf.

    The base64 is wrapped after 76 characters.
    """
    from google.protobuf.message import DecodeError

    try:
        name, epochs, matrix, operations, metrics = found = json.loads(content)
        for what, value in zip(("hash", "adjacency", "operations", "metrics"), (name, *found[2:]), strict=True):
            if type(value) is not str:
                raise TypeError(f"{what}: found {shown(value)}, expected a text")
        metrics = _model_metrics().FromString(base64.b64decode(metrics.replace("\n", ""), validate=True))
        final = metrics.evaluation_data[_FINAL]
        row = _Row(
            name,
            epochs,
            f"{matrix}:{operations}",
            metrics.trainable_parameters,
            final.validation_accuracy,
            final.test_accuracy,
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, binascii.Error, DecodeError) as error:
        raise InputError(
            f"{where}: found no row of NAS-Bench-101 ({one_line(error)}), expected a JSON list of hash, epochs, "
            "adjacency, operations and metrics"
        ) from error
    for split in ("valid", "test"):
        if not 0 <= getattr(row, split) <= 1:
            raise InputError(f"{where}: {split} accuracy: found {getattr(row, split)}, expected 0 to 1")
    if not _HASH.fullmatch(row.hash):
        raise InputError(f"{where}: hash: found {shown(row.hash)}, expected 32 hexadecimal digits")
    if row.architecture.split() != [row.architecture]:
        raise InputError(f"{where}: found white space in {shown(row.architecture)}, expected none")
    if row.parameters < 0:
        raise InputError(f"{where}: parameters: found {row.parameters}, expected 0 or more")
    if type(epochs) is not int or not 0 < epochs < 1 << 15:
        raise InputError(f"{where}: epochs: found {shown(epochs)}, expected 1 to {(1 << 15) - 1}")
    return row


def _check(row: _Row, where: str) -> None:
    """Check that a row's architecture is one of the space and has the row's name there."""
    try:
        found = NasBench101().graph_hash(row.architecture)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    if found != row.hash:
        raise InputError(f"{where}: found hash {row.hash} for {row.architecture}, expected {found}")


def _performance(index: np.ndarray, epochs: np.ndarray, valid: np.ndarray, test: np.ndarray) -> pd.DataFrame:
    """Return the performance table of runs in the order of the file."""
    wide = pd.DataFrame({"index": index, "epochs": epochs, "valid": valid, "test": test})
    wide["seed"] = wide.groupby(["index", "epochs"]).cumcount()
    mean = wide.groupby(["index", "epochs"], as_index=False)[["valid", "test"]].mean()
    tables = [
        table.rename(columns={split: "accuracy"}).assign(dataset="cifar10", split=split)
        for split in ("valid", "test")
        for table in (mean.assign(seed=np.nan), wide)
    ]
    order = ["index", "dataset", "split", "epochs", "seed", "accuracy"]
    types = {"index": "int32", "epochs": "int16", "seed": "Int8"}
    table = pd.concat([table[order].astype(types) for table in tables])
    keys = ["dataset", "split", "epochs", "index", "seed"]
    return table.sort_values(keys, na_position="first", ignore_index=True)


@cache
def _model_metrics() -> Any:
    """Return the message class of the benchmark's `model_metrics.proto`, the fields that nothing reads left out."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="model_metrics.proto", package="nasbench", syntax="proto2")
    evaluation = file.message_type.add(name="EvaluationData")
    for number, name in enumerate(("validation_accuracy", "test_accuracy"), start=4):
        evaluation.field.add(name=name, number=number, type=field.TYPE_DOUBLE, label=field.LABEL_OPTIONAL)
    model = file.message_type.add(name="ModelMetrics")
    model.field.add(
        name="evaluation_data",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".nasbench.EvaluationData",
        label=field.LABEL_REPEATED,
    )
    model.field.add(name="trainable_parameters", number=2, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("nasbench.ModelMetrics"))


FILE = RawFile(
    "nasbench_only108.tfrecord",
    ("https://storage.googleapis.com/nasbench/nasbench_only108.tfrecord",),
    "sha256",
    "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
    499_000_000,
)

BENCHMARK = OfficialBenchmark(
    "nas-bench-101",
    table_sources(
        "nas-bench-101",
        [((FILE,), lambda paths, progress: read_nas_bench_101(paths[0], progress, verified=True))],
        VERSION,
        ("architectures", "performance"),
        "Apache-2.0",
        Holdings(423_624, (Trained("cifar10", "valid", 108), Trained("cifar10", "test", 108))),
    ),
)
