"""What a source is: official files, and what makes of them the files that the pipeline goes on with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from epsinas.registry import Registry
from epsinas.sources.progress import Progress

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RawFile:
    """An official file.

    Attributes:
        name: in the cache.
        addresses: where it can be had, tried in order: http(s) files, Google Drive files, or Google Drive folders that
            hold a file of this name.
        algorithm: of the checksum, as `hashlib` calls it.
        checksum: hexadecimal digest, or the end of it where no more is published; empty where nothing is.
        size: in bytes, None where it is not known.
    """

    name: str
    addresses: tuple[str, ...]
    algorithm: str = "sha256"
    checksum: str = ""
    size: int | None = None


@dataclass(frozen=True)
class Conversion:
    """Official files, and what makes one of the pipeline's files of them.

    Attributes:
        raw: the official files; none where the package makes the file by itself.
        convert: takes the paths of the official files in the cache, the path to write, and where to tell progress.
        made: says where a file comes from that the package makes by itself.
    """

    raw: tuple[RawFile, ...]
    convert: Callable[[Sequence[Path], Path, Progress], object]
    made: str = ""


class Trained(NamedTuple):
    """What a performance is of: the data set, the split and the epochs of training."""

    dataset: str
    split: str
    epochs: int


@dataclass(frozen=True)
class Holdings:
    """What the tables of a benchmark hold, known without reading them.

    Attributes:
        networks: how many there are.
        performance: what they were trained and measured on.
    """

    networks: int
    performance: tuple[Trained, ...]


@dataclass(frozen=True)
class Source:
    """How to make one of the pipeline's files.

    Attributes:
        name: of the file, as in the pipeline's schemas.
        conversions: the ways to make it, the first one preferred.
        licence: of the official files; None where none is stated.
        holdings: of the benchmark that the file is a table of; None for images and texts.
    """

    name: str
    conversions: tuple[Conversion, ...]
    licence: str | None = None
    holdings: Holdings | None = None


@dataclass(frozen=True)
class Provenance:
    """What a retrieved file is and where it came from.

    `via` is "mirror", "download", "package" or "own file"; `source` says where the content comes from;
    `raw` has the SHA-256 of every official file that it was made of.
    """

    name: str
    sha256: str
    bytes: int
    source: str
    via: str
    licence: str | None = None
    raw: dict[str, str] = field(default_factory=dict)


class BenchmarkTables(NamedTuple):
    """The tables that a benchmark's official files hold, each in its schema (`epsinas.files.tables`)."""

    architectures: pd.DataFrame
    performance: pd.DataFrame
    training_cost: pd.DataFrame | None = None


@dataclass(frozen=True)
class OfficialBenchmark:
    """A benchmark that has official files, by the name of its search space."""

    name: str
    sources: tuple[Source, ...]


BENCHMARKS: Registry[OfficialBenchmark] = Registry("official benchmark", "epsinas.sources", "BENCHMARK")
"""All of them."""
