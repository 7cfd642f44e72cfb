"""Look over a pickle before it is run: what its opcodes are, and how much memory and time they would take.

Python's unpickler believes what it is told: a number of the memo is the memory that it takes, a length is allocated
before anything is read, and a key is hashed however often a tuple in it is shared. Here compiled code goes over the
opcodes first, with a stack and a memo on which only the sizes of tuples stand.
"""

import pickle
import pickletools
from collections.abc import Iterable

import numpy as np

from epsinas.compilation import compiled

REFUSED = -128
"""In place of the width of an argument, of an opcode that is not admitted."""

_TWO_LINES = -100

LARGEST_KEY = 64
"""Parts of a tuple that is a key, in which what a tuple holds counts twice; NAS-Bench-201's have two."""

CHOSEN_KEYS = 10_000
"""Keys whose hashes a file can choose, tuples and long integers; NAS-Bench-201's networks have up to 30."""

_MOST = 1 << 22
"""Opcodes, of which each may make an object of 200 bytes; the published files have up to 300,000."""

_DEEPEST = 256
"""Marks within marks."""

_ADMITTED = (
    *("PROTO", "FRAME", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE"),
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("EMPTY_LIST", "APPEND", "APPENDS", "LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    *("EMPTY_DICT", "DICT", "SETITEM", "SETITEMS", "EMPTY_SET", "ADDITEMS", "FROZENSET"),
    *("GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "BINPERSID"),
    *("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET"),
)
"""What dictionaries, lists, tuples, sets, text, numbers and NumPy's arrays need, in protocols 0 to 4."""


def widths(names: Iterable[str]) -> np.ndarray:
    """Return for each byte, int8 (256,), the width of its opcode's argument in the terms of `argument_end`.

    Args:
        names: of the opcodes that are admitted, as `pickletools` calls them.
    """
    table, names = np.full(256, REFUSED, dtype=np.int8), set(names)
    for opcode in pickletools.opcodes:
        if opcode.name in names:
            width = 0 if opcode.arg is None else opcode.arg.n
            table[ord(opcode.code)] = _TWO_LINES if opcode.name == "GLOBAL" else width
    return table


# What is called for every opcode is put in place of its calls, which saves 40 % of the time.
@compiled(inline="always")
def unsigned(data, at, width):  # type: ignore[no-untyped-def]
    """Read an unsigned little-endian number; one of eight bytes that is too large becomes negative."""
    value = np.int64(0)
    for place in range(width):
        value |= np.int64(data[at + place]) << (8 * place)
    return value


@compiled(inline="always")
def argument_end(data, argument, width):  # type: ignore[no-untyped-def]
    """Return where an argument ends that begins at `argument`, beyond the block where it is not all there."""
    if width >= 0:
        return argument + width
    if width in (pickletools.UP_TO_NEWLINE, _TWO_LINES):
        lines = 2 if width == _TWO_LINES else 1
        while lines and argument < data.size:
            lines -= data[argument] == 10
            argument += 1
        return data.size + 1 if lines else argument
    prefix = 4
    if width == pickletools.TAKEN_FROM_ARGUMENT1:
        prefix = 1
    elif width == pickletools.TAKEN_FROM_ARGUMENT8U:
        prefix = 8
    if argument + prefix > data.size:
        return data.size + 1
    length = unsigned(data, argument, prefix)
    return data.size + 1 if length < 0 or length > data.size else argument + prefix + length


_WIDTHS = widths(_ADMITTED)
_PROTO, _FRAME, _STOP, _MARK = b"".join((pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK))
_TUPLE, _LIST, _DICT, _FROZENSET = b"".join((pickle.TUPLE, pickle.LIST, pickle.DICT, pickle.FROZENSET))
_APPENDS, _SETITEMS, _ADDITEMS = b"".join((pickle.APPENDS, pickle.SETITEMS, pickle.ADDITEMS))
_TUPLE1, _TUPLE2, _TUPLE3 = b"".join((pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3))
_APPEND, _SETITEM, _REDUCE, _BUILD = b"".join((pickle.APPEND, pickle.SETITEM, pickle.REDUCE, pickle.BUILD))
_STACK_GLOBAL, _PERSISTENT = b"".join((pickle.STACK_GLOBAL, pickle.BINPERSID))
_LONG, _LONG1 = b"".join((pickle.LONG, pickle.LONG1))
_PUT, _BINPUT, _LONG_BINPUT, _MEMOIZE = b"".join((pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE))
_GET, _BINGET, _LONG_BINGET = b"".join((pickle.GET, pickle.BINGET, pickle.LONG_BINGET))

_FINE, _OPCODE, _SHORT, _STACK, _MEMO, _KEY, _KEYS, _MANY = range(8)
_PROBLEMS = {
    _OPCODE: "an opcode that the format does not need",
    _SHORT: "the end of the file before that of the pickle",
    _STACK: "opcodes that fit no stack",
    _MEMO: "a number in the memo that is out of order",
    _KEY: f"a key of more than {LARGEST_KEY} parts",
    _KEYS: f"more than {CHOSEN_KEYS} tuples or long integers as keys",
    _MANY: f"more than {_MOST} opcodes",
}


@compiled(inline="always")
def _memo_number(data, argument, end, width):  # type: ignore[no-untyped-def]
    """Return the argument of an opcode of the memo, a number or one in digits; -1 where it is none."""
    if width >= 0:
        return unsigned(data, argument, width)
    value = np.int64(-1) if end - argument < 2 or end - argument > 10 else np.int64(0)
    for at in range(argument, end - 1):
        digit = np.int64(data[at]) - 48
        if digit < 0 or digit > 9 or value < 0:
            return np.int64(-1)
        value = 10 * value + digit
    return value


@compiled()
def _look_over(data, widths, stack, memo, marks, in_order):  # type: ignore[no-untyped-def]
    """Return how it went, and where the pickle ends or what is wrong begins.

    The size of anything but a tuple is 1, of an integer of more than eight bytes 2; that of a tuple is 1 and the sum
    over its items, of 1 for one of size 1 and twice the size of any other.
    """
    at, depth, level, base, opcodes, filled, chosen = 0, 0, 0, 0, 0, 0, 0
    while at < data.size:
        opcode, start, argument = data[at], at, at + 1
        width = widths[opcode]
        if width == REFUSED:
            return _OPCODE, start
        at = argument_end(data, argument, width)
        if at > data.size:
            return _SHORT, start
        if opcode == _STOP:
            return (_FINE, at) if depth > base else (_STACK, start)
        opcodes += 1
        if opcodes > _MOST:
            return _MANY, start

        if opcode in (_PROTO, _FRAME):
            continue
        if opcode in (_PUT, _BINPUT, _LONG_BINPUT, _MEMOIZE):
            number = filled if opcode == _MEMOIZE else _memo_number(data, argument, at, width)
            if depth == base:
                return _STACK, start
            if number < 0 or number >= memo.size or (in_order and number > opcodes):
                return _MEMO, start
            filled += memo[number] == 0
            memo[number] = stack[depth - 1]
            continue
        if opcode in (_GET, _BINGET, _LONG_BINGET):
            number = _memo_number(data, argument, at, width)
            if number < 0 or number >= memo.size or memo[number] == 0:
                return _MEMO, start
            if depth == stack.size:
                return _STACK, start
            stack[depth] = memo[number]
            depth += 1
            continue
        if opcode == _MARK:
            if level == marks.size:
                return _STACK, start
            marks[level] = base
            base = depth
            level += 1
            continue

        first, taken = depth, 0  # where the items begin that the opcode takes
        if opcode in (_TUPLE, _LIST, _DICT, _FROZENSET, _APPENDS, _SETITEMS, _ADDITEMS):
            if level == 0:
                return _STACK, start
            first, taken, level = base, depth - base, level - 1
            base = marks[level]
        elif opcode in (_TUPLE1, _TUPLE2, _TUPLE3):
            taken = 1 + (opcode != _TUPLE1) + (opcode == _TUPLE3)
            first = depth - taken
        elif opcode in (_APPEND, _BUILD, _PERSISTENT):
            first, taken = depth - 1, 1
        elif opcode in (_SETITEM, _REDUCE, _STACK_GLOBAL):
            first, taken = depth - 2, 2
        into = opcode in (_APPEND, _APPENDS, _SETITEM, _SETITEMS, _ADDITEMS, _BUILD)  # changes the item below
        if first - into < base:
            return _STACK, start

        if opcode in (_SETITEM, _SETITEMS, _DICT, _ADDITEMS, _FROZENSET):
            step = 1 if opcode in (_ADDITEMS, _FROZENSET) else 2
            if taken % step:
                return _STACK, start
            for place in range(first, depth, step):
                chosen += stack[place] > 1
                if stack[place] > LARGEST_KEY:
                    return _KEY, start
            if chosen > CHOSEN_KEYS:
                return _KEYS, start

        size = np.int64(1)
        if opcode in (_TUPLE, _TUPLE1, _TUPLE2, _TUPLE3):
            for place in range(first, depth):
                size = min(size + (1 if stack[place] == 1 else 2 * stack[place]), np.int64(1 << 40))
        elif opcode == _LONG or (opcode == _LONG1 and at - argument > 9):
            size = np.int64(2)
        depth = first
        if not into:
            if depth == stack.size:
                return _STACK, start
            stack[depth] = size
            depth += 1
    return _SHORT, at


def look_over(content: bytes, numbers: int | None = None) -> int:
    """Check that a pickle can be run in memory and time that grow with its length, and return its length.

    Args:
        content: the pickle, and whatever follows it.
        numbers: of the memo that there may be, where some are left out; by default no more than there are opcodes.

    Raises:
        pickle.UnpicklingError: it cannot, it ends before its end, or has opcodes that no admitted format needs.

    Example:
        >>> look_over(pickle.dumps([1, 2]) + b"rest") == len(pickle.dumps([1, 2]))
        True
        >>> look_over(b"\\x80\\x02Nr\\x00\\xc2\\xeb\\x0b.")
        Traceback (most recent call last):
        _pickle.UnpicklingError: found a number in the memo that is out of order (byte 3)
    """
    data, most = np.frombuffer(content, dtype=np.uint8), min(len(content), _MOST) + 1
    stack, memo = np.empty(most, dtype=np.int64), np.zeros(numbers or most, dtype=np.int64)
    status, at = _look_over(data, _WIDTHS, stack, memo, np.empty(_DEEPEST, dtype=np.int64), numbers is None)
    if status != _FINE:
        raise pickle.UnpicklingError(f"found {_PROBLEMS[status]} (byte {at})")
    return int(at)
