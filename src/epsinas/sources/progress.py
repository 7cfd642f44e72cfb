"""How far a download or a conversion has come: size, percentage and time left, on the console or nowhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO


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
    """Draw a bar on `stream`, standard error where None is given: size, percentage, speed and time left."""

    @contextmanager
    def draw(title: str, total: int | None, unit: str = "B") -> Iterator[Callable[[int], object]]:
        from tqdm import tqdm

        shown = stream or sys.stderr
        with tqdm(desc=title, total=total, unit=unit, unit_scale=unit == "B", file=shown, mininterval=1.0) as bar:
            yield bar.update

    return draw
