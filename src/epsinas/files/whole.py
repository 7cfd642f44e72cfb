"""Files that are there whole or not at all, their checksums, and how large they may become."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from epsinas.errors import InputError, one_line


UNPACKED = 1 << 28
"""Bytes that any file may unpack to."""

UNPACKED_RATIO = 100
"""Times its own size that a larger file may unpack to; the most compressible of the pipeline's tables take 30."""


def check_unpacked(path: str | Path, unpacked: int, packed: int) -> None:
    """Check how large the content of a compressed file becomes, before memory is taken.

    Args:
        path: of the file, for the message.
        unpacked: bytes of its content.
        packed: bytes of the file.

    Raises:
        InputError: it is out of all proportion.
    """
    most = max(UNPACKED, UNPACKED_RATIO * packed)
    if unpacked > most:
        raise InputError(f"{path}: found {packed} bytes that unpack to {unpacked}, expected at most {most}")


def sha256(path: str | Path) -> str:
    """Return a file's SHA-256, in hexadecimal digits."""
    return digest(path, "sha256")


def digest(path: str | Path, algorithm: str) -> str:
    """Return a file's checksum by any algorithm that `hashlib` knows, in hexadecimal digits."""
    with open(existing(path), "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to `path` when the block ends without an error.

    Missing folders are made. Raises `InputError` where writing fails, for instance on a full disk.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: cannot be written: not a file")  # os.replace would replace a device
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or one_line(error)}") from error
    finally:
        with suppress(NotADirectoryError):
            temporary.unlink(missing_ok=True)


def existing(path: str | Path) -> Path:
    """Return the path of a file that must be there.

    Raises `InputError` where it is not.
    """
    path = Path(path)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise InputError(f"{path}: found {found}, expected a file")
    return path
