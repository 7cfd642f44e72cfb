import pickle

import numpy as np
import pytest
import torch

from epsinas.errors import InputError, one_line, shown


def test_a_message_is_one_line_whatever_it_quotes():
    error = InputError("file: found a\nb\x1b[2J\udcff\u202e, expected\tc")
    assert str(error) == r"file: found a b\x1b[2J\udcff\u202e, expected c"


def test_a_message_has_an_end():
    assert len(str(InputError("x" * 100_000))) == 2000


def test_a_message_comes_back_from_another_process():
    assert str(pickle.loads(pickle.dumps(InputError("a: found b, expected c")))) == "a: found b, expected c"


def test_one_line_shortens_and_never_is_empty():
    assert one_line(ValueError("a\n  b")) == "a b"
    assert one_line(EOFError()) == "EOFError"
    assert len(one_line(ValueError("x" * 1000))) == 200
    assert one_line(OSError(2, "No such file", "a\nb")) == r"[Errno 2] No such file: 'a\nb'"


def test_what_would_take_for_ever_to_print_is_named():
    item: tuple = ()
    for _ in range(100):
        item = (item, item)
    assert one_line(KeyError(item)) == "tuple"
    assert one_line(ValueError(item)) == "tuple"
    assert shown([item]) == "list"


def test_values_of_a_file_are_shown_in_short():
    assert shown("a" * 100) == f"'{60 * 'a'}'..."
    assert shown("a\nb\x1b") == r"'a\nb\x1b'"
    assert shown(10**5000) == "an integer of 16610 bits"
    assert [shown(value) for value in (1, -2.5, None, True, b"\x00")] == ["1", "-2.5", "None", "True", r"b'\x00'"]


def test_torchs_advice_to_run_what_a_file_says_is_not_passed_on(tmp_path):
    torch.save(eval, tmp_path / "file")
    with pytest.raises(pickle.UnpicklingError) as caught:
        torch.load(tmp_path / "file")
    assert "weights_only" in str(caught.value)
    assert one_line(caught.value) == "Weights only load failed."


def test_numpys_advice_to_trust_a_file_is_not_passed_on(tmp_path):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}".ljust(20_000)
    (tmp_path / "file").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(ValueError, match="allow_pickle=True") as caught:
        np.load(tmp_path / "file")
    expected = "Header info length (20000) is large and may not be safe to load securely."
    assert one_line(caught.value) == expected
