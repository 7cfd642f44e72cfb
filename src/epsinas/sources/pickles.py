"""Read pickles that somebody else wrote, without running what they say.

A pickle is a program: it may call any function that can be imported, and give any object any state. The published image
sets are pickles of dictionaries, lists, text, numbers and NumPy arrays, so nothing else is admitted here, and none of
NumPy's own functions either, which believe what they are told of memory: what stands for them checks it first.
"""

import io
import math
import pickle
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from epsinas.errors import InputError, one_line, shown

LARGEST = 1 << 28
"""Bytes of the largest pickle that is read; that of CIFAR-100's training images has 155 million."""

_CODES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
"""NumPy's codes of the plain numbers."""

_SCALARS = (bool, int, float, str, bytes, type(None))
"""What a set may hold."""


def _refusal(found: str, expected: str) -> pickle.UnpicklingError:
    return pickle.UnpicklingError(f"found {found}, expected {expected}")


def _is_integers(value: Any, count: int | None = None) -> bool:
    """Say whether a value is a tuple of integers, of a length if one is given."""
    return type(value) is tuple and (count in (None, len(value))) and all(type(one) is int for one in value)


class _Call:
    """What stands for a function: it can be called, and unlike a function has no state that a pickle could set."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]):
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise _refusal("a state for a function", "none")


class _Dtype:
    """What stands for a dtype, one of plain numbers in either order of bytes."""

    __slots__ = ("plain",)

    def __init__(self, plain: np.dtype):
        self.plain = plain

    def __setstate__(self, state: Any) -> None:
        """Take the order of bytes: version 3, order, no subarray, no names, no fields, no sizes, no flags."""
        plain = type(state) is tuple and len(state) == 8 and state[2:5] == (None, None, None)
        if not (plain and _is_integers((state[0], *state[5:])) and (state[0], *state[5:]) == (3, -1, -1, 0)):
            raise _refusal("a dtype with a state of its own", "one of plain numbers")
        order = state[1].decode("latin1") if type(state[1]) is bytes else state[1]
        if type(order) is not str or order not in tuple("<>|="):
            raise _refusal("a dtype of another order of bytes", "<, >, | or =")
        self.plain = self.plain.newbyteorder(order)  # type: ignore[arg-type]


class _Array(np.ndarray):
    """What stands for an array: empty, until a pickle gives it a content, once, which is checked."""

    _take: Callable[[Any], bytes] | None = None

    def __setstate__(self, state: Any) -> None:
        """Take version 1, shape, dtype, whether columns come first, and the numbers' bytes."""
        if self._take is None or type(state) is not tuple or len(state) != 5:
            raise _refusal("an array with another state", "version, shape, dtype, order and content, once")
        version, shape, dtype, columns_first, content = state
        plain = type(version) is int and version == 1 and type(columns_first) in (bool, int)
        if not plain or not _is_integers(shape) or not all(0 <= size < 1 << 40 for size in shape) or len(shape) > 32:
            raise _refusal("an array with another state", "version 1, a shape of numbers of at least 0, and an order")
        if type(dtype) is not _Dtype:
            raise _refusal(f"an array of {type(dtype).__name__}", "one of plain numbers")
        taken = self._take(content)
        self._take = None
        if math.prod(shape) * dtype.plain.itemsize != len(taken):
            raise _refusal(f"an array of {len(taken)} bytes", f"{math.prod(shape) * dtype.plain.itemsize}")
        super().__setstate__((1, shape, dtype.plain, bool(columns_first), taken))  # type: ignore[arg-type]


class Allowance:
    """How many bytes a pickle may make, since content that is shared could be copied without end.

    Each piece of it has one use, or for old pickles two.
    """

    def __init__(self, length: int):
        self._left = 4 * length + 4096

    def take(self, count: int) -> None:
        """Take so many bytes."""
        self._left -= count
        if self._left < 0:
            raise _refusal("content that is used over and over", "each once")


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that admits built-in containers, text, numbers and NumPy arrays, in bounded memory and time.

    Any other global that the pickle names raises `pickle.UnpicklingError`. Protocols up to 4 are read: 5
    rebuilds arrays by another function, and no published file uses it.

    Args:
        content: the pickle, and whatever follows it.
        encoding: see `load`.
        numbers: see `epsinas.sources.opcodes.look_over`.
        allowance: of a larger pickle that this is a part of.

    Attributes:
        length: of the pickle, in bytes.
    """

    def __init__(
        self, content: bytes, encoding: str = "latin1", numbers: int | None = None, allowance: Allowance | None = None
    ):
        from epsinas.sources.opcodes import look_over  # imports numba

        self.length = look_over(content, numbers)
        super().__init__(io.BytesIO(content), encoding=encoding)
        self._allowance = allowance or Allowance(len(content))
        self._ndarray = object()
        # NumPy 2 moved `numpy.core`, and pickles of both name it.
        multiarrays = ("numpy.core.multiarray", "numpy._core.multiarray")
        self._admitted: dict[tuple[str, str], Any] = {
            ("numpy", "ndarray"): self._ndarray,
            ("numpy", "dtype"): _Call(self._dtype),
            ("_codecs", "encode"): _Call(self._encode),
            ("collections", "OrderedDict"): _Call(self._ordered),
            **{(builtins, "set"): _Call(self._set) for builtins in ("builtins", "__builtin__")},
            **{(multiarray, "_reconstruct"): _Call(self._reconstruct) for multiarray in multiarrays},
            **{(multiarray, "scalar"): _Call(self._scalar) for multiarray in multiarrays},
        }

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for the global `module.name`, if the format needs it."""
        try:
            return self._admitted[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"refused to load {shown(f'{module}.{name}')[1:-1]}; expected nothing but lists, dictionaries, text, "
                "numbers and NumPy arrays"
            ) from None

    def _take(self, content: Any) -> bytes:
        """Return bytes, or what Python 2 had for bytes, as long as there is a right to them."""
        if type(content) not in (str, bytes):
            raise _refusal(f"numbers as {type(content).__name__}", "bytes")
        self._allowance.take(len(content))
        return content.encode("latin1") if type(content) is str else content

    def _dtype(self, code: Any, *_: Any) -> _Dtype:
        """Stand for `numpy.dtype(code, align, copy)`; the others change nothing for plain numbers."""
        code = code.decode("latin1") if type(code) is bytes else code
        if type(code) is not str or code not in _CODES:
            raise _refusal(f"the dtype {shown(code)}", "one of plain numbers")
        return _Dtype(np.dtype(code))

    def _reconstruct(self, kind: Any, shape: Any, code: Any) -> _Array:
        """Stand for the function of NumPy's that makes an empty array, to which a pickle gives a state."""
        if kind is not self._ndarray or not _is_integers(shape, 1) or shape != (0,) or code not in (b"b", "b"):
            raise _refusal("an array that is not begun as NumPy does", "an empty one of bytes")
        array = np.empty(0, dtype=np.int8).view(_Array)
        array._take = self._take
        return array

    def _scalar(self, dtype: Any, content: Any) -> Any:
        """Stand for the function of NumPy's that makes a number of its bytes."""
        if type(dtype) is not _Dtype:
            raise _refusal(f"a number of {type(dtype).__name__}", "a dtype of plain numbers")
        taken = self._take(content)
        if len(taken) != dtype.plain.itemsize:
            raise _refusal(f"a number of {len(taken)} bytes", f"{dtype.plain.itemsize}")
        return np.frombuffer(taken, dtype.plain)[0]

    def _encode(self, text: Any, encoding: Any) -> bytes:
        """Stand for `codecs.encode`, by which Python 3 writes bytes in the protocols of Python 2."""
        if type(text) is not str or type(encoding) is not str or encoding != "latin1":
            raise _refusal("an encoding of another kind", "text in latin1")
        return self._take(text)

    def _ordered(self, *items: Any) -> dict:
        """Stand for an ordered dictionary, which any dictionary is today."""
        if items:
            raise _refusal("an ordered dictionary with items", "an empty one, to which they are added")
        return {}

    def _set(self, items: Any) -> set:
        """Stand for `set(items)`, whose items are hashed."""
        if type(items) is not list or not all(type(one) in _SCALARS for one in items):
            raise _refusal("a set of another kind", "one of text and numbers")
        if any(type(one) is int and one.bit_length() > 64 for one in items):
            raise _refusal("a set with long integers", "those of up to 64 bits")
        self._allowance.take(len(items))
        return set(items)


def load(source: str | Path | BinaryIO, *, encoding: str = "latin1", name: str | None = None) -> Any:
    """Read one untrusted pickle.

    `source` is a path or a binary file; `name` is what errors call it. `encoding` is for the byte strings of
    Python 2: "latin1" makes them text, "bytes" leaves them as they are.

    Raises `InputError` where the file cannot be read, is no pickle, is too large, or names a global that is not
    admitted.
    """
    if isinstance(source, (str, Path)):
        try:
            with open(source, "rb") as file:
                return load(file, encoding=encoding, name=name or str(source))
        except OSError as error:
            raise InputError(f"{name or source}: cannot be read: {error.strerror or error}") from error
    name = name or getattr(source, "name", None) or "pickle"
    try:
        content = source.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise pickle.UnpicklingError(f"found more than {LARGEST} bytes, expected a pickle of fewer")
        return RestrictedUnpickler(content, encoding=encoding).load()
    except OSError:
        raise
    except MemoryError as error:
        raise out_of_memory(name) from error
    except pickle.UnpicklingError as error:
        raise InputError(f"{name}: {one_line(error)}") from error
    except Exception as error:  # a damaged pickle can fail in any of the calls that it makes
        raise InputError(f"{name}: not a readable pickle: {one_line(error)}") from error


def out_of_memory(name: str) -> InputError:
    """Return what is said where memory ends while a file is read, which is not the file's fault."""
    return InputError(f"{name}: the machine's memory ended while it was read; free some, or ask for more")


def entry(contents: Any, key: str, where: str) -> Any:
    """Return an entry of what should be a dictionary."""
    if not isinstance(contents, Mapping):
        raise InputError(f"{where}: found {type(contents).__name__}, expected a dictionary with the key {key}")
    if key not in contents:
        raise InputError(f"{where}: key {key} is missing; found {_listed(contents)}")
    return contents[key]


def _listed(keys: Mapping) -> str:
    """Return the first keys of a dictionary that somebody else made."""
    names = [key if isinstance(key, str) and len(key) < 40 else shown(key) for key in islice(keys, 12)]
    return ", ".join(names + ["..."] * (len(keys) > len(names))) or "no keys"
