"""Turn the benchmarks' official files into the schemas of `epsinas.files.tables`.

Most official files are pickles, hence untrusted: they are read by loaders that admit only the types that the
formats need. Every converter raises `InputError`, naming the file and what in it is not as expected.
"""

import base64
import binascii
import json
import pickle
import re
import tarfile
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
import pandas as pd
import torch
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from nas_201_api import ArchResults

from epsinas.errors import InputError, one_line
from epsinas.files.images import Images
from epsinas.sources.pickles import load, numpy_dtype
from epsinas.sources.tfrecords import records
from epsinas.spaces import NasBench101 as Space101

# In the schema's words, then in the benchmark's: a data set there is what a network was trained on, and
# `x-valid` and `x-test` are the two halves of what `ori-test` is for the data sets without a validation set.
# CIFAR-10's test accuracy is of training on all 50,000 images, its validation accuracy of training on half.
_NAS_BENCH_201_SETS = (
    ("cifar10", "valid", "cifar10-valid", "x-valid"),
    ("cifar10", "test", "cifar10", "ori-test"),
    ("cifar100", "valid", "cifar100", "x-valid"),
    ("cifar100", "test", "cifar100", "x-test"),
    ("ImageNet16-120", "valid", "ImageNet16-120", "x-valid"),
    ("ImageNet16-120", "test", "ImageNet16-120", "x-test"),
)
_NAS_BENCH_201_EPOCHS = {"less": 12, "full": 200}


class NasBench201(NamedTuple):
    """The three tables that NAS-Bench-201's file holds, each in its schema."""

    architectures: pd.DataFrame
    performance: pd.DataFrame
    training_cost: pd.DataFrame


def nas_bench_201(path: str | Path) -> NasBench201:
    """Convert `NAS-Bench-201-v1_1-096897.pth`.

    The performance table has a row for every network, data set, split, number of epochs (12 and 200) and
    seed, and one with a null seed for the benchmark's mean over the seeds. Seeds are ranks: 0 is the lowest
    of those that the network was trained with. The training cost is the seconds of 12 epochs on
    `cifar10-valid`, the 25,000 images of CIFAR-10 whose other half validates; a mean over seeds.

    The official file takes about 20 minutes and tens of gigabytes of memory. It goes through the
    benchmark package's `ArchResults`, one network at a time, since its `NASBench201API` would copy everything
    once more.
    """
    path = Path(path)
    contents = _load_torch(path)
    names, records = _entry(contents, "meta_archs", path), _entry(contents, "arch2infos", path)
    rows: list[tuple] = []
    costs: list[float] = []
    for index in range(len(names)):
        where = f"{path.name}: network {index}"
        try:
            record = records[index]
            rows.extend((index, *row) for row in _accuracies(record))
            costs.append(float(_results(record, "less").get_metrics("cifar10-valid", "train")["all_time"]))
        except (LookupError, TypeError, ValueError, AttributeError, AssertionError) as error:
            raise InputError(f"{where}: {_missing(error)}") from error
    return NasBench201(_architectures(names), _performance(rows), _costs(costs))


def _accuracies(record: Mapping) -> Iterator[tuple]:
    """Yield (dataset, split, epochs, seed, accuracy) of one network, seed None for the mean."""
    for key, epochs in _NAS_BENCH_201_EPOCHS.items():
        results = _results(record, key)
        for dataset, split, trained_on, set_name in _NAS_BENCH_201_SETS:
            mean = results.get_metrics(trained_on, set_name)["accuracy"]
            yield dataset, split, epochs, None, float(mean)
            for rank, seed in enumerate(sorted(results.get_dataset_seeds(trained_on))):
                accuracy = results.get_metrics(trained_on, set_name, is_random=int(seed))["accuracy"]
                yield dataset, split, epochs, rank, float(accuracy)


def _results(record: Mapping, key: str) -> ArchResults:
    return ArchResults.create_from_state_dict(record[key])


def _architectures(names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({"index": np.arange(len(names), dtype=np.int32), "architecture": list(names)})


def _performance(rows: list[tuple]) -> pd.DataFrame:
    order = ["dataset", "split", "epochs", "index", "seed"]
    frame = pd.DataFrame(rows, columns=["index", "dataset", "split", "epochs", "seed", "accuracy"])
    frame = frame.astype({"index": "int32", "epochs": "int16", "seed": "Int8"})
    return frame.sort_values(order, na_position="first", ignore_index=True)


def _costs(seconds: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"index": np.arange(len(seconds), dtype=np.int32), "seconds": seconds})


class NasBench101(NamedTuple):
    """The two tables that NAS-Bench-101's file holds, each in its schema."""

    architectures: pd.DataFrame
    performance: pd.DataFrame


_RUNS = 3
"""Trainings of each network of NAS-Bench-101."""
_FINAL = 2
"""Position of the last of the evaluations of a training, after those at its beginning and half-way."""


def nas_bench_101(path: str | Path) -> NasBench101:
    """Convert `nasbench_only108.tfrecord`.

    The architectures are in the order of their first appearance in the file, with the benchmark's `hash` and the
    number of trainable `parameters`. The performance table has a row for every network, split, number of epochs
    (108) and run (`seed` 0 to 2, in the order of appearance), and one with a null seed for their mean.

    The file is read record by record. The official one, 500 MB, takes some minutes; what is kept of it is small.

    Raises:
        InputError: a record is damaged or not as the benchmark writes it, or a network has not three runs.
    """
    path = Path(path)
    numbers: dict[str, int] = {}
    names: list[str] = []
    parameters = array("q")
    runs: tuple[array, ...] = (array("l"), array("h"), array("d"), array("d"))
    for number, content in enumerate(records(path)):
        where = f"{path.name}: record {number}"
        row = _row(content, where)
        if row.hash not in numbers:
            _check_101(row, where)
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
    architectures = _architectures(names).assign(hash=list(numbers), parameters=np.array(parameters))
    return NasBench101(architectures, _performance_101(*map(np.array, runs)))


class _Row(NamedTuple):
    """One training of one network; accuracies are fractions."""

    hash: str
    epochs: int
    architecture: str
    parameters: int
    valid: float
    test: float


def _row(content: bytes, where: str) -> _Row:
    """Read a record: a JSON list of hash, epochs, adjacency matrix, operations, and metrics as base64 protobuf."""
    try:
        name, epochs, matrix, operations, metrics = json.loads(content)
        metrics = _model_metrics().FromString(base64.b64decode(metrics, validate=True))
        final = metrics.evaluation_data[_FINAL]
        row = _Row(
            str(name),
            int(epochs),
            f"{matrix}:{operations}",
            metrics.trainable_parameters,
            final.validation_accuracy,
            final.test_accuracy,
        )
    except (ValueError, TypeError, LookupError, RecursionError, binascii.Error, DecodeError) as error:
        raise InputError(
            f"{where}: found no row of NAS-Bench-101 ({one_line(error)}), expected a JSON list of hash, epochs, "
            "adjacency, operations and metrics"
        ) from error
    for split in ("valid", "test"):
        if not 0 <= getattr(row, split) <= 1:
            raise InputError(f"{where}: {split} accuracy: found {getattr(row, split)}, expected 0 to 1")
    if not 0 < row.epochs < 1 << 15:
        raise InputError(f"{where}: epochs: found {row.epochs}, expected 1 to {(1 << 15) - 1}")
    return row


def _check_101(row: _Row, where: str) -> None:
    """Check that a row's architecture is one of the space and has the row's name there."""
    try:
        found = Space101().graph_hash(row.architecture)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    if found != row.hash:
        raise InputError(f"{where}: found hash {row.hash} for {row.architecture}, expected {found}")


def _performance_101(index: np.ndarray, epochs: np.ndarray, valid: np.ndarray, test: np.ndarray) -> pd.DataFrame:
    """Return the performance table of runs in the order of the file."""
    wide = pd.DataFrame({"index": index, "epochs": epochs, "valid": valid, "test": test})
    wide["seed"] = wide.groupby(["index", "epochs"]).cumcount()
    mean = wide.groupby(["index", "epochs"], as_index=False)[["valid", "test"]].mean()
    tables = [
        table.rename(columns={split: "accuracy"}).assign(dataset="cifar10", split=split)
        for split in ("valid", "test")
        for table in (mean.assign(seed=pd.NA), wide)
    ]
    order = ["index", "dataset", "split", "epochs", "seed", "accuracy"]
    types = {"index": "int32", "epochs": "int16", "seed": "Int8"}
    table = pd.concat([table[order].astype(types) for table in tables])
    keys = ["dataset", "split", "epochs", "index", "seed"]
    return table.sort_values(keys, na_position="first", ignore_index=True)


@cache
def _model_metrics() -> Any:
    """Return the message class of the benchmark's `model_metrics.proto`, the fields that nothing reads left out."""
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


def _load_torch(path: Path) -> Any:
    """Read a file of `torch.save`, admitting NumPy numbers beside what torch admits of itself."""
    kinds = [np.float64, np.float32, np.int64]
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]
    admitted: list[Any] = [
        (numpy_dtype, "numpy.dtype"),
        *((scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
        *(type(np.dtype(kind)) for kind in kinds),
    ]
    try:
        with torch.serialization.safe_globals(admitted):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL (\S+)", str(error))
        what = f"refused to load {refused[1]}" if refused else one_line(error)
        expected = "expected nothing but dictionaries, lists, text, numbers and tensors"
        raise InputError(f"{path.name}: {what}; {expected}") from error
    except Exception as error:  # a damaged file can fail anywhere in the loader
        raise InputError(f"{path.name}: not a readable file of torch.save: {one_line(error)}") from error


def cifar10(path: str | Path) -> Images:
    """Convert the training images of `cifar-10-python.tar.gz`: 50,000 of 32x32, in the official order."""
    names = [f"data_batch_{number}" for number in range(1, 6)]
    return _cifar(Path(path), names, "labels", "CIFAR-10 training images (cs.toronto.edu/~kriz/cifar.html)")


def cifar100(path: str | Path) -> Images:
    """Convert the training images of `cifar-100-python.tar.gz`: 50,000 of 32x32, the 100 fine labels."""
    source = "CIFAR-100 training images (cs.toronto.edu/~kriz/cifar.html)"
    return _cifar(Path(path), ["train"], "fine_labels", source)


def _cifar(path: Path, names: list[str], labels: str, source: str) -> Images:
    batches = {name: _batch(batch, labels, 32, f"{path.name}/{name}") for name, batch in _members(path, names)}
    for name in names:
        if name not in batches:
            raise InputError(f"{path.name}: member {name} is missing; found {', '.join(batches) or 'none'}")
    images, classes = zip(*(batches[name] for name in names), strict=True)
    return Images(np.concatenate(images), np.concatenate(classes), source)


def _members(path: Path, names: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield the wanted members of a tar.gz of pickles, unpickled straight from the stream."""
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if name in names and (file := archive.extractfile(member)):
                    yield name, load(cast(BinaryIO, file), name=f"{path.name}/{name}")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"{path.name}: not a readable tar.gz archive: {one_line(error)}") from error


def imagenet16_120(paths: Sequence[str | Path]) -> Images:
    """Convert the pickles `train_data_batch_1` to `_10` of ImageNet16, given in this order.

    ImageNet16-120 is the 16x16 training images of the classes 1 to 120, stored as labels 0 to 119.
    """
    kept = []
    for path in map(Path, paths):
        images, labels = _batch(load(path, name=path.name), "labels", 16, path.name)
        first = (labels >= 1) & (labels <= 120)
        kept.append((images[first], labels[first] - 1))
    images, labels = (np.concatenate(arrays) for arrays in zip(*kept, strict=True))
    return Images(images, labels, "ImageNet16-120 training images: ImageNet16, classes 1 to 120")


def _batch(batch: Any, label_key: str, side: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, side, side, 3) and labels (N,) of a batch, whose rows are red, green, blue planes."""
    data, labels = (_entry(batch, key, where) for key in ("data", label_key))
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3 * side * side,):
        found = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise InputError(f"{where}: data: found {found}, expected uint8 (N, {3 * side * side})")
    try:
        labels = np.array(labels, dtype=np.int16)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{where}: {label_key}: {one_line(error)}, expected integers") from error
    if labels.shape != (len(data),):
        raise InputError(f"{where}: {label_key}: found shape {labels.shape}, expected ({len(data)},)")
    return data.reshape(-1, 3, side, side).transpose(0, 2, 3, 1), labels


def _entry(contents: Any, key: str, where: str | Path) -> Any:
    """Return an entry of what should be a dictionary."""
    where = where.name if isinstance(where, Path) else where
    if not isinstance(contents, Mapping):
        raise InputError(f"{where}: found {type(contents).__name__}, expected a dictionary with the key {key}")
    if key not in contents:
        raise InputError(f"{where}: key {key} is missing; found {', '.join(map(str, contents)) or 'no keys'}")
    return contents[key]


def _missing(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing from its results"
    return f"its results are not in the benchmark's format: {one_line(error)}"
