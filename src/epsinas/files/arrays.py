"""Single arrays: `.npy`."""

import io
import math
import os
from pathlib import Path
from typing import IO

import numpy as np

from epsinas.errors import InputError, one_line

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_array(path: str | Path, what: str) -> np.ndarray:
    """Read an array from an `.npy` file.

    Args:
        path: of the file.
        what: it is to hold, for messages.

    Raises:
        InputError: the file is missing, or is not an `.npy` file of plain values.
    """
    try:
        with open(path, "rb") as file:
            return array_in(file, os.fstat(file.fileno()).st_size)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, expected {what} (.npy)") from None
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise InputError(f"{path}: not a readable .npy file: {one_line(error)}") from None


def array_in(file: IO[bytes], size: int) -> np.ndarray:
    """Read an array from an open `.npy` file, whose header is believed no further than the file goes.

    Args:
        file: at its beginning.
        size: in bytes.

    Raises:
        ValueError: the file is no `.npy` file of plain values, or ends before its array does.
    """
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"found version {version} of the format, expected 1 or 2")
    shape, _, dtype = _HEADERS[version](file)
    if dtype.hasobject or not all(type(length) is int and abs(length) < 1 << 63 for length in shape):
        raise ValueError("its header announces other than plain values")
    wanted = math.prod(shape) * max(1, dtype.itemsize)  # texts of no length count, too
    if min(shape, default=0) < 0 or wanted > size - file.tell():
        raise ValueError(f"its header announces {wanted} bytes, and {size - file.tell()} follow")
    file.seek(0, io.SEEK_SET)
    return np.lib.format.read_array(file, allow_pickle=False)
