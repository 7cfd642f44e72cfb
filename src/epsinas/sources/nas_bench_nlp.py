"""Read NAS-Bench-NLP's official training logs: zip archives with a JSON file for every training run.

A log names the corpus (`data`), the recipe and its number (`recepie`, `recepie_id`), when and as what the run was
started, the losses after every epoch, in nats, and how it ended (`status`). The archives are untrusted: members are
read from the archive one at a time, up to a limit, and nothing is ever extracted to disk.
"""

import json
import math
import re
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from epsinas.errors import InputError, one_line, shown
from epsinas.sources.base import BenchmarkTables, Holdings, OfficialBenchmark, RawFile, Trained
from epsinas.sources.conversion import table_sources
from epsinas.sources.progress import Progress, silent
from epsinas.spaces.nas_bench_nlp import NasBenchNLP

VERSION = 2
"""Of the reader: raised whenever it gives other tables of the same files."""

MEMBER_LIMIT = 1 << 20
"""Bytes of a log; the official ones have up to 6,000."""

MEMBERS_LIMIT = 100_000
"""Members of an archive; the largest official one has about 14,000."""

TOTAL_LIMIT = 1 << 30
"""Bytes of all logs of an archive."""

_SEED_LIMIT = 127
"""The largest number that the schema has for a seed."""

_LOG = re.compile(r"log_stats_model_[0-9]+_.*\.json")
_DATASET = re.compile(r"[\w-]{1,40}")
_SPLITS = {"valid": "val_losses", "test": "test_losses"}


@dataclass(frozen=True)
class TrainingLog:
    """One training run: losses by split after the last epoch, None where the training failed."""

    index: int
    architecture: str
    dataset: str
    started: tuple[str, int]
    epochs: int
    losses: dict[str, float | None]
    parameters: int


def read_nas_bench_nlp(paths: Sequence[str | Path], progress: Progress = silent) -> BenchmarkTables:
    """Convert archives of logs.

    The performance table has a row for every run and split (`valid` and `test`), with the loss after the last epoch;
    it is null where the training failed: the status is another than OK, or a loss is not finite. `seed` numbers the
    runs of a network on a data set, those of earlier archives first, in an archive by the time at which they started.
    A run that is in several archives counts once. The architecture table has the recipe as the benchmark prints it,
    and the benchmark's number of parameters for each data set (`parameters_{dataset}`).

    Args:
        paths: of zip archives, such as those of single runs, of three runs and of WikiText-2.
        progress: where to tell how many logs are read.

    Raises:
        InputError: an archive is damaged, too large or has no logs, a log is not as described, or a recipe's number
            stands for different recipes.
    """
    recipes: dict[int, str] = {}
    parameters: dict[tuple[int, str], int] = {}
    runs: dict[tuple, TrainingLog] = {}
    for path in map(Path, paths):
        found = sorted(training_logs(path, progress), key=lambda run: (run.index, run.dataset, run.started))
        for run in found:
            if recipes.setdefault(run.index, run.architecture) != run.architecture:
                raise InputError(f"{path.name}: recipe {run.index} has another architecture than before")
            parameters[run.index, run.dataset] = run.parameters
            runs.setdefault((run.index, run.dataset, run.started), run)
    rows, seeds = [], dict.fromkeys(((run.index, run.dataset) for run in runs.values()), 0)
    for run in runs.values():
        seed = seeds[run.index, run.dataset]
        seeds[run.index, run.dataset] += 1
        if seed > _SEED_LIMIT:
            raise InputError(f"recipe {run.index}: found more than {_SEED_LIMIT + 1} runs on {run.dataset}")
        rows += [(run.index, run.dataset, split, run.epochs, seed, run.losses[split]) for split in _SPLITS]
    return BenchmarkTables(_architectures(recipes, parameters), _performance(rows))


def _architectures(recipes: dict[int, str], parameters: dict[tuple[int, str], int]) -> pd.DataFrame:
    table = pd.DataFrame(sorted(recipes.items()), columns=["index", "architecture"]).astype({"index": "int32"})
    for dataset in sorted({dataset for _, dataset in parameters}):
        counts = [parameters.get((index, dataset)) for index in table["index"]]
        table[f"parameters_{dataset.replace('-', '')}"] = pd.array(counts, dtype="Int64")
    return table


def _performance(rows: list[tuple]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["index", "dataset", "split", "epochs", "seed", "loss"])
    table = table.astype({"index": "int32", "epochs": "int16", "seed": "Int8", "loss": "float64"})
    return table.sort_values(["dataset", "split", "index", "seed"], ignore_index=True)


def training_logs(path: str | Path, progress: Progress = silent) -> Iterator[TrainingLog]:
    """Yield the runs of one archive, in its order; members that are not called like a log are passed over.

    Raises:
        InputError: see `read_nas_bench_nlp`.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = _logs(archive, path)
            left = TOTAL_LIMIT
            with progress(f"reading {path.name}", len(members), " logs") as advance:
                for member in members:
                    content = _content(archive, member, path)
                    left -= len(content)
                    if left < 0:
                        raise InputError(f"{path.name}: found more than {TOTAL_LIMIT} bytes of logs, expected fewer")
                    yield _run(content, f"{path.name}: {member.filename}")
                    advance(1)
    # NotImplementedError and RuntimeError are what encrypted or unknown compression raise.
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path.name}: not a readable zip archive: {one_line(error)}") from error


def _logs(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > MEMBERS_LIMIT:
        raise InputError(f"{path.name}: found {len(members)} members, expected at most {MEMBERS_LIMIT}")
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or re.match(r"[A-Za-z]:", member.filename):
            # Harmless, since nothing is extracted, but no archive of the benchmark has such a name.
            raise InputError(f"{path.name}: member {shown(member.filename)} points outside the archive")
    logs = [member for member in members if _LOG.fullmatch(PurePosixPath(member.filename).name)]
    if not logs:
        raise InputError(f"{path.name}: found no logs, expected members like log_stats_model_0_..._0.json")
    often, count = Counter(member.filename for member in logs).most_common(1)[0]
    if count > 1:
        raise InputError(f"{path.name}: {often}: found {count} members of this name, expected one")
    return logs


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> bytes:
    """Read one member, whatever size its header claims."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Python unpacks others in pieces of any size.
        raise InputError(f"{path.name}: {member.filename}: found a compression other than deflate, expected that")
    with archive.open(member) as file:
        content = file.read(MEMBER_LIMIT + 1)
    if len(content) > MEMBER_LIMIT:
        raise InputError(
            f"{path.name}: {member.filename}: found more than {MEMBER_LIMIT} bytes, expected a log of fewer"
        )
    return content


def _run(content: bytes, where: str) -> TrainingLog:
    try:
        log = json.loads(content, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not a JSON file: {one_line(error)}") from error
    if not isinstance(log, dict):
        raise InputError(f"{where}: found {type(log).__name__}, expected an object")
    recipe = _entry(log, "recepie", str, where)
    space = NasBenchNLP()
    try:
        architecture = space.format(space.parse(recipe))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    index = _integer(log, "recepie_id", 0, (1 << 31) - 1, where)
    epochs = _integer(log, "epochs", 1, (1 << 15) - 1, where)
    losses: dict[str, float | None] = dict.fromkeys(_SPLITS)
    if _entry(log, "status", str, where) == "OK":
        losses |= {split: _last(log, key, epochs, where) for split, key in _SPLITS.items()}
    if not all(loss is not None and math.isfinite(loss) for loss in losses.values()):
        # The benchmark's script gives another status to a run whose loss is NaN, but not to one whose loss is infinite.
        losses = dict.fromkeys(_SPLITS)
    dataset = PurePosixPath(_entry(log, "data", str, where)).name
    if not _DATASET.fullmatch(dataset):
        raise InputError(f"{where}: data: found {shown(dataset)}, expected a folder with the name of a data set")
    started = (_entry(log, "init_time", str, where), _entry(log, "experiment_id", int, where))
    return TrainingLog(
        index, architecture, dataset, started, epochs, losses, _integer(log, "num_params", 0, 1 << 53, where)
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON, none of whose keys comes twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _entry(log: dict, key: str, kind: type, where: str) -> Any:
    if key not in log:
        raise InputError(f"{where}: key {key} is missing")
    if not isinstance(log[key], kind) or isinstance(log[key], bool):
        raise InputError(f"{where}: {key}: found {type(log[key]).__name__}, expected {kind.__name__}")
    return log[key]


def _integer(log: dict, key: str, least: int, most: int, where: str) -> int:
    found = _entry(log, key, int, where)
    if not least <= found <= most:
        raise InputError(f"{where}: {key}: found {shown(found)}, expected {least} to {most}")
    return found


def _last(log: dict, key: str, epochs: int, where: str) -> float:
    """Return the loss after the last epoch of a run whose status is OK."""
    losses = _entry(log, key, list, where)
    if len(losses) != epochs:
        raise InputError(f"{where}: {key}: found {len(losses)} losses, expected {epochs}, one for each epoch")
    last = losses[-1]
    whole = type(last) is int and last <= sys.float_info.max
    if not (whole or type(last) is float) or last < 0:
        raise InputError(f"{where}: {key}: found {shown(last)} after the last epoch, expected a loss of 0 or more")
    return float(last)  # infinite or not a number: a training that failed


_HUGGING_FACE = "https://huggingface.co/datasets/egracheva/epsinas-release-data/resolve/main/NAS-Bench-NLP"
_GITHUB = "https://github.com/fmsnew/nas-bench-nlp-release/raw/master"

# No checksums are published for the logs of PTB; the provenance records what came.
ARCHIVES = (
    RawFile(
        "train_logs_single_run.zip",
        (f"{_HUGGING_FACE}/train_logs_single_run.zip", f"{_GITHUB}/train_logs_single_run/logs.zip"),
    ),
    RawFile(
        "train_logs_multiple_runs.zip",
        (f"{_HUGGING_FACE}/train_logs_multiple_runs.zip", f"{_GITHUB}/train_logs_multi_runs/logs.zip"),
    ),
    RawFile(
        "train_logs_wikitext-2.zip",
        (f"{_GITHUB}/train_logs_wikitext-2/logs.zip",),
        "sha256",
        "f5052d6bea6398001e32c986322a243e8cdedffa906caf242eb0a62ee105aa12",
        879_000,
    ),
)

BENCHMARK = OfficialBenchmark(
    "nas-bench-nlp",
    table_sources(
        "nas-bench-nlp",
        [(ARCHIVES, read_nas_bench_nlp)],
        VERSION,
        ("architectures", "performance"),
        None,
        Holdings(14_322, tuple(Trained(corpus, split, 50) for corpus in ("ptb", "wikitext-2") for split in _SPLITS)),
    ),
)
