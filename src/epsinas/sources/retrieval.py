"""Where the pipeline's input files come from: a mirror folder, or the official addresses.

Without a mirror the official files are downloaded to a cache, compared with their checksums, and converted. A file that
is already in the cache is not downloaded again, so one that a server will not hand out can be put there by hand.
"""

import importlib
import shutil
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from epsinas.errors import InputError
from epsinas.files.images import Images, read_images
from epsinas.files.tables import (
    read_architectures,
    read_computed_scores,
    read_constant_weight_scores,
    read_performance,
    read_published_scores,
    read_training_cost,
)
from epsinas.files.texts import sentences
from epsinas.files.whole import atomic, sha256
from epsinas.sources import packaged
from epsinas.sources.base import BENCHMARKS, Conversion, Provenance, Source
from epsinas.sources.checksums import recorded_address, recorded_digests
from epsinas.sources.download import UnavailableError, fetch
from epsinas.sources.progress import Progress, bytes_in_words, silent

PACKAGE = "package"
"""In place of a mirror: the published accuracies inside the package."""


def _read_percent(path: Path) -> object:
    """Read the performances that somebody else gathered, whose accuracies may be fractions."""
    table = read_performance(path)
    if "accuracy" in table:
        for dataset, values in table.groupby("dataset")["accuracy"]:
            if 0 < values.max() <= 1:
                raise InputError(
                    f"{path}: column accuracy: found at most {values.max():g} on {dataset}, a fraction; "
                    "expected percent (0 to 100)"
                )
    return table


_READERS: dict[str, Callable[[Path], object]] = {
    ".architectures.parquet": read_architectures,
    ".performance.parquet": _read_percent,
    ".training-cost.parquet": read_training_cost,
    ".published-scores.parquet": read_published_scores,
    ".computed-scores.parquet": read_computed_scores,
    ".constant-weight-scores.parquet": read_constant_weight_scores,
    ".npz": read_images,
    ".txt": lambda path: sum(1 for _ in sentences(path)),
}
_FILLED_IN = tuple(
    f".{kind}.parquet" for kind in ("training-cost", "published-scores", "computed-scores", "constant-weight-scores")
)


class PlannedDownload(NamedTuple):
    """An official file that will be downloaded: name, size in bytes if known, licence if stated, first address."""

    file: str
    bytes: int | None
    licence: str | None
    address: str


def known_sources() -> dict[str, Source]:
    """Return how to make each file that has a source, by name: those of the data sets and of the benchmarks.

    A source of one's own, registered later, takes the place of another of the same file.
    """
    # Found by name, as a registry finds its modules, since data sets stand above sources.
    datasets = importlib.import_module("epsinas.datasets.base").DATASETS
    return {source.name: source for owner in (*datasets, *BENCHMARKS) for source in owner.sources}


def retrieve(
    name: str,
    destination: str | Path,
    mirror: str | Path | None,
    cache: str | Path,
    expected_sha256: str | None = None,
    progress: Progress = silent,
) -> Provenance:
    """Write the file `name` of the pipeline's schemas to `destination`, and say where it came from.

    With a `mirror`, the folder's file of this name is checked against its schema and copied; without one, the
    official files are downloaded into `cache` and converted; the mirror "package" stands for the published accuracies
    inside the package. Files that the package makes by itself are made with or without a mirror, and what
    `is_filled_in` names is taken from the package. `destination` is written whole or not at all.

    Args:
        name: of the file.
        destination: path to write.
        mirror: a folder, None, or "package".
        cache: folder of the official files.
        expected_sha256: of the file that is written.
        progress: where to tell how far downloads and conversions are.

    Raises:
        InputError: the file is missing from the mirror or has no official source, cannot be downloaded, or differs
            from its checksum, `expected_sha256` or its schema.
    """
    fill, facts = _origin(name, mirror, Path(cache), progress)
    with atomic(destination) as temporary:
        fill(temporary)
        found = sha256(temporary)
        if expected_sha256 and found != expected_sha256.lower():
            origin = Path(mirror, name) if mirror else f"{name} as downloaded"
            raise InputError(f"{origin}: found sha256 {found}, expected {expected_sha256}")
        size = temporary.stat().st_size
    return Provenance(name=name, sha256=found, bytes=size, **facts)


def is_filled_in(name: str, mirror: str | Path | None) -> bool:
    """Say whether the package fills in a file that neither a mirror nor an official source has.

    It does for what belongs to a benchmark's own numbers of its networks, training times and others' scores, but not
    for architectures and accuracies, which belong together.
    """
    if name not in packaged.FILES or not name.endswith(_FILLED_IN) or str(mirror) == PACKAGE:
        return False
    return not Path(mirror, name).is_file() if mirror else name not in known_sources()


def missing_files(names: Iterable[str], mirror: str | Path | None) -> list[str]:
    """Return which files `retrieve` would miss in the folder `mirror`; none where it is no folder."""
    if mirror is None or not Path(mirror).is_dir():
        return []
    made = {name for name, source in known_sources().items() if not source.conversions[0].raw}
    return [
        name
        for name in names
        if name not in made and not is_filled_in(name, mirror) and not Path(mirror, name).is_file()
    ]


def planned_downloads(names: Iterable[str], mirror: str | Path | None, cache: str | Path) -> list[PlannedDownload]:
    """Say what `retrieve` would download, before anything is.

    Args:
        names: of the pipeline's files.
        mirror: as for `retrieve`.
        cache: as for `retrieve`.

    Returns:
        One for each official file that is not in the cache yet, each once.

    Raises:
        InputError: there is no mirror, and a file has no official source.
    """
    if mirror:
        return []
    planned = {}
    for name in names:
        if is_filled_in(name, mirror):
            continue
        source = _source(name)
        for raw in _chosen(source, Path(cache)).raw:
            if not (Path(cache) / raw.name).exists():
                planned[raw.name] = PlannedDownload(raw.name, raw.size, source.licence, raw.addresses[0])
    return list(planned.values())


def announcement(planned: Iterable[PlannedDownload], cache: str | Path) -> str:
    """Say in a few lines what will be downloaded: how large, under which licence, from where, and where it is kept.

    Returns:
        Lines without a newline at the end; an empty text where nothing is to come.
    """
    planned = list(planned)
    if not planned:
        return ""
    known = sum(download.bytes or 0 for download in planned)
    more = " and what is of unknown size" if any(download.bytes is None for download in planned) else ""
    lines = [f"{len(planned)} official files will be downloaded into {cache}, {bytes_in_words(known)}{more}:"]
    # Files of one folder are said together.
    for (licence, address), group in groupby(planned, lambda download: (download.licence, download.address)):
        files = list(group)
        names = files[0].file if len(files) == 1 else f"{files[0].file} to {files[-1].file} ({len(files)} files)"
        unknown = any(download.bytes is None for download in files)
        size = "size unknown" if unknown else bytes_in_words(sum(download.bytes or 0 for download in files))
        lines.append(f"  {names}: {size}, {licence or 'no licence stated'}, {address}")
    return "\n".join(lines)


def take(path: str | Path, destination: str | Path) -> Provenance:
    """Check one's own images against the schema, copy them, and say where they came from.

    Raises:
        InputError: the file is missing or not as `epsinas.files.images.read_images` describes.
    """
    content = read_images(path)
    with atomic(destination) as temporary:
        shutil.copyfile(path, temporary)
    return Provenance(
        Path(destination).name, sha256(destination), Path(path).stat().st_size, content.source, "own file"
    )


def _origin(
    name: str, mirror: str | Path | None, cache: Path, progress: Progress
) -> tuple[Callable[[Path], object], dict[str, Any]]:
    """Return what writes the file, and the facts for its provenance."""
    inside = str(mirror) == PACKAGE
    if is_filled_in(name, mirror) or (inside and name in packaged.FILES):
        return _from_package(name)
    own = known_sources().get(name)
    if own and not own.conversions[0].raw and (inside or not (mirror and Path(mirror, name).is_file())):
        return _made(own)
    if inside:
        raise InputError(f"{name}: not inside the package, which has {', '.join(packaged.FILES)}")
    return _from_mirror(name, Path(mirror)) if mirror else _from_network(name, cache, progress)


def _from_package(name: str) -> tuple[Callable[[Path], object], dict[str, Any]]:
    """Return what writes one of the packaged tables, and the facts for its provenance."""
    origin = packaged.origin(name)
    return packaged.FILES[name], {"source": origin.source, "via": PACKAGE, "licence": origin.licence}


def _made(source: Source) -> tuple[Callable[[Path], object], dict[str, Any]]:
    """Return what makes a file that needs no official ones."""
    conversion = source.conversions[0]
    facts = {"source": conversion.made, "via": PACKAGE, "licence": source.licence}
    return lambda target: conversion.convert((), target, silent), facts


def _from_mirror(name: str, mirror: Path) -> tuple[Callable[[Path], object], dict[str, Any]]:
    """Check the mirror's file; return what writes a copy, and the facts for its provenance."""
    if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        raise InputError(f"{name}: found a path that leaves the mirror, expected a file name")
    path = mirror / name
    if not path.is_file():
        found = "no such file" if mirror.is_dir() else "no such folder"
        raise InputError(f"{name}: missing from the mirror {mirror}: {found}, expected {path}")
    reader = next((reader for suffix, reader in _READERS.items() if name.endswith(suffix)), None)
    content = reader(path) if reader else None
    source = content.source if isinstance(content, Images) else str(path)
    return lambda target: shutil.copyfile(path, target), {"source": source, "via": "mirror"}


def _from_network(name: str, cache: Path, progress: Progress) -> tuple[Callable[[Path], object], dict[str, Any]]:
    """Download the official files; return what converts them, and the facts for the provenance."""
    source = _source(name)
    conversion, paths = _fetched(source, cache, progress)
    facts = {
        "source": " ".join(
            dict.fromkeys(
                recorded_address(path) or raw.addresses[0] for raw, path in zip(conversion.raw, paths, strict=True)
            )
        ),
        "via": "download",
        "licence": source.licence,
        "raw": {path.name: recorded_digests(path, ("sha256",))["sha256"] for path in paths},
    }
    return lambda target: conversion.convert(paths, target, progress), facts


def _source(name: str) -> Source:
    sources = known_sources()
    if name not in sources:
        raise InputError(
            f"{name}: no official source to download; found no mirror, expected one or {', '.join(sources)}"
        )
    return sources[name]


def _chosen(source: Source, cache: Path) -> Conversion:
    """Return the way to make a file whose official files are all in the cache, or else the preferred one."""
    for conversion in source.conversions:
        if all((cache / raw.name).exists() for raw in conversion.raw):
            return conversion
    return source.conversions[0]


def _fetched(source: Source, cache: Path, progress: Progress) -> tuple[Conversion, list[Path]]:
    """Return the way to make a file, and the paths of its official files, downloaded where they are not in the cache.

    Where the official files of one way cannot be had, the next way is tried.
    """
    chosen = _chosen(source, cache)
    ways = [chosen, *(other for other in source.conversions if other is not chosen)]
    problems = []
    for conversion in ways:
        try:
            return conversion, [fetch(raw, cache, progress) for raw in conversion.raw]
        except UnavailableError as error:
            problems.append(error)
    raise problems[0]
