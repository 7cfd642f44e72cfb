"""Read one large pickle of a dictionary of dictionaries in bounded memory, one inner entry at a time.

NAS-Bench-201's official file is such a pickle: 4.7 GiB in PyTorch's format of before 2020, with one memo over all
networks. An ordinary unpickler builds everything at once, which takes about 27 GB. Here compiled code goes over the
opcodes of one network after the other and writes a small pickle for each, which a restricted unpickler reads:

- Curves are left out: pairs of a key and a float, where the key is an epoch from 12 on, or `NAME@EPOCH` with an epoch
  other than the last of a training (11 or 199).
- The memo is numbered anew for each network; what stands in the memo of an earlier one becomes a persistent identifier,
  and is read from there when it is asked for.
"""

import os
import pickle
import pickletools
import struct
import zipfile
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np

from epsinas.compilation import compiled
from epsinas.errors import InputError, one_line
from epsinas.sources.opcodes import LARGEST_KEY, REFUSED, argument_end, unsigned, widths
from epsinas.sources.pickles import Allowance, RestrictedUnpickler, out_of_memory
from epsinas.sources.progress import Progress, silent

BLOCK = 1 << 24
"""Bytes that are read at a time."""

LARGEST = 1 << 26
"""Bytes of the largest entry that is read; a network of NAS-Bench-201 has 100,000 to 500,000."""

LONGEST_FRAME = 4_000_000
"""Opcodes before and after the entries; NAS-Bench-201's file has 50,000."""

FIRST_LEFT_OUT = 12
"""Epochs from which on curves are left out: the shorter of the two trainings has 12."""

_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
"""What a file of `torch.save` begins with, in the format of before 2020."""

_HEAD = 1 << 16
"""Bytes in which PyTorch's old format says what it is."""

_ADMITTED = (
    *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES"),
    *("EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_LIST", "APPEND", "APPENDS", "MARK"),
    *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "GLOBAL", "REDUCE", "BUILD", "NEWOBJ"),
    *("BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
)
"""What protocol 2 needs for dictionaries, lists, tuples, text, numbers and NumPy's scalars."""

_WIDTHS = widths(_ADMITTED)
_EFFECTS = np.zeros(256, dtype=np.int8)
"""By how many items an opcode lets the stack grow, for those that need no mark."""
for _opcode in pickletools.opcodes:
    if _opcode.name in _ADMITTED:
        _EFFECTS[ord(_opcode.code)] = len(_opcode.stack_after) - len(_opcode.stack_before)

# The opcodes that are looked at, as numbers, which compiled code compares.
_MARK, _STOP, _PROTOCOL, _PERSISTENT = b"".join((pickle.MARK, pickle.STOP, pickle.PROTO, pickle.BINPERSID))
_SETITEM, _SETITEMS, _APPENDS = b"".join((pickle.SETITEM, pickle.SETITEMS, pickle.APPENDS))
_TUPLE, _TUPLE2 = b"".join((pickle.TUPLE, pickle.TUPLE2))
_INT1, _INT2, _INT4 = b"".join((pickle.BININT1, pickle.BININT2, pickle.BININT))
_FLOAT, _TEXT = b"".join((pickle.BINFLOAT, pickle.BINUNICODE))
_PUT1, _PUT4, _GET1, _GET4 = b"".join((pickle.BINPUT, pickle.LONG_BINPUT, pickle.BINGET, pickle.LONG_BINGET))
_AT, _ZERO, _NINE = b"@09"

_DEEPEST = 256
"""Marks within marks; NAS-Bench-201 has 6."""

_MEMO_LIMIT = 1 << 22
"""Entries of the memo of one network; NAS-Bench-201's have up to 20,000."""

_DONE, _LAST, _MORE, _OPCODE, _MEMO, _SHAPE = range(6)
"""How a cut ends: more entries follow, none follows, the block is too short; or with what is not admitted."""

_PROBLEMS = {
    _OPCODE: "an opcode that the format does not need",
    _MEMO: "a number in the memo that is out of order",
    _SHAPE: "opcodes that fit no dictionary of dictionaries",
}

_PUTS = ("BINPUT", "LONG_BINPUT")


class Cut(NamedTuple):
    """What `_cut` returns.

    Attributes:
        status: how it ended.
        end: position after the entry, and after what stands between it and the next one.
        length: of the small pickle.
        memo: entries of the large pickle's memo up to here.
    """

    status: int
    end: int
    length: int
    memo: int


@compiled(inline="always")
def _write(out, written, opcode, number):  # type: ignore[no-untyped-def]
    """Write an opcode with an argument of four bytes, and return where it ends."""
    out[written] = opcode
    for place in range(4):
        out[written + 1 + place] = (number >> (8 * place)) & 255
    return written + 5


@compiled()
def _is_curve(data, start, end):  # type: ignore[no-untyped-def]
    """Say whether a text is `NAME@EPOCH` with an epoch other than 11 and 199."""
    epoch, place, at = np.int64(0), np.int64(1), end
    while at > start and _ZERO <= data[at - 1] <= _NINE and end - at < 9:
        epoch += (data[at - 1] - _ZERO) * place
        place *= 10
        at -= 1
    return at < end and at > start and data[at - 1] == _AT and epoch != 11 and epoch != 199


@compiled()
def _cut(data, start, first, whole, widths, effects, out, curves):  # type: ignore[no-untyped-def]
    """Write a pickle of the entry that begins at `start`: a tuple of its key and its value.

    Args:
        data: uint8 (N,), a block of the large pickle.
        start: position of the entry's key, an integer.
        first: number of memo entries before.
        whole: leave nothing out.
        widths: `_WIDTHS`.
        effects: `_EFFECTS`.
        out: uint8, at least 3 N + 8: where to write.
        curves: bool, at least `_MEMO_LIMIT`: scratch, which texts in the memo are keys of curves.
    """
    marks = np.zeros(_DEEPEST, dtype=np.int64)  # depth of the stack at each open mark
    shortened = np.zeros(_DEEPEST, dtype=np.bool_)  # whether anything was left out since that mark
    at, depth, level, memo = start, 0, 0, first
    key, key_at, text = False, 0, False  # the last item is a key of a curve; where it was written; it is a text, new
    out[0], out[1], written = _PROTOCOL, 2, 2
    while True:
        if at >= data.size:
            return _MORE, start, 0, first
        opcode = data[at]
        if depth == 2 and level == 0 and opcode in (_INT1, _INT2, _INT4, _SETITEMS, _SETITEM):
            break
        argument, width = at + 1, widths[opcode]
        if width == REFUSED:
            return _OPCODE, at, 0, first
        end = argument_end(data, argument, width)
        if end > data.size:
            return _MORE, start, 0, first

        if opcode in (_PUT1, _PUT4):
            if unsigned(data, argument, width) != memo or memo - first >= _MEMO_LIMIT:
                return _MEMO, at, 0, first
            curves[memo - first] = key and text
            written = _write(out, written, _PUT4, memo - first)
            memo += 1
            at = end
            continue
        text = opcode == _TEXT
        if opcode in (_GET1, _GET4):
            number = unsigned(data, argument, width)
            if number >= memo:
                return _MEMO, at, 0, first
            key, key_at = number >= first and curves[number - first] and not whole, written
            if number >= first:
                written = _write(out, written, _GET4, number - first)
            else:
                written = _write(out, written, _INT4, number)
                out[written] = _PERSISTENT
                written += 1
            depth += 1
            at = end
            continue
        if opcode == _FLOAT and key and level > 0 and (depth - marks[level - 1]) % 2 == 1:
            written, depth, key = key_at, depth - 1, False
            shortened[level - 1] = True
            at = end
            continue

        key, key_at = False, written
        if opcode == _TEXT:
            key = not whole and _is_curve(data, argument + 4, end)
        elif opcode in (_INT1, _INT2, _INT4):
            key = not whole and FIRST_LEFT_OUT <= unsigned(data, argument, width) < 1 << 31
        if opcode == _MARK:
            if level == _DEEPEST:
                return _SHAPE, at, 0, first
            marks[level], shortened[level] = depth, False
            level += 1
        elif opcode in (_SETITEMS, _APPENDS, _TUPLE):
            if level == 0 or (shortened[level - 1] and opcode != _SETITEMS):
                return _SHAPE, at, 0, first
            level -= 1
            depth = marks[level] + (opcode == _TUPLE)
        else:
            depth += effects[opcode]
        if depth < 0 or (level > 0 and depth < marks[level - 1]):
            return _SHAPE, at, 0, first
        for place in range(at, end):  # faster than slices, which are made of a few bytes here
            out[written + place - at] = data[place]
        written += end - at
        at = end
    out[written], out[written + 1] = _TUPLE2, _STOP
    if at + 3 > data.size:
        return _MORE, start, 0, first
    if opcode in (_SETITEMS, _SETITEM):  # the end of a batch, after which there may be another one
        at += 1
        if data[at] == _MARK and data[at + 1] in (_INT1, _INT2, _INT4):
            at += 1
    status = _DONE if data[at] in (_INT1, _INT2, _INT4) else _LAST
    return status, at, written + 2, memo


class _EntryUnpickler(RestrictedUnpickler):
    """An unpickler of one entry; `shared` gives what a number of the large pickle's memo stands for."""

    def __init__(self, content: bytes, shared: Callable[[int], Any], allowance: Allowance):
        super().__init__(content, numbers=_MEMO_LIMIT, allowance=allowance)
        self._shared = shared

    def persistent_load(self, identifier: Any) -> Any:
        if type(identifier) is not int:
            raise pickle.UnpicklingError("found a reference to another file, expected none")
        found = self._shared(identifier)
        # The opcodes were looked over as if this were a text; a tuple takes as long to hash as what it holds.
        if type(found) is tuple and (len(found) > LARGEST_KEY or any(type(one) is tuple for one in found)):
            raise pickle.UnpicklingError("found a reference to a tuple of tuples or of many, expected a key")
        return found


def read_entries(
    path: str | Path, key: str, each: Callable[[Any, Any], None], progress: Progress = silent
) -> dict[str, Any]:
    """Read a file of `torch.save` that holds a dictionary with large parts.

    Args:
        path: of the file, in PyTorch's zip format or the one before.
        key: of the dictionary whose entries are read one at a time; its keys are integers.
        each: called with the key and value of every entry, in the order of the file. Values lack the curves that are
            described above.
        progress: where to tell how many bytes are read.

    Returns:
        The whole dictionary, but with nothing under `key`.

    Raises:
        InputError: the file is damaged, is of another form, or names what is not admitted.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            _go_to_pickle(file, path)
            return _Reader(file, path, key).read(each, progress)
    except OSError as error:
        raise InputError(f"{path.name}: cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise out_of_memory(path.name) from error


def _go_to_pickle(file: BinaryIO, path: Path) -> None:
    """Bring a file of `torch.save` to where its main pickle begins."""
    try:
        if zipfile.is_zipfile(file):
            return _go_to_member(file)
        file.seek(0)
        head, at = file.read(_HEAD), 0
        for number in range(3):
            unpickler = RestrictedUnpickler(head[at:])
            if unpickler.load() != _TORCH_MAGIC and number == 0:
                raise ValueError("its first number is another one")
            at += unpickler.length
        file.seek(at)
        return
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can fail anywhere in the unpickler
        problem = one_line(error)
    raise InputError(f"{path.name}: not a readable file of torch.save: {problem}")


def _go_to_member(file: BinaryIO) -> None:
    """Bring a zip archive of `torch.save`, which is not compressed, to where the pickle in it begins."""
    with zipfile.ZipFile(file) as archive:
        member = next((info for info in archive.infolist() if info.filename.endswith("/data.pkl")), None)
        if member is None or member.compress_type != zipfile.ZIP_STORED:
            raise ValueError("found no data.pkl that is not compressed")
        archive.open(member).close()  # checks the header
    file.seek(member.header_offset + 26)
    lengths = file.read(4)
    file.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), os.SEEK_CUR)


class _Bounded:
    """As much of a file as an entry may have, for `pickletools`, which reads as long a text as is announced."""

    def __init__(self, file: BinaryIO):
        self._file, self._end = file, file.tell() + LARGEST

    def read(self, size: int) -> bytes:
        """Read so many bytes."""
        if self._file.tell() + size > self._end:
            raise ValueError(f"more than {LARGEST} bytes beside the entries")
        return self._file.read(size)

    def readline(self) -> bytes:
        """Read a line, which names a function."""
        return self._file.readline(_HEAD)

    def tell(self) -> int:
        """Return where the file is."""
        return self._file.tell()


class _Reader:
    """One reading of a large pickle, whose file stands where the pickle begins."""

    def __init__(self, file: BinaryIO, path: Path, key: str):
        self._file, self._path, self._key = file, path, key
        self._allowance = Allowance(path.stat().st_size)
        self._read_again = Allowance(path.stat().st_size)  # of which the official file needs a single entry
        self._head = self._closing = b""  # what stands before the first entry, and what closes the batch that it opens
        self._out = np.empty(0, dtype=np.uint8)
        self._starts: list[int] = []  # where each entry begins in the file, and the last one ends
        self._memos: list[int] = []  # entries of the memo before each
        self._curves = np.zeros(_MEMO_LIMIT, dtype=np.bool_)
        self._shared = lru_cache(maxsize=100_000)(self._find)
        self._memo_of_entry = lru_cache(maxsize=8)(self._read_memo)

    def read(self, each: Callable[[Any, Any], None], progress: Progress) -> dict[str, Any]:
        """Read everything; see `read_entries`."""
        begin = self._file.tell()
        memo, marked = self._find_entries()
        self._closing = b"u" if marked else b""
        end = self._file.tell()
        self._head = self._bytes(begin, end)
        if memo is None:
            return self._load(self._head)
        self._memos, self._starts = [memo], [end]
        if self._file.read(1) in (b"K", b"M", b"J"):
            self._file.seek(end)
            with progress(f"reading {self._path.name}", os.fstat(self._file.fileno()).st_size) as advance:
                for entry in self._entries(advance):
                    each(*entry)
            return self._load(self._head + self._closing + self._tail())
        return self._load(self._head + self._tail())

    def _find_entries(self) -> tuple[int | None, bool]:
        """Go to the first entry.

        Returns:
            The number of memo entries before, None where there are no entries up to the end of the pickle; and whether
            they begin with a mark, as all do but an only one.
        """
        memo = 0
        last: deque[tuple[str, Any]] = deque([("", None)] * 4, maxlen=4)
        for opcode, argument, at in self._opcodes():
            if opcode.name in _PUTS:
                memo += 1
                continue
            names = [name for name, _ in last]
            plain = last[-2][1] == self._key and names[-1] == "EMPTY_DICT"
            ordered = last[-4][1] == self._key and names[-2:] == ["EMPTY_TUPLE", "REDUCE"]
            if plain or ordered:
                marked = opcode.name == "MARK"
                self._file.seek(at + marked)
                return memo, marked
            last.append((opcode.name, argument))
        return None, False

    def _bytes(self, start: int, end: int) -> bytes:
        """Return a part of the file, which stands where it stood before."""
        before = self._file.tell()
        self._file.seek(start)
        content = self._file.read(end - start)
        self._file.seek(before)
        return content

    def _opcodes(self) -> Iterator[tuple[Any, Any, int]]:
        """Yield opcode, argument and position from where the file stands, with a limit."""
        try:
            for number, found in enumerate(pickletools.genops(cast(BinaryIO, _Bounded(self._file)))):
                if number == LONGEST_FRAME:
                    raise InputError(f"{self._path.name}: found no {self._key} in its first {number} opcodes")
                yield found  # type: ignore[misc]
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise self._damaged(one_line(error)) from error

    def _entries(self, advance: Callable[[int], object]) -> Iterator[tuple[Any, Any]]:
        """Yield the keys and values of all entries."""
        block = np.empty(0, dtype=np.uint8)
        position, offset, memo = 0, self._starts[0], self._memos[0]
        self._starts, self._memos = [], []
        status = _DONE
        while status != _LAST:
            cut, content = self._cut(block, position, memo)
            if cut.status == _MORE:
                further = self._file.read(BLOCK)
                if not further or block.size - position > LARGEST:
                    found = "the file ends" if not further else f"more than {LARGEST} bytes"
                    raise self._damaged(f"{found} within an entry of {self._key}", offset + position)
                offset += position
                block, position = np.concatenate((block[position:], np.frombuffer(further, dtype=np.uint8))), 0
                continue
            self._starts.append(offset + position)
            self._memos.append(memo)
            yield self._entry(content, block, position, memo)
            advance(cut.end - position)
            position, memo, status = cut.end, cut.memo, cut.status
        self._starts.append(offset + position)
        self._memos.append(memo)

    def _cut(self, block: np.ndarray, position: int, memo: int, whole: bool = False) -> tuple[Cut, bytes]:
        """Return a pickle of the entry that begins at `position` of a block."""
        if self._out.size < 3 * block.size + 8:
            self._out = np.empty(3 * block.size + 8, dtype=np.uint8)
        cut = Cut(*_cut(block, position, memo, whole, _WIDTHS, _EFFECTS, self._out, self._curves))
        if cut.status == _SHAPE and not whole:
            return self._cut(block, position, memo, whole=True)
        if cut.status in _PROBLEMS:
            where = self._starts[-1] if self._starts else 0
            opcode = block[cut.end]
            raise self._damaged(f"{_PROBLEMS[cut.status]} (opcode {opcode} in or after the entry at byte {where})")
        return cut, self._out[: cut.length].tobytes()

    def _entry(self, content: bytes, block: np.ndarray, position: int, memo: int) -> tuple[Any, Any]:
        try:
            return _EntryUnpickler(content, self._shared, self._allowance).load()
        except MemoryError:
            raise
        except Exception:  # perhaps for something that was left out
            return self._load(self._cut(block, position, memo, whole=True)[1])

    def _find(self, number: int) -> Any:
        """Return what stands in the large pickle's memo under a number."""
        entry = bisect_right(self._memos, number) - 1
        found = self._memo_of_entry(entry)
        own = number - (self._memos[entry] if entry >= 0 else 0)
        if own not in found:
            raise pickle.UnpicklingError(f"found a reference to number {number} of the memo, which nothing has")
        return found[own]

    def _read_memo(self, entry: int) -> dict[int, Any]:
        """Return the memo of an entry, read again and whole, or of what stands before the entries where it is -1."""
        if entry < 0:
            content = self._head + self._closing + b"."
        else:
            start = self._starts[entry]
            # The entry that is being read now has no end yet, and may refer to itself through a copy of its own.
            end = self._starts[entry + 1] if entry + 1 < len(self._starts) else start + LARGEST
            block = np.frombuffer(self._bytes(start, end + 8), dtype=np.uint8)
            content = self._cut(block, 0, self._memos[entry], whole=True)[1]
        self._read_again.take(len(content))
        unpickler = _EntryUnpickler(content, self._shared, self._allowance)
        unpickler.load()
        return unpickler.memo.copy()

    def _tail(self) -> bytes:
        """Return what stands after the entries, its memo numbered after that of what stands before them."""
        start, before, after = self._starts[-1], self._memos[0], self._memos[-1]
        self._file.seek(start)
        opcodes = list(self._opcodes())
        content = self._bytes(start, self._file.tell())
        ends = [at for _, _, at in opcodes[1:]] + [start + len(content)]
        try:
            return b"".join(
                _renumbered(opcode.name, argument, before, after) or content[at - start : end - start]
                for (opcode, argument, at), end in zip(opcodes, ends, strict=True)
            )
        except struct.error as error:
            raise self._damaged(_PROBLEMS[_MEMO], start) from error

    def _load(self, content: bytes) -> Any:
        try:
            return _EntryUnpickler(content, self._shared, self._allowance).load()
        except (MemoryError, InputError):
            raise
        except pickle.UnpicklingError as error:
            raise InputError(f"{self._path.name}: {one_line(error)}") from error
        except Exception as error:  # a damaged pickle can fail in any of the calls that it makes
            raise self._damaged(one_line(error)) from error

    def _damaged(self, problem: str, at: int | None = None) -> InputError:
        where = "" if at is None else f" (byte {at})"
        return InputError(f"{self._path.name}: not a readable file of torch.save: {problem}{where}")


def _renumbered(opcode: str, argument: Any, before: int, after: int) -> bytes | None:
    """Return an opcode that puts into or gets from the memo with another number, None for any other opcode.

    Args:
        opcode: its name.
        argument: the number in the large pickle's memo.
        before: entries of the memo before the part that is cut out.
        after: entries of the memo after it.
    """
    if opcode in _PUTS:
        return b"r" + struct.pack("<I", argument - after + before)
    if opcode in ("BINGET", "LONG_BINGET"):
        if before <= argument < after:
            return b"J" + struct.pack("<i", argument) + b"Q"
        return b"j" + struct.pack("<I", argument if argument < before else argument - after + before)
    return None
