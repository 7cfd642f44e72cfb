"""NAS-Bench-201's official files: the `.pth` of version 1.1, or NATS-Bench's `-simple` archive of the same trainings.

Both are pickles, hence untrusted, and read by a loader that admits only the types that the formats need. They are read
one network at a time, and a trial's record goes through the benchmark package's `ArchResults`.
"""

import bz2
import pickle
import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from epsinas.errors import InputError, one_line, shown
from epsinas.sources.archives import tar_members
from epsinas.sources.base import BenchmarkTables, Holdings, OfficialBenchmark, RawFile, Trained
from epsinas.sources.conversion import architecture_table, table_sources
from epsinas.sources.pickles import entry, load
from epsinas.sources.progress import Progress, silent
from epsinas.spaces import NasBench201

VERSION = 2
"""Of the readers: raised whenever they give other tables of the same file."""

MEMBER_LIMIT = 1 << 23
"""Bytes of one network in the archive, unpacked; the official ones have up to 400,000, the list of all 1,400,000."""

# In the schema's words, then in the benchmark's: a data set there is what a network was trained on, and
# `x-valid` and `x-test` are the two halves of what `ori-test` is for the data sets without a validation set.
# CIFAR-10's test accuracy is of training on all 50,000 images, its validation accuracy of training on half.
# `cifar10-valid` is the test accuracy of training on that half.
_SETS = (
    ("cifar10", "valid", "cifar10-valid", "x-valid"),
    ("cifar10", "test", "cifar10", "ori-test"),
    ("cifar10-valid", "test", "cifar10-valid", "ori-test"),
    ("cifar100", "valid", "cifar100", "x-valid"),
    ("cifar100", "test", "cifar100", "x-test"),
    ("ImageNet16-120", "valid", "ImageNet16-120", "x-valid"),
    ("ImageNet16-120", "test", "ImageNet16-120", "x-test"),
)

_MEMBER = re.compile(r"(meta|[0-9]{6})\.pickle\.pbz2")
"""Of the archive: the list of all strings, and the networks."""

_MOST_SEEDS = 127
"""Trainings of a network, of which the schema can number so many; the official files have up to three."""

_OTHER_FORMAT = (
    *(LookupError, TypeError, ValueError, AttributeError, AssertionError, ArithmeticError),
    pickle.UnpicklingError,  # of what stands for a function, where a record has one in the place of a method
)
"""What a record of another format raises in the benchmark's package."""

_EPOCHS = {12: ("less", "12"), 200: ("full", "200")}
"""What trainings of so many epochs are called in the `.pth` and in the archive."""


def read_nas_bench_201(path: str | Path, progress: Progress = silent) -> BenchmarkTables:
    """Convert `NAS-Bench-201-v1_1-096897.pth`.

    The performance table has a row for every network, data set, split, number of epochs (12 and 200) and
    seed, and one with a null seed for the benchmark's mean over the seeds. Seeds are ranks: 0 is the lowest
    of those that the network was trained with. The data set `cifar10-valid` is the half of CIFAR-10's training images
    that `cifar10`'s validation accuracy is of, too; its test accuracy is another quantity than that of `cifar10`. The
    training cost is the seconds of 12 epochs on `cifar10-valid`; a mean over seeds.

    Args:
        path: of the file.
        progress: where to tell how many bytes are read.

    Raises:
        InputError: the file is damaged, lacks a result, or names what is not admitted.
    """
    from epsinas.sources.large_pickles import read_entries  # imports numba

    path = Path(path)
    results = _Results(path.name)
    contents = read_entries(path, "arch2infos", results.add, progress)
    names = entry(contents, "meta_archs", path.name)
    entries = entry(contents, "arch2infos", path.name)
    if not isinstance(entries, dict):
        raise InputError(f"{path.name}: arch2infos: found {type(entries).__name__}, expected a dictionary of networks")
    for index, record in entries.items():  # what is left has no numbers
        results.add(index, record)
    return results.tables(names)


def read_nats_bench(path: str | Path, progress: Progress = silent) -> BenchmarkTables:
    """Convert `NATS-tss-v1_0-3ffb9-simple.tar`, the topology space of NATS-Bench, which is NAS-Bench-201's.

    The tables are as those of `read_nas_bench_201`. The trainings are the same, but here more networks have all three
    seeds, so means differ where the other file has one or two.

    Args:
        path: of the archive.
        progress: where to tell how many networks are read.

    Raises:
        InputError: as for `read_nas_bench_201`.
    """
    path = Path(path)
    results = _Results(path.name)
    names: Any = None
    with progress(f"reading {path.name}", 15_625, " networks") as advance:
        for member, file in tar_members(path, lambda name: _MEMBER.fullmatch(name) is not None, MEMBER_LIMIT):
            name = member.removesuffix(".pickle.pbz2")
            content = _unpacked(file, f"{path.name}/{name}")
            if name == "meta":
                names = entry(content, "meta_archs", f"{path.name}/{name}")
            else:
                results.add(int(name), content)
                advance(1)
    if names is None:
        raise InputError(f"{path.name}: meta.pickle.pbz2 is missing, expected it among the networks")
    return results.tables(names)


def _unpacked(file: BinaryIO, where: str) -> Any:
    """Read a pickle that bzip2 has compressed."""
    try:
        with bz2.open(file) as unpacked:
            content = unpacked.read(MEMBER_LIMIT + 1)
    except (OSError, EOFError) as error:
        raise InputError(f"{where}: not readable by bzip2: {one_line(error)}") from error
    if len(content) > MEMBER_LIMIT:
        raise InputError(f"{where}: found more than {MEMBER_LIMIT} bytes, expected a network of fewer")
    return load(BytesIO(content), name=where)


class _Results:
    """The rows of the tables, network by network."""

    def __init__(self, name: str):
        self._name = name
        self._rows: list[tuple] = []
        self._seconds: dict[int, float] = {}

    def add(self, index: Any, record: Any) -> None:
        """Take the results of one network."""
        if type(index) is not int or not 0 <= index < 1 << 31:
            raise InputError(f"{self._name}: found a network of number {shown(index)}, expected 0, 1, ...")
        where = f"{self._name}: network {index}"
        if index in self._seconds:
            raise InputError(f"{where}: found two of this number")
        try:
            short, long = (_arch_results(record, epochs) for epochs in _EPOCHS)
            rows = [(index, *row) for results, epochs in ((short, 12), (long, 200)) for row in _rows(results, epochs)]
            trials = _trials(short, "cifar10-valid").values()
            seconds = float(np.mean([_number(trial.get_train()["all_time"], "time of training") for trial in trials]))
        except _OTHER_FORMAT as error:
            raise InputError(f"{where}: {_missing(error)}") from error
        self._rows += rows
        self._seconds[index] = seconds

    def tables(self, names: Any) -> BenchmarkTables:
        """Return the tables of the networks that were added, whose architectures are `names`."""
        if not isinstance(names, list):
            raise InputError(
                f"{self._name}: meta_archs: found {type(names).__name__}, expected a list of architectures"
            )
        space, known = NasBench201(), set()
        for index, name in enumerate(names):
            try:
                if space.format(space.parse(name)) != name or name in known:
                    raise InputError("expected each architecture once, and nothing around it")
                known.add(name)
            except (InputError, TypeError, AttributeError) as error:
                found = f"{shown(name)}: {one_line(error)}"
                raise InputError(f"{self._name}: meta_archs: network {index}: found {found}") from None
        for index in range(len(names)):
            if index not in self._seconds:
                raise InputError(f"{self._name}: network {index}: {index} is missing from its results")
        if len(self._seconds) > len(names):
            raise InputError(f"{self._name}: found {len(self._seconds)} networks, expected {len(names)}")
        seconds = [self._seconds[index] for index in range(len(names))]
        costs = pd.DataFrame({"index": np.arange(len(names), dtype=np.int32), "seconds": seconds})
        return BenchmarkTables(architecture_table(names), _performance(self._rows), costs)


def _arch_results(record: Any, epochs: int) -> Any:
    """Return the benchmark package's view of the trainings of one length, without their times of evaluation."""
    from nas_201_api import ArchResults  # imports torch

    names = _EPOCHS[epochs]
    found = next((record[name] for name in names if name in record), None)
    if found is None:
        raise KeyError(names[0])
    for trial in found["all_results"].values():
        if type(trial["epochs"]) is not int or trial["epochs"] != epochs:
            raise ValueError(f"found {shown(trial['epochs'])} epochs, expected {epochs}")
        trial["eval_times"] = {}  # of all epochs, which nothing asks for
    return ArchResults.create_from_state_dict(found)


def _trials(results: Any, dataset: str) -> Mapping[Any, Any]:
    """Return the trainings on a data set by their seeds."""
    trials = results.query(dataset)
    if not 0 < len(trials) <= _MOST_SEEDS:
        raise ValueError(f"found {len(trials)} trainings on {dataset}, expected 1 to {_MOST_SEEDS}")
    return trials


def _rows(results: Any, epochs: int) -> Iterator[tuple]:
    """Yield (dataset, split, epochs, seed, accuracy) of one network, seed None for the mean."""
    for dataset, split, trained_on, set_name in _SETS:
        trials = _trials(results, trained_on)
        accuracies = {
            seed: _number(trial.get_eval(set_name)["accuracy"], "accuracy", 100) for seed, trial in trials.items()
        }
        yield dataset, split, epochs, None, float(np.mean(list(accuracies.values())))
        for rank, seed in enumerate(sorted(accuracies)):
            yield dataset, split, epochs, rank, accuracies[seed]


def _number(found: Any, what: str, most: float = 1e9) -> float:
    """Return a number from 0 on; a text or a truth value is none, whatever Python makes of it."""
    if type(found) not in (int, float) and not isinstance(found, np.floating):
        raise TypeError(f"found {what} of {type(found).__name__}, expected a number")
    if not 0 <= found <= most:
        raise ValueError(f"found {what} of {shown(found)}, expected 0 to {most:g}")
    return float(found)


def _performance(rows: list[tuple]) -> pd.DataFrame:
    order = ["dataset", "split", "epochs", "index", "seed"]
    frame = pd.DataFrame(rows, columns=["index", "dataset", "split", "epochs", "seed", "accuracy"])
    frame = frame.astype({"index": "int32", "epochs": "int16", "seed": "Int8"})
    return frame.sort_values(order, na_position="first", ignore_index=True)


def _missing(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{shown(error.args[0])} is missing from its results"
    return f"its results are not in the benchmark's format: {one_line(error)}"


FILE = RawFile(
    "NAS-Bench-201-v1_1-096897.pth",
    ("https://drive.google.com/uc?id=16Y0UwGisiouVRxW-W5hEtbxmcHw_0hF_",),
    "md5",
    "096897",
    5_050_000_000,  # 4.7 GiB
)
ARCHIVE = RawFile(
    "NATS-tss-v1_0-3ffb9-simple.tar",
    ("https://drive.google.com/uc?id=17_saCsj_krKjlCBLOJEpNtzPXArMCqxU",),
    size=1_300_000_000,  # about
)

BENCHMARK = OfficialBenchmark(
    "nas-bench-201",
    table_sources(
        "nas-bench-201",
        [
            ((FILE,), lambda paths, progress: read_nas_bench_201(paths[0], progress)),
            ((ARCHIVE,), lambda paths, progress: read_nats_bench(paths[0], progress)),
        ],
        VERSION,
        ("architectures", "performance", "training_cost"),
        "MIT",
        Holdings(15_625, tuple(Trained(dataset, split, epochs) for dataset, split, *_ in _SETS for epochs in _EPOCHS)),
    ),
)
