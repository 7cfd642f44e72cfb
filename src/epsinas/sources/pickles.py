"""Read pickles that somebody else wrote, without running what they say.

A pickle is a program: it may call any function that can be imported. The published image sets are pickles of
dictionaries, lists, text, numbers and NumPy arrays, so nothing else is admitted here.
"""

import _codecs
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from epsinas.errors import InputError, one_line


def numpy_dtype(code: str | bytes, align: int, copy: int) -> np.dtype:
    """Return `np.dtype(code)` as a pickle asks for it, objects refused.

    Pickles of Python 2 give `align` and `copy` as integers, which NumPy has deprecated. There are no default
    values on purpose: a pickle can overwrite those of a function that it may name.
    """
    dtype = np.dtype(code, bool(align), bool(copy))  # type: ignore[arg-type]
    if dtype.hasobject:
        raise pickle.UnpicklingError(f"arrays of dtype {dtype} hold arbitrary objects")
    return dtype


# NumPy 2 moved `numpy.core`, and importing the old place warns: both names are looked up here instead.
_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): numpy_dtype,
    ("_codecs", "encode"): _codecs.encode,
    ("collections", "OrderedDict"): OrderedDict,
    **{(builtins, "set"): set for builtins in ("builtins", "__builtin__")},
    **{
        (f"numpy.{core}.multiarray", name): getattr(np._core.multiarray, name)  # type: ignore[attr-defined]
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    },
}


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that admits built-in containers, text, numbers and NumPy arrays.

    Any other global that the pickle names raises `pickle.UnpicklingError`. Protocols up to 4 are read: 5
    rebuilds arrays by another function, and no published file uses it.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for the global `module.name`, if the format needs it."""
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"refused to load {module}.{name}; expected nothing but lists, dictionaries, text, numbers "
                "and NumPy arrays"
            ) from None


def load(source: str | Path | BinaryIO, *, encoding: str = "latin1", name: str | None = None) -> Any:
    """Read one untrusted pickle.

    `source` is a path or a binary file; `name` is what errors call it. `encoding` is for the byte strings of
    Python 2: "latin1" makes them text, "bytes" leaves them as they are.

    Raises `InputError` where the file cannot be read, is no pickle, or names a global that is not admitted.
    """
    if isinstance(source, (str, Path)):
        try:
            with open(source, "rb") as file:
                return load(file, encoding=encoding, name=name or str(source))
        except OSError as error:
            raise InputError(f"{name or source}: cannot be read: {error.strerror or error}") from error
    name = name or getattr(source, "name", None) or "pickle"
    try:
        return RestrictedUnpickler(source, encoding=encoding).load()
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
        raise InputError(f"{where}: key {key} is missing; found {', '.join(map(str, contents)) or 'no keys'}")
    return contents[key]
