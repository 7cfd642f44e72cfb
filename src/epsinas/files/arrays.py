"""Single arrays: `.npy`."""

from pathlib import Path

import numpy as np

from epsinas.errors import InputError, one_line


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
            return np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, expected {what} (.npy)") from None
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise InputError(f"{path}: not a readable .npy file: {one_line(error)}") from None
