"""Checksums of the official files in the cache: computed once, then read from a record beside the file."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from epsinas.files.whole import atomic, existing

BLOCK = 1 << 22
"""Bytes that are read at a time."""


def recorded_digests(path: str | Path, algorithms: tuple[str, ...]) -> dict[str, str]:
    """Return a file's checksums, read from the record beside it where the file has not changed since.

    The record `.{name}.checksums.json` has the file's size and time of change, to the nanosecond, and what was computed
    then. A folder that cannot be written to has no records, and its files are read each time.

    Args:
        path: of the file.
        algorithms: as `hashlib` calls them; those that are missing from the record are computed in one reading.

    Returns:
        Hexadecimal digests by algorithm.
    """
    path = existing(path)
    record_path = _record(path)
    state = path.stat()
    identity = {"bytes": state.st_size, "mtime_ns": state.st_mtime_ns}
    known = _read(record_path)
    if {name: known.get(name) for name in identity} != identity:
        known = {}
    missing = tuple(name for name in algorithms if not isinstance(known.get(name), str))
    if missing:
        known = {**known, **identity, **_compute(path, missing)}
        with suppress(OSError, ValueError), atomic(record_path) as temporary:
            temporary.write_text(json.dumps(known, indent=1) + "\n")
    return {name: str(known[name]) for name in algorithms}


def move_with_record(path: Path, target: Path, address: str) -> None:
    """Give a downloaded file another name, and its record too, to which its address is added."""
    recorded_digests(path, ("sha256",))
    os.replace(path, target)
    with suppress(OSError, ValueError):
        known = _read(_record(path)) | {"address": address}
        with atomic(_record(target)) as temporary:
            temporary.write_text(json.dumps(known, indent=1) + "\n")
        _record(path).unlink()


def recorded_address(path: Path) -> str | None:
    """Return where a file was downloaded from, None where it was put there by hand."""
    known = _read(_record(path))
    found = known.get("address")
    return found if isinstance(found, str) and known.get("mtime_ns") == path.stat().st_mtime_ns else None


def delete_with_record(path: Path) -> None:
    """Delete a file and its record."""
    path.unlink()
    _record(path).unlink(missing_ok=True)


def _record(path: Path) -> Path:
    return path.with_name(f".{path.name}.checksums.json")


def _read(record_path: Path) -> dict[str, object]:
    try:
        known = json.loads(record_path.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _compute(path: Path, algorithms: tuple[str, ...]) -> dict[str, str]:
    states = {name: hashlib.new(name) for name in algorithms}
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            for state in states.values():
                state.update(block)
    return {name: state.hexdigest() for name, state in states.items()}
