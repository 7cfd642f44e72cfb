"""Files that are there whole or not at all, their checksums, and how large they may become."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from epsinas.errors import InputError, one_line

_unfinished: set[Path] = set()
"""Temporary files that are being written."""


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

    Missing folders are made. A file that is there hands on its mode, and where that is allowed its owner; a symbolic
    link stays, and what it points to is replaced. Raises `InputError` where writing fails, for instance on a full disk,
    or would replace what is no file or may not be written.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: cannot be written: not a file")  # os.replace would replace a device
    if path.exists() and not os.access(path, os.W_OK):
        raise InputError(f"{path}: cannot be written: read-only")  # which os.replace does not mind
    temporary: Path | None = None
    try:
        target = Path(os.path.realpath(path))
        if target.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))  # which os.replace does not mind either
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        _unfinished.add(temporary)
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if target.exists():
            _take_after(target, temporary)
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or one_line(error)}") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            _unfinished.discard(temporary)


def _take_after(old: Path, new: Path) -> None:
    """Give a file the owner, as far as that is allowed, and the mode of another."""
    found = old.stat()
    with suppress(OSError, AttributeError):
        os.chown(new, found.st_uid, found.st_gid)
    new.chmod(stat.S_IMODE(found.st_mode))


def discard_unfinished() -> None:
    """Remove the temporary files of this process, which is about to end without leaving the blocks of `atomic`."""
    for temporary in list(_unfinished):
        with suppress(OSError):
            temporary.unlink()


def existing(path: str | Path) -> Path:
    """Return the path of a file that must be there.

    Raises `InputError` where it is not.
    """
    path = Path(path)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise InputError(f"{path}: found {found}, expected a file")
    return path
