import struct
from pathlib import Path

import pytest

from epsinas.sources.tfrecords import LONGEST, crc32c, masked_crc32c, records
from tests.refusals import refusal

CONTENTS = [b"first", b"", bytes(range(256)) * 5]


def record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    checks = [struct.pack("<I", masked_crc32c(part)) for part in (length, content)]
    return length + checks[0] + content + checks[1]


def write_records(path: Path, contents: list[bytes]) -> Path:
    path.write_bytes(b"".join(map(record, contents)))
    return path


def read(path: Path) -> list:
    return list(records(path))


@pytest.mark.parametrize(
    ("content", "checksum"),
    [
        # RFC 3720, B.4, and the check value of the catalogue of parametrised CRC algorithms.
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_crc32c_of_known_contents(content, checksum):
    assert crc32c(content) == checksum


def test_masked_checksum_of_a_length_in_tensorflows_files():
    # TensorBoard's files begin with a record of 24 bytes.
    assert struct.pack("<QI", 24, masked_crc32c(struct.pack("<Q", 24))) == bytes.fromhex("1800000000000000a37f4b22")


def test_records_by_hand(tmp_path):
    assert list(records(write_records(tmp_path / "file", CONTENTS))) == CONTENTS
    assert list(records(write_records(tmp_path / "empty", []))) == []


def test_records_are_read_one_at_a_time(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(record(b"first") + b"rubbish")
    assert next(records(path)) == b"first"


def test_every_truncation_is_found(tmp_path):
    whole = record(b"first") + record(b"second")
    boundaries = {0, len(record(b"first")), len(whole)}
    path = tmp_path / "part"
    for end in set(range(len(whole))) - boundaries:
        path.write_bytes(whole[:end])
        number, start = (0, 0) if end < len(record(b"first")) else (1, len(record(b"first")))
        assert refusal(read, path).startswith(f"part: record {number} at byte {start}: the file ends after ")


def test_every_changed_bit_is_found(tmp_path):
    whole = record(b"content")
    path = tmp_path / "changed"
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        what = "length" if bit < 8 * 12 else "content"
        assert refusal(read, path).startswith(f"changed: record 0 at byte 0: the checksum of its {what} differs")


def test_a_record_of_unlikely_length_is_not_read(tmp_path):
    length = struct.pack("<Q", LONGEST + 1)
    path = tmp_path / "long"
    path.write_bytes(length + struct.pack("<I", masked_crc32c(length)) + b"content")
    message = "long: record 0 at byte 0: found a length of 16777217 bytes, expected at most 16777216"
    assert refusal(read, path) == message


def test_a_missing_file_is_named(tmp_path):
    assert refusal(read, tmp_path / "absent") == "absent: cannot be read: No such file or directory"
