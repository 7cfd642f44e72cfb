import contextlib
import io
import pickle

import numpy as np
import pytest

from epsinas import InputError
from epsinas.sources.opcodes import LARGEST_KEY, look_over
from epsinas.sources.pickles import load
from tests.hostile import outcomes

DTYPE = b"cnumpy\ndtype\n(U\x02%bK\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
EMPTY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"


def doubled(times: int) -> bytes:
    """A tuple whose two items are the one before, so many times over: it prints 2 ** times items."""
    return b"N\x85q\x00" + b"".join(b"h%c\x86q%c" % (number, number + 1) for number in range(times))


IMPORTS = "import io; from epsinas.sources.pickles import load"

HOSTILE = {
    # Each is: opcodes between the protocol and STOP, and what is said of them.
    "shape of one's own": (b"cnumpy\nndarray\n(K\x01\x85\x8c\x01OC\x08AAAAAAAAtR", "'object' object is not callable"),
    "state for a type": (b"cnumpy\nndarray\n}b", "'object' object has no attribute '__dict__'"),
    "state for a function": (b"cnumpy\ndtype\n}b", "found a state for a function, expected none"),
    "defaults": (b"cnumpy\ndtype\nN}U\x0c__defaults__)s\x86b", "found a state for a function, expected none"),
    "dtype with flags": (
        b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x04tb",
        "found a dtype with a state of its own, expected one of plain numbers",
    ),
    "dtype with fields": (
        b"cnumpy\ndtype\n(U\x02V8K\x00K\x01tR",
        "found the dtype 'V8', expected one of plain numbers",
    ),
    "state with fields": (
        b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01<NU\x01a\x85}U\x01aK\x00sJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
        "found a dtype with a state of its own, expected one of plain numbers",
    ),
    "objects": (b"cnumpy\ndtype\n(U\x01OK\x00K\x01tR", "found the dtype 'O', expected one of plain numbers"),
    "scalar of an object": (
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(U\x02O8K\x00K\x01tRC\x08AAAAAAAAtR",
        "found the dtype 'O8', expected one of plain numbers",
    ),
    "scalar that is short": (
        b"cnumpy.core.multiarray\nscalar\n(" + DTYPE % b"f8" + b"C\x04AAAAtR",
        "found a number of 4 bytes, expected 8",
    ),
    "array that is short": (
        EMPTY + b"(K\x01K\x09\x85" + DTYPE % b"u1" + b"\x89C\x04AAAAtb",
        "found an array of 4 bytes, expected 9",
    ),
    "array of another shape": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(J\xff\xff\xff\x7ftU\x01btR",
        "found an array that is not begun as NumPy does, expected an empty one of bytes",
    ),
    "array of a shape below 0": (
        EMPTY + b"(K\x01J\xfe\xff\xff\xffJ\xfe\xff\xff\xff\x86" + DTYPE % b"u1" + b"\x89C\x04AAAAtb",
        "found an array with another state, expected version 1, a shape of numbers of at least 0, and an order",
    ),
    "array of a list": (
        EMPTY + b"(K\x01K\x01\x85" + DTYPE % b"u1" + b"\x89](Netb",
        "found numbers as list, expected bytes",
    ),
    "array with two states": (
        EMPTY + 2 * (b"(K\x01K\x04\x85" + DTYPE % b"u1" + b"\x89C\x04AAAAtb"),
        "found an array with another state, expected version, shape, dtype, order and content, once",
    ),
    "codec of one's own": (b"c_codecs\nencode\nU\x01aU\x05utf-8\x86R", "found an encoding of another kind, "),
    "set of tuples": (b"c__builtin__\nset\n](N\x85e\x85R", "found a set of another kind, expected one of text and num"),
    "ordered items": (b"ccollections\nOrderedDict\n](N\x85e\x85R", "found an ordered dictionary with items, expected"),
    "number of the memo": (b"Nr\x00\xc2\xeb\x0b", "found a number in the memo that is out of order (byte 3)"),
    "number in digits": (b"Np200000000\n", "found a number in the memo that is out of order (byte 3)"),
    "number below 0": (b"Np-1\n", "found a number in the memo that is out of order (byte 3)"),
    "number of nothing": (b"h\x05", "found a number in the memo that is out of order (byte 2)"),
    "length of text": (b"\x8d\x00\x00\x00\x00\x00\x01\x00\x00", "found the end of the file before that of the pickle"),
    "length of 2**63": (b"\x8e\x00\x00\x00\x00\x00\x00\x00\x80", "found the end of the file before that of the pickle"),
    "key that never ends": (b"}" + doubled(40) + b"Ns", f"found a key of more than {LARGEST_KEY} parts"),
    "item of a set that never ends": (
        b"\x8f(" + doubled(40) + b"\x90",
        f"found a key of more than {LARGEST_KEY} parts",
    ),
    "key in the depths": (b"}N" + 100_000 * b"\x85" + b"Ns", f"found a key of more than {LARGEST_KEY} parts"),
    "keys of one hash": (
        b"}("
        + b"".join(b"\x8a\x10" + number.to_bytes(16, "little") + b"N" for number in range(1 << 70, (1 << 70) + 11_000))
        + b"u",
        "found more than 10000 tuples or long integers as keys",
    ),
    "content over and over": (
        b"](X"
        + (1 << 20).to_bytes(4, "little")
        + bytes(1 << 20)
        + b"q\x00"
        + b"".join(b"c_codecs\nencode\nh\x00U\x06latin1\x86R" for _ in range(100))
        + b"e",
        "found content that is used over and over, expected each once",
    ),
    "extension": (b"\x82\x01", "found an opcode that the format does not need (byte 2)"),
    "instance": (b"(ios\nsystem\n", "found an opcode that the format does not need (byte 3)"),
    "no stack": (b"R", "found opcodes that fit no stack (byte 2)"),
    "no mark": (b"t", "found opcodes that fit no stack (byte 2)"),
    "below the mark": (b"K\x00(s", "found opcodes that fit no stack (byte 5)"),
    "marks": (300 * b"(" + b"N", "found opcodes that fit no stack (byte 258)"),
    "sets in a list": (
        b"](" + (1000 * b"\x8f" + b"e(") * 4200 + b"e",
        "found more than 4194304 opcodes (byte 4194305)",
    ),
    "name with a newline": (
        b"\x8c\x0aos\nX\x1b[2J\n\n\x8c\x06system\x93",
        "refused to load os\\nX\\x1b[2J\\n\\n.system; exp",
    ),
    "name of a megabyte": (b"X\x00\x00\x10\x00" + (1 << 20) * b"A" + b"\x8c\x01B\x93", f"refused to load {60 * 'A'}"),
}


def test_hostile_pickles_are_refused_in_a_line(tmp_path):
    """Without what is checked here, these crash, take gigabytes or do not end."""
    paths = []
    for number, (opcodes, _) in enumerate(HOSTILE.values()):
        paths.append(tmp_path / f"{number}")
        paths[-1].write_bytes(b"\x80\x04" + opcodes + b".")
    found = outcomes(f"{IMPORTS}; load(io.BytesIO(b'N.'))", "load(path)", paths)
    for name, path, line, (_, expected) in zip(HOSTILE, paths, found, HOSTILE.values(), strict=True):
        assert line.startswith(f"{path}: "), name
        assert expected in line, name
        assert len(line) < 400, name


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_the_length_of_any_plain_pickle_is_found(protocol):
    content = {"a": [1, 2**40, 2**70, -1.5, "text", (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], ("b", 1): {1, 2}, 3: {}}
    content["again"] = content["a"]
    pickled = pickle.dumps(content, protocol)
    assert look_over(pickled + b"rest") == len(pickled)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_large_value_of_tuples_is_no_key(protocol):
    content = {"names": tuple(f"name {number}" for number in range(20_000)), "deep": ((((1, 2), 3), 4), 5)}
    assert load(io.BytesIO(pickle.dumps(content, protocol))) == content


def test_every_changed_byte_is_one_line():
    """Neither the opcodes nor what stands for NumPy's functions let anything but the one error through."""
    content = pickle.dumps({"a": np.arange(300.0), "b": [np.float32(1), ("x", 7)], ("k", 2): {1}}, protocol=4)
    rng = np.random.default_rng(0)
    for _ in range(3000):
        changed = bytearray(content)
        for _ in range(rng.integers(1, 4)):
            changed[rng.integers(len(content))] = rng.integers(256)
        # Any other error fails the test.
        with contextlib.suppress(InputError):
            load(io.BytesIO(bytes(changed)), name="changed")


def test_arrays_of_every_plain_dtype_come_back():
    for dtype in ("?", "i1", "<u2", ">i4", "<f2", ">f8", "<c16"):
        for array in (
            np.ones((2, 3), dtype),
            np.asfortranarray(np.arange(6).reshape(2, 3).astype(dtype)),
            np.array(1, dtype),
        ):
            read = load(io.BytesIO(pickle.dumps(array, protocol=4)))
            np.testing.assert_array_equal(read, array)
            assert read.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
            number = array.ravel()[0]
            assert load(io.BytesIO(pickle.dumps(number, protocol=2))) == number
