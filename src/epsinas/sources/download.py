"""Official files in the cache, downloaded with retries and resume, and compared with their checksums."""

import errno
import hashlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from epsinas.errors import InputError, one_line
from epsinas.sources.base import RawFile
from epsinas.sources.checksums import delete_with_record, move_with_record, recorded_digests
from epsinas.sources.conversion import locked, not_followed
from epsinas.sources.progress import Progress, silent

if TYPE_CHECKING:
    import requests

RETRY_WAITS = (1.0, 4.0, 16.0)
"""Seconds before the second, third and fourth attempt."""
TIMEOUT = 60.0
"""Seconds without an answer, or in which hardly anything of it comes."""

SLOWEST = 1 << 14
"""Bytes that come in this time at least."""

CHUNK = 1 << 16
"""Bytes; a connection that breaks loses no more than this."""

LARGEST = 1 << 30
"""Bytes of the largest file that is taken where its size is not known; those of NAS-Bench-NLP have some 30 million."""

ABOUT = 0.05
"""By what part of it a size may be wrong; some are published to two digits."""

_NO_GDOWN = "gdown is not installed; expected `pip install epsinas[workflow]`"


class UnavailableError(InputError):
    """No address gives an official file; it may be made of others."""


class _Refused(Exception):
    """An address does not give the file; another one may."""


def fetch(raw: RawFile, cache: str | Path, progress: Progress = silent) -> Path:
    """Return the path of an official file in the cache, downloading it unless it is there already.

    An interrupted download goes on where it stopped, in this run or in the next. Processes that want the same file
    wait for each other. A file that is in the cache already is never deleted or replaced, whatever its checksum.

    Args:
        raw: the file.
        cache: folder of the official files; it is made where it is missing.
        progress: where to tell how far a download is.

    Raises:
        UnavailableError: no address gives the file with the right checksum.
        InputError: the disk is too small, or the file in the cache has another checksum.
    """
    cache = Path(cache)
    path = cache / raw.name
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / f".{raw.name}.lock"):
            if not path.exists():
                _download(raw, path, progress)
            elif wrong := _what_is_wrong(raw, path):
                raise InputError(
                    f"{path}: {wrong}; put the right file in its place, or remove it to have it downloaded"
                )
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or one_line(error)}") from error
    return path


def _download(raw: RawFile, path: Path, progress: Progress) -> None:
    """Download an official file to `path`, which it reaches only with the right checksum."""
    reasons = []
    for number, address in enumerate(raw.addresses):
        # Files of one name from two addresses may differ where no checksum is known: each has a part of its own.
        partial = path.with_name(f"{path.name}.part{number or ''}")
        if partial.is_symlink():
            partial.unlink()  # not made here, and what it leads to is not written over
        _require_room(raw, partial)
        send = _download_drive if "drive.google.com/" in address else _download_http
        try:
            send(raw, address, partial, progress)
            if wrong := _what_is_wrong(raw, partial):
                delete_with_record(partial)
                raise _Refused(f"in what it sent {wrong}")
        except _Refused as error:
            reasons.append(f"{address}: {error}")
            continue
        move_with_record(partial, path, address)
        return
    raise UnavailableError(
        f"{raw.name}: cannot be downloaded from {'; '.join(reasons)}; "
        f"name a mirror, or put the file into {path.parent} by hand"
    )


def _what_is_wrong(raw: RawFile, path: Path) -> str | None:
    """Say how a file differs from the official one; None where nothing is known to.

    Where no whole checksum is published, which is the case where 24 bits of one are, its size and its kind count, too.
    """
    whole = len(raw.checksum) == 2 * hashlib.new(raw.algorithm).digest_size
    if raw.checksum:
        found = recorded_digests(path, (raw.algorithm, "sha256"))[raw.algorithm]
        if not found.endswith(raw.checksum):
            expected = raw.checksum if whole else f"one that ends in {raw.checksum}"
            return f"found {raw.algorithm} {found}, expected {expected}"
    if whole:
        return None
    size = path.stat().st_size
    if raw.size and abs(size - raw.size) > ABOUT * raw.size:
        return f"found {size} bytes, expected about {raw.size}"
    return _other_kind(path, PurePath(raw.name).suffix)


def _other_kind(path: Path, suffix: str) -> str | None:
    """Say what a file is that is not what its name says; None where it may be."""
    with open(path, "rb") as file:
        head = file.read(512)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:9].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "found a web page, expected a file"
    begins = {
        ".zip": head.startswith(b"PK"),
        ".tar": head[257:262] == b"ustar",
        ".pth": head[:2] in (b"PK", b"\x80\x02"),
    }
    return None if begins.get(suffix, True) else f"found a file of another kind, expected {suffix}"


def _most(raw: RawFile) -> int:
    """Return how many bytes an address may send."""
    return int((1 + ABOUT) * raw.size) if raw.size else LARGEST


def _require_size(raw: RawFile, size: int) -> None:
    """Refuse an address that sends more than the file has, perhaps without end."""
    if size > _most(raw):
        raise _Refused(f"found more than {_most(raw)} bytes in what it sent, expected {raw.size or 'fewer'}")


def _require_room(raw: RawFile, partial: Path) -> None:
    there = partial.stat().st_size if partial.exists() else 0
    free = shutil.disk_usage(partial.parent).free
    if raw.size and free < raw.size - there:
        raise InputError(
            f"{raw.name}: found {free / 1e9:.1f} GB free in {partial.parent}, "
            f"expected at least {(raw.size - there) / 1e9:.1f} GB for the download"
        )


def _download_http(raw: RawFile, address: str, partial: Path, progress: Progress) -> None:
    """Complete `partial` from an http(s) address, trying again where the network fails."""
    import requests

    for wait in (*RETRY_WAITS, None):
        try:
            return _continue_http(raw, address, partial, progress)
        except requests.RequestException as error:
            if wait is None or not _may_pass(error):
                raise _Refused(_reason(error)) from error
            time.sleep(wait)
        except ValueError as error:  # such as an address that is none, to which the server directs
            raise _Refused(one_line(error)) from error


def _continue_http(raw: RawFile, address: str, partial: Path, progress: Progress) -> None:
    """Append to `partial` what is missing from it, or write it anew if the server cannot continue."""
    import requests

    start = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"}  # a compressed answer has other positions
    if start:
        headers["Range"] = f"bytes={start}-"
    with requests.get(address, headers=headers, stream=True, timeout=TIMEOUT) as response:
        continued = response.status_code == requests.codes.partial_content
        another = continued and not (start and response.headers.get("Content-Range", "").startswith(f"bytes {start}-"))
        if another or (start and response.status_code == requests.codes.requested_range_not_satisfiable):
            partial.unlink(missing_ok=True)  # perhaps it is as long as the file, or longer: start anew the next time
            raise requests.exceptions.ChunkedEncodingError("the server could not continue the download")
        response.raise_for_status()
        start = start if continued else 0
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else raw.size
        _require_size(raw, total or 0)
        with (
            open(partial, "ab" if continued else "wb", opener=not_followed) as file,
            progress(raw.name, total) as advance,
        ):
            advance(start)
            for chunk in _chunks(response):
                start += len(chunk)
                _require_size(raw, start)
                file.write(chunk)
                advance(len(chunk))


def _chunks(response: "requests.Response") -> Iterator[bytes]:
    """Yield what comes, as it comes, for as long as enough of it does."""
    import requests
    from urllib3.exceptions import HTTPError

    began, received = time.monotonic(), 0
    try:
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            yield chunk
            received += len(chunk)
            if time.monotonic() - began > TIMEOUT:
                if received < SLOWEST:
                    raise requests.ReadTimeout(f"the server sent {received} bytes in {TIMEOUT:g} seconds")
                began, received = time.monotonic(), 0
    except HTTPError as error:
        raise requests.ConnectionError(error) from error


def _may_pass(error: "requests.RequestException") -> bool:
    """Say whether trying again may help: not where the server understood and refused."""
    if error.response is None:
        return True
    return error.response.status_code >= 500 or error.response.status_code == 429  # too many requests


def _download_drive(raw: RawFile, address: str, partial: Path, progress: Progress) -> None:
    """Complete `partial` from Google Drive, where large files need more than a request."""
    try:
        import gdown
    except ImportError as error:
        raise _Refused(_NO_GDOWN) from error
    identifier = address.rpartition("=")[2]
    done = 0
    try:
        if "/folders/" in address:
            identifier = _find_in_folder(gdown, raw, address)
        with progress(raw.name, raw.size) as advance:

            def tell(so_far: int, _: int | None) -> None:
                nonlocal done
                _require_size(raw, so_far)
                advance(so_far - done)
                done = so_far

            gdown.download(id=identifier, output=str(partial), quiet=True, resume=True, progress=tell, timeout=TIMEOUT)
    except _Refused:
        raise
    except Exception as error:  # gdown's own errors share no base class over its versions
        if _is_of_this_machine(error):
            raise
        raise _Refused(_reason(error)) from error
    if not partial.is_file():
        raise _Refused("Google Drive sent no file")


def _is_of_this_machine(error: Exception) -> bool:
    """Say whether an error is of the disk rather than of the network; requests' errors are OSErrors too."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT)


def _find_in_folder(gdown: Any, raw: RawFile, address: str) -> str:
    """Return the identifier of the file of this name in a Google Drive folder."""
    files = gdown.download_folder(url=address, skip_download=True, quiet=True, timeout=TIMEOUT) or []
    for file in files:
        if PurePath(file.path).name == raw.name:
            return file.id
    found = ", ".join(file.path for file in files) or "no files"
    raise _Refused(f"not in this folder; found {found}")


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    return f"{response.status_code} {response.reason}" if response is not None else one_line(error)
