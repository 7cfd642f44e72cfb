"""Loops that Numba compiles, and where what it compiled is kept for the next process.

Numba keeps it in the folder `NUMBA_CACHE_DIR`, beside the module, or in the user's cache. Where none of them can be
written (another user's installation, a container or a batch node without a home) it goes to a folder of one's own for
temporary files, and where there is none either, every process compiles anew. Nothing of it is ever an error.
"""

import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

_CONFIG: Any = numba.config  # whose entries are not declared


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator of functions that Numba is to compile.

    Args:
        options: of `numba.njit`, but for `cache`.

    Example:
        >>> @compiled(nogil=True)
        ... def double(number):
        ...     return 2 * number
        >>> double(3)
        6
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options)(function)
        kept = _kept(function)
        if kept is not None:
            dispatcher._cache = kept  # as `cache=True` does, with a cache of Numba's own kind
        return dispatcher

    return decorate


class _Kept(FunctionCache):
    """Numba's cache of a function, in nobody's way: a damaged file is made anew, a full disk keeps nothing."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # unpickling what was cut off or overwritten may fail in any way
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):
            super().save_overload(sig, data)


def _kept(function: Callable[..., Any]) -> _Kept | None:
    """Return a function's cache in the first folder that can be written, None where there is none."""
    if _CONFIG.CACHE_DIR or _has_home():
        with suppress(RuntimeError):  # Numba found no folder
            return _Kept(function)
    folder = _temporary_folder()
    if folder is None:
        return None
    before, _CONFIG.CACHE_DIR = _CONFIG.CACHE_DIR, str(folder)
    try:
        return _Kept(function)
    except RuntimeError:
        return None
    finally:
        _CONFIG.CACHE_DIR = before


def _has_home() -> bool:
    """Say whether the user has a home; Numba would make a folder called `~` in the working directory."""
    return "XDG_CACHE_HOME" in os.environ or os.path.expanduser("~") != "~"


@cache
def _temporary_folder() -> Path | None:
    """Return a folder for temporary files that nobody else can write, since what is in it is run."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    try:
        folder = Path(tempfile.gettempdir()) / f"epsinas-{user}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    safe = stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o022
    return folder if safe else None
