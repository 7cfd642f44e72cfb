"""How far a download or a conversion has come: size, percentage and time left, on the console or nowhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

INTERVAL = 10.0
"""Seconds between two lines on the console."""


class Progress(Protocol):
    """Where to tell how far a long work has come."""

    def __call__(
        self, title: str, total: int | None, unit: str = "B"
    ) -> AbstractContextManager[Callable[[int], object]]:
        """Begin a work; what the block is given takes how much more of it is done.

        Args:
            title: what is being done.
            total: how much there is to do, None where that is not known.
            unit: of what: "B" for bytes, otherwise a word such as " networks".
        """


@contextmanager
def silent(title: str, total: int | None, unit: str = "B") -> Iterator[Callable[[int], object]]:
    """Tell nobody."""
    yield lambda more: None


def on_console(stream: TextIO | None = None) -> Progress:
    """Print a line every ten seconds, and one when a work is done: size, percentage and time left.

    Lines rather than bars that move, since several works may go on at once, and what they print may go into a file.

    Args:
        stream: where to; standard error where None is given.
    """

    @contextmanager
    def tell(title: str, total: int | None, unit: str = "B") -> Iterator[Callable[[int], object]]:
        begun = last = time.monotonic()
        done, before = 0, None

        def advance(more: int) -> None:
            nonlocal done, before, last
            done += more
            if before is None:
                before = done  # what an earlier run has left says nothing of the speed
            now = time.monotonic()
            if now - last >= INTERVAL:
                last = now
                left = _left(done, total, (done - before) / (now - begun))
                say(f"{_done(done, total, unit)}{left}")

        def say(what: str) -> None:
            print(f"epsinas: {title}: {what}", file=stream or sys.stderr, flush=True)

        yield advance
        say(f"{_amount(done, unit)} in {_duration(time.monotonic() - begun)}")

    return tell


def bytes_in_words(size: float) -> str:
    """Print a number of bytes.

    Example:
        >>> bytes_in_words(5_050_000_000), bytes_in_words(879_000)
        ('5.05 GB', '879 kB')
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size / 1e3:.3g} kB"


def _amount(number: int, unit: str) -> str:
    return bytes_in_words(number) if unit == "B" else f"{number:,}{unit}"


def _done(done: int, total: int | None, unit: str) -> str:
    if not total:
        return _amount(done, unit)
    so_far = bytes_in_words(done) if unit == "B" else f"{done:,}"
    return f"{so_far} of {_amount(total, unit)}, {100 * min(done / total, 1):.0f} %"


def _left(done: int, total: int | None, speed: float) -> str:
    return f", {_duration(max(total - done, 0) / speed)} left" if total and speed > 0 else ""


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
