"""Read TFRecord files without TensorFlow.

A record is its length (uint64), a checksum of these eight bytes (uint32), the content, and a checksum of the content
(uint32), all little-endian. The checksum is CRC-32C (Castagnoli, RFC 3720), rotated and shifted by a constant.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from epsinas.compilation import compiled
from epsinas.errors import InputError

LONGEST = 1 << 24
"""Bytes of the longest record that is read."""

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
FRAME = _HEADER.size + _FOOTER.size
"""Bytes of a record beside its content."""
_MASK = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78
"""CRC-32C's, its lowest power in the highest bit."""


def _table() -> np.ndarray:
    """Return the checksum's change for each value of a byte."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    return table


_TABLE = _table()


@compiled()
def _crc32c(content: np.ndarray, table: np.ndarray) -> np.uint32:
    state = np.uint32(0xFFFFFFFF)
    for byte in content:
        state = table[(state ^ byte) & np.uint32(0xFF)] ^ (state >> np.uint32(8))
    return state ^ np.uint32(0xFFFFFFFF)


def crc32c(content: bytes) -> int:
    """Return the CRC-32C of `content`, 0 to 2**32 - 1."""
    return int(_crc32c(np.frombuffer(content, np.uint8), _TABLE))


def masked_crc32c(content: bytes) -> int:
    """Return the checksum that a TFRecord file has for `content`."""
    crc = crc32c(content)
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def records(path: str | Path) -> Iterator[bytes]:
    """Yield the contents of a TFRecord file's records, one at a time.

    Raises:
        InputError: the file cannot be read, ends within a record, or a checksum differs; the message names the
            record, counted from 0, and its first byte.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            number = 0
            while (start := file.tell(), header := file.read(_HEADER.size))[1]:
                yield _record(file, header, f"{path.name}: record {number} at byte {start}")
                number += 1
    except OSError as error:
        raise InputError(f"{path.name}: cannot be read: {error.strerror or error}") from error


def _record(file: BinaryIO, header: bytes, where: str) -> bytes:
    """Read the rest of the record that begins with `header`."""
    if len(header) < _HEADER.size:
        raise InputError(f"{where}: the file ends after {len(header)} bytes, expected {_HEADER.size} of the length")
    length, checksum = _HEADER.unpack(header)
    if masked_crc32c(header[:8]) != checksum:
        raise InputError(f"{where}: the checksum of its length differs; the file is damaged or not a TFRecord file")
    if length > LONGEST:
        raise InputError(f"{where}: found a length of {length} bytes, expected at most {LONGEST}")
    content = file.read(length)
    footer = file.read(_FOOTER.size)
    if len(content) < length or len(footer) < _FOOTER.size:
        found = len(content) + len(footer)
        raise InputError(f"{where}: the file ends after {found} bytes, expected {length + _FOOTER.size}")
    if masked_crc32c(content) != _FOOTER.unpack(footer)[0]:
        raise InputError(f"{where}: the checksum of its content differs, the file is damaged")
    return content
