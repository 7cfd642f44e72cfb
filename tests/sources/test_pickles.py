import builtins
import io
import os
import pickle
import struct
from collections import OrderedDict

import numpy as np
import pytest

from epsinas.errors import InputError
from epsinas.sources.pickles import RestrictedUnpickler, load


class Calls:
    """Pickles as a call of a function, as an attack would."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def python2_text(text: bytes) -> bytes:
    return b"T" + struct.pack("<i", len(text)) + text


def python2_batch(rows: np.ndarray, label_key: bytes, labels: list[int]) -> bytes:
    """A batch {"data": uint8 (N, D), label_key: list} opcode by opcode as Python 2 pickled it in 2009."""
    dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNN" + 2 * b"J\xff\xff\xff\xff" + b"K\x00tb"
    shape = b"".join(b"J" + struct.pack("<i", size) for size in rows.shape)
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR" + (
        b"(K\x01(" + shape + b"t" + dtype + b"\x89" + python2_text(rows.tobytes()) + b"tb"
    )
    listed = b"](" + b"".join(b"J" + struct.pack("<i", label) for label in labels) + b"e"
    return b"\x80\x02}(" + python2_text(b"data") + array + python2_text(label_key) + listed + b"u."


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_containers_numbers_and_arrays_come_back(protocol):
    content = {
        "list": [1, 2.5, None, True, "text", b"bytes", (3, 4)],
        "array": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "floats": np.linspace(0, 1, 5),
        "number": np.float64(0.25),
    }
    read = load(io.BytesIO(pickle.dumps(content, protocol=protocol)))
    assert read["list"] == content["list"]
    assert read["number"] == 0.25
    for name in ("array", "floats"):
        np.testing.assert_array_equal(read[name], content[name])
        assert read[name].dtype == content[name].dtype


@pytest.mark.parametrize(("encoding", "key"), [("latin1", str), ("bytes", bytes)])
def test_python_2_batches_are_read_without_warnings(encoding, key):
    rows = np.arange(256, dtype=np.uint8).reshape(2, 128)
    read = load(io.BytesIO(python2_batch(rows, b"labels", [3, 300])), encoding=encoding)
    assert {type(name) for name in read} == {key}
    data, labels = read.values()
    np.testing.assert_array_equal(data, rows)
    assert labels == [3, 300]


@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        (os.system, ("touch harmed",), f"{os.name}.system"),
        (builtins.eval, ("open('harmed', 'w')",), "{builtins}.eval"),
        (builtins.getattr, ("text", "upper"), "{builtins}.getattr"),
        (np.load, ("harmed.npy",), "numpy.load"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_an_attack_is_refused_and_nothing_runs(tmp_path, monkeypatch, function, arguments, named, protocol):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps({"data": Calls(function, *arguments)}, protocol=protocol))
    with pytest.raises(InputError) as caught:
        load(path)
    module = "__builtin__" if protocol == 2 else "builtins"
    assert str(caught.value) == (
        f"{path}: refused to load {named.format(builtins=module)}; "
        "expected nothing but lists, dictionaries, text, numbers and NumPy arrays"
    )
    assert os.listdir(tmp_path) == ["batch"]


def test_arrays_of_objects_are_refused():
    with pytest.raises(InputError, match=r"^batch 1: found the dtype 'O8', expected one of plain numbers$"):
        load(io.BytesIO(pickle.dumps(np.array([{}, None]), protocol=4)), name="batch 1")


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps([1, 2, 3])[:-4], b"\x80\x04K\x01R."])
def test_a_damaged_pickle_is_one_line(tmp_path, content):
    path = tmp_path / "batch"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: .+$") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent: cannot be read: No such file or directory$"):
        load(tmp_path / "absent")


def test_persistent_identifiers_are_refused():
    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            return "outside" if item == "inside" else None

    file = io.BytesIO()
    Pickler(file).dump(["inside"])
    with pytest.raises(InputError, match=r"^pickle: .*persistent"):
        load(io.BytesIO(file.getvalue()))


def test_the_unpickler_itself_raises_pickle_errors():
    with pytest.raises(pickle.UnpicklingError, match=r"refused to load builtins\.eval"):
        RestrictedUnpickler(pickle.dumps(eval)).load()


def test_memory_that_ends_is_told_apart_from_a_damaged_file(monkeypatch):
    def full(self):
        raise MemoryError

    monkeypatch.setattr(RestrictedUnpickler, "load", full)
    with pytest.raises(InputError, match=r"^batch: the machine's memory ended while it was read; "):
        load(io.BytesIO(b"N."), name="batch")


@pytest.mark.parametrize("protocol", [2, 4])
def test_ordered_dictionaries_and_sets_come_back(protocol):
    content = [OrderedDict(a=1), {1, 2}]
    assert load(io.BytesIO(pickle.dumps(content, protocol=protocol))) == content
