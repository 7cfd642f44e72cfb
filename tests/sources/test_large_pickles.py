import io
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from epsinas.errors import InputError
from epsinas.sources import large_pickles
from epsinas.sources.large_pickles import read_entries
from tests.refusals import refusal

SHARED = "a text that many entries have"
DTYPE = np.dtype("f4")


def entry(index: int) -> dict:
    """An entry with curves, scalars, texts of its own and texts that others have."""
    keys = [f"x-valid@{epoch}" for epoch in range(200)]
    return {
        "own": f"text {index}",
        "shared": SHARED,
        "accuracies": {key: index + place / 100 for place, key in enumerate(keys)},
        "losses": {key: place / 100 for place, key in enumerate(keys)},
        "times": OrderedDict((epoch, 0.5) for epoch in range(20)),
        "results": {("set", 777): [np.float64(0.25), DTYPE.type(index)], ("set", 888): None},
        "others": (True, False, -1, 70_000, 2**40, b"bytes", [], {}, ()),
    }


def without_curves(item: object) -> object:
    """What is left of an entry: no floats under epochs from 12 on, or under `NAME@EPOCH` but for 11 and 199."""
    if not isinstance(item, dict):
        return item

    def is_left_out(key: object, value: object) -> bool:
        name, _, epoch = str(key).rpartition("@")
        curve = name and int(epoch) not in (11, 199) if isinstance(key, str) else isinstance(key, int) and key >= 12
        return bool(curve) and type(value) is float

    return type(item)((key, without_curves(value)) for key, value in item.items() if not is_left_out(key, value))


def save(contents: object, path: Path, zipped: bool = False) -> Path:
    torch.save(contents, path, _use_new_zipfile_serialization=zipped)
    return path


def read(path: Path) -> tuple[dict, dict]:
    entries: dict = {}
    rest = read_entries(path, "entries", entries.__setitem__)
    return entries, rest


@pytest.mark.parametrize("count", [1, 2, 999, 1000, 1001, 2001])
def test_entries_of_every_number_of_batches_come_back(tmp_path, count):
    contents = {"before": ["a", "b"], "entries": {index: entry(index % 7) for index in range(count)}, "after": {1, 2}}
    entries, rest = read(save(contents, tmp_path / "file"))
    assert entries == {index: without_curves(value) for index, value in contents["entries"].items()}
    assert rest == contents | {"entries": {}}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("kind", [dict, OrderedDict])
@pytest.mark.parametrize("order", [("entries", "names"), ("names", "entries"), ("entries",)])
def test_the_order_and_kind_of_dictionaries_do_not_matter(tmp_path, zipped, kind, order):
    parts = {"names": [SHARED, "text 0", "text 1"], "entries": kind({0: entry(0), 1: entry(1)})}
    contents = {key: parts[key] for key in order}
    entries, rest = read(save(contents, tmp_path / "file", zipped))
    assert entries == {index: without_curves(entry(index)) for index in range(2)}
    assert rest == contents | {"entries": {}}


@pytest.mark.parametrize("block", [1, 7, 100, 5000])
def test_blocks_may_end_anywhere(tmp_path, monkeypatch, block):
    monkeypatch.setattr(large_pickles, "BLOCK", block)
    contents = {"entries": {index: {"a": [index, 0.5, f"text {index}"]} for index in range(5)}, "after": "end"}
    entries, rest = read(save(contents, tmp_path / "file"))
    assert (entries, rest) == (contents["entries"], {"entries": {}, "after": "end"})


def test_what_an_earlier_entry_has_is_found_there(tmp_path):
    common = {"x-valid@5": 1.0, "list": [1, 2, {"deep": np.float64(3)}]}
    names = ["first name", "second name"]
    contents = {"names": names, "entries": {i: {"common": common, "name": names[i % 2]} for i in range(50)}}
    contents["again"] = [common, names[1]]
    entries, rest = read(save(contents, tmp_path / "file"))
    whole = {"common": common, "name": "first name"}
    assert entries[0] == without_curves(whole)
    assert entries[40] == whole, "what another entry refers to is read whole"
    assert rest["again"] == [common, "second name"]


@pytest.mark.parametrize(
    "value", [[12, 0.5, 13, 0.5], (12, 0.5), ("x@3", 0.5), {"list": [100, 0.5]}, {12: {13: "text"}}, {0.5: 0.25}]
)
def test_nothing_but_curves_is_left_out(tmp_path, value):
    contents = {"entries": {0: {"value": value}, 1: {"value": value}}}
    assert read(save(contents, tmp_path / "file"))[0] == contents["entries"]


def test_a_key_that_is_left_out_may_stand_elsewhere(tmp_path):
    key = "".join(["x", "@", "5"])
    value = {"curve": {key: 0.5}, "keys": [key]}
    assert read(save({"entries": {0: value}}, tmp_path / "file"))[0] == {0: value}


@pytest.mark.parametrize(
    "contents", [[1, 2], {"other": 1}, "text", {"entries": []}, {"entries": {}}, {"key": "entries"}]
)
def test_a_file_without_entries_is_returned_whole(tmp_path, contents):
    assert read(save(contents, tmp_path / "file")) == ({}, contents)


def test_every_truncation_is_one_line(tmp_path):
    path = save({"names": ["a"], "entries": {0: entry(0), 1: entry(1)}, "after": 1}, tmp_path / "file")
    content = path.read_bytes()
    end = content.rindex(b"after")
    for length in range(0, end, 61):
        path.write_bytes(content[:length])
        assert refusal(read, path).startswith("file: not a readable file of torch.save: ")


def test_changed_bytes_harm_nobody(tmp_path):
    path = save(
        {"names": ["a"], "entries": {0: {"a": [1, SHARED]}, 1: {"a": [2, SHARED]}}, "after": 1}, tmp_path / "file"
    )
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(1500):
        changed = bytearray(content)
        changed[rng.integers(len(content))] = rng.integers(256)
        path.write_bytes(changed)
        with suppress(InputError):
            read(path)
            continue
        refused += 1
    assert refused > 500


def frame(entries: bytes) -> bytes:
    """A file of `torch.save` with these opcodes as its entries."""
    head = b"".join(pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {}))
    return head + b"\x80\x02}q\x00(X\x07\x00\x00\x00entriesq\x01}q\x02(" + entries + b"u."


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (b"K\x00cos\nsystem\nq\x03X\x01\x00\x00\x00aq\x04\x85q\x05Rq\x06u", "refused to load os.system; "),
        (b"K\x00K\x01q\x09u", "a number in the memo that is out of order"),
        (b"K\x00h\x09u", "a number in the memo that is out of order"),
        (b"K\x00Pidentifier\nu", "an opcode that the format does not need"),
        (b"K\x00J\x05\x00\x00\x00Qu", "an opcode that the format does not need"),
        (b"K\x00\x93u", "an opcode that the format does not need"),
        (b"K\x00" + 300 * b"(" + 300 * b"t", "opcodes that fit no dictionary"),
        (b"K\x00tu", "opcodes that fit no dictionary"),
        (b"K\x00RRRu", "opcodes that fit no dictionary"),
        (b"K\x00" + 40 * b"](", "an opcode that the format does not need"),
        (b"K\x00X\xff\xff\xff\x7fabcu", "the file ends within an entry of entries"),
    ],
)
def test_malicious_entries_are_refused(tmp_path, monkeypatch, entries, message):
    monkeypatch.setattr("os.system", lambda *_: pytest.fail("was called"))
    path = tmp_path / "file"
    path.write_bytes(frame(entries))
    assert message in refusal(read, path)


def test_entries_that_are_read_again_and_again_are_refused(tmp_path):
    """More entries than are kept, of which a last one takes one item after the other: days, for a file of 10 MB."""
    entries, memo = b"", 3
    for index in range(10):
        items = b"".join(b"]r" + struct.pack("<I", memo + place) for place in range(300))
        entries += b"K%c(" % index + items + b"X\x00\x00\x10\x00" + bytes(1 << 20) + b"t"
        memo += 300
    numbers = np.arange(3, memo).reshape(10, 300).T.ravel().tolist()
    entries += b"K\x0a(" + b"".join(b"j" + struct.pack("<I", number) for number in numbers) + b"t"
    path = tmp_path / "file"
    path.write_bytes(frame(entries + b"u"))
    assert refusal(read, path) == "file: found content that is used over and over, expected each once"


def test_an_entry_that_never_ends_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(large_pickles, "BLOCK", 1000)
    monkeypatch.setattr(large_pickles, "LARGEST", 10_000)
    path = tmp_path / "file"
    path.write_bytes(frame(b"K\x00](" + 1_000_000 * b"N" + b"e"))
    assert "more than 10000 bytes within an entry of entries" in refusal(read, path)


def test_a_large_file_of_another_kind_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(large_pickles, "LONGEST_FRAME", 1000)
    path = save({"names": list(range(2000)), "entries": {0: 1}}, tmp_path / "file")
    assert refusal(read, path) == "file: found no entries in its first 1000 opcodes"


def test_a_compressed_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "file", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, protocol=2))
    assert "found no data.pkl that is not compressed" in refusal(read, tmp_path / "file")


def test_memory_that_ends_is_told_apart_from_a_damaged_file(tmp_path, monkeypatch):
    def full(*_):
        raise MemoryError

    path = save({"entries": {0: entry(0)}}, tmp_path / "file")
    monkeypatch.setattr(large_pickles, "_cut", full)
    assert refusal(read, path).startswith("file: the machine's memory ended while it was read; ")


def test_a_missing_file_is_named(tmp_path):
    assert refusal(read, tmp_path / "absent") == "absent: cannot be read: No such file or directory"


def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(large_pickles, "BLOCK", 100_000)
    peaks = []
    for count in (20, 400):
        path = save({"entries": {index: entry(index) for index in range(count)}}, tmp_path / "file")
        read_entries(path, "entries", lambda index, value: None)  # compiles
        tracemalloc.start()
        read_entries(path, "entries", lambda index, value: None)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert path.stat().st_size > 3e6
    assert peaks[1] < peaks[0] + 3e5


def test_the_stream_is_not_read_beyond_its_end(tmp_path):
    file = io.BytesIO()
    torch.save({"entries": {0: {}}}, file, _use_new_zipfile_serialization=False)
    path = tmp_path / "file"
    path.write_bytes(file.getvalue() + b"rubbish")
    assert read(path) == ({0: {}}, {"entries": {}})
