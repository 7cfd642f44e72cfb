"""NAS-Bench-201's official file.

It is a pickle, hence untrusted, and read by a loader that admits only the types that the format needs.
"""

import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from epsinas.errors import InputError, one_line
from epsinas.sources.base import BenchmarkTables, OfficialBenchmark, RawFile
from epsinas.sources.conversion import architecture_table, table_sources
from epsinas.sources.pickles import numpy_dtype

VERSION = 1
"""Of the reader: raised whenever it gives other tables of the same file."""

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


def read_nas_bench_201(path: str | Path) -> BenchmarkTables:
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
    return BenchmarkTables(architecture_table(names), _performance(rows), _costs(costs))


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


def _results(record: Mapping, key: str) -> Any:
    from nas_201_api import ArchResults  # imports torch

    return ArchResults.create_from_state_dict(record[key])


def _performance(rows: list[tuple]) -> pd.DataFrame:
    order = ["dataset", "split", "epochs", "index", "seed"]
    frame = pd.DataFrame(rows, columns=["index", "dataset", "split", "epochs", "seed", "accuracy"])
    frame = frame.astype({"index": "int32", "epochs": "int16", "seed": "Int8"})
    return frame.sort_values(order, na_position="first", ignore_index=True)


def _costs(seconds: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"index": np.arange(len(seconds), dtype=np.int32), "seconds": seconds})


def _load_torch(path: Path) -> Any:
    """Read a file of `torch.save`, admitting NumPy numbers beside what torch admits of itself."""
    import torch

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


FILE = RawFile(
    "NAS-Bench-201-v1_1-096897.pth",
    ("https://drive.google.com/uc?id=16Y0UwGisiouVRxW-W5hEtbxmcHw_0hF_",),
    "md5",
    "096897",
    4_700_000_000,
)

BENCHMARK = OfficialBenchmark(
    "nas-bench-201",
    table_sources(
        "nas-bench-201",
        [((FILE,), lambda paths, progress: read_nas_bench_201(paths[0]))],
        VERSION,
        ("architectures", "performance", "training_cost"),
        "MIT",
    ),
)
