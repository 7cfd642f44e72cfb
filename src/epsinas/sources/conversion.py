"""Conversions of official files: images and texts one by one, a benchmark's tables all at once."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from epsinas.files.images import Images, write_images
from epsinas.files.tables import write_architectures, write_performance, write_training_cost
from epsinas.sources.base import BenchmarkTables, Conversion, Holdings, RawFile, Source
from epsinas.sources.checksums import recorded_digests
from epsinas.sources.pickles import out_of_memory
from epsinas.sources.progress import Progress

_WRITERS = {
    "architectures": write_architectures,
    "performance": write_performance,
    "training_cost": write_training_cost,
}

Reader = Callable[[Sequence[Path], Progress], BenchmarkTables]
"""What reads the tables of a benchmark from its official files."""


def table_sources(
    benchmark: str,
    readers: Iterable[tuple[tuple[RawFile, ...], Reader]],
    version: int,
    kinds: Sequence[str],
    licence: str | None,
    holdings: Holdings | None = None,
) -> tuple[Source, ...]:
    """Return the sources of a benchmark's tables.

    Reading the official files takes long, so all tables are written together, into a folder of the cache whose name
    says which bytes they were made of and by which version of the reader; another file or version makes another folder.

    Args:
        benchmark: the beginning of the tables' names.
        readers: official files and what reads them, the preferred ones first.
        version: of the readers; raised whenever they give other tables of the same files.
        kinds: fields of `BenchmarkTables`.
        licence: of the official files.
        holdings: what the tables hold.
    """
    readers = tuple(readers)

    def conversion(raw: tuple[RawFile, ...], read: Reader, kind: str) -> Conversion:
        def convert(paths: Sequence[Path], target: Path, progress: Progress) -> None:
            shutil.copyfile(_tables(benchmark, paths, read, version, progress) / f"{kind}.parquet", target)

        return Conversion(raw, convert)

    return tuple(
        Source(
            f"{benchmark}.{kind.replace('_', '-')}.parquet",
            tuple(conversion(raw, read, kind) for raw, read in readers),
            licence,
            holdings,
        )
        for kind in kinds
    )


def _tables(benchmark: str, paths: Sequence[Path], read: Reader, version: int, progress: Progress) -> Path:
    """Return the folder with the tables, which it makes unless it is there."""
    digests = {path.name: recorded_digests(path, ("sha256",))["sha256"] for path in paths}
    identity = sha256("".join(digests.values()).encode()).hexdigest()[:16]
    folder = paths[0].parent / f"{benchmark}.tables-{identity}-v{version}"
    with locked(folder.with_name(f".{folder.name}.lock")):
        if not folder.is_dir():
            with _named_where_memory_ends(paths[0]):
                converted = read(paths, progress)
            # Under another name until it is complete, since the folder stands for all of its tables.
            partial = folder.with_name(f"{folder.name}.part")
            shutil.rmtree(partial, ignore_errors=True)
            for kind, table in converted._asdict().items():
                if table is not None:
                    _WRITERS[kind](table, partial / f"{kind}.parquet")
            made_of = {"files": digests, "reader": version}
            (partial / "made_of.json").write_text(json.dumps(made_of, indent=1) + "\n")
            partial.rename(folder)
    return folder


@contextmanager
def _named_where_memory_ends(path: Path) -> Iterator[None]:
    """Tell memory that ends while an official file is read apart from a bad file."""
    try:
        yield
    except MemoryError as error:
        raise out_of_memory(path.name) from error


def image_conversion(raw: tuple[RawFile, ...], read: Callable[[Sequence[Path]], Images]) -> Conversion:
    """Return what makes `{dataset}.npz` of official files, of which `read` takes the paths."""

    def convert(paths: Sequence[Path], target: Path, progress: Progress) -> None:
        with _named_where_memory_ends(paths[0]):
            images = read(paths)
        write_images(*images, target)

    return Conversion(raw, convert)


def copy_conversion(raw: RawFile) -> Conversion:
    """Return what takes an official file as it is."""
    return Conversion((raw,), lambda paths, target, progress: shutil.copyfile(paths[0], target))


def architecture_table(names: Sequence[str]) -> pd.DataFrame:
    """Return the table of architectures that a benchmark lists in this order: `index`, `architecture`."""
    return pd.DataFrame({"index": np.arange(len(names), dtype=np.int32), "architecture": list(names)})


def not_followed(path: str, flags: int) -> int:
    """Open a file unless it is a symbolic link, which may lead to another one that would be written over."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time into the block; the lock goes with the process."""
    try:
        import fcntl
    except ImportError:  # not on Windows, where two processes would do the same work twice
        yield
        return
    with open(path, "w", opener=not_followed) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
