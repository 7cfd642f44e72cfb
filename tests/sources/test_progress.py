import io
from collections.abc import Callable

import pytest

from epsinas.sources import progress
from epsinas.sources.progress import on_console


@pytest.fixture
def clock(monkeypatch) -> Callable[[float], None]:
    """A clock that stands still until it is moved."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def test_a_line_every_ten_seconds_with_size_percentage_and_time_left(clock):
    stream = io.StringIO()
    with on_console(stream)("large.pth", 5_000_000_000) as advance:
        advance(1_000_000_000)  # left by an earlier run: no part of the speed
        for _ in range(4):
            clock(4)
            advance(40_000_000)
    assert stream.getvalue().splitlines() == [
        "epsinas: large.pth: 1.12 GB of 5 GB, 22 %, 6 min left",
        "epsinas: large.pth: 1.16 GB in 16 s",
    ]


def test_a_work_of_unknown_size_and_one_that_is_not_of_bytes(clock):
    stream = io.StringIO()
    for total, unit in ((None, "B"), (15_625, " networks")):
        with on_console(stream)("work", total, unit) as advance:
            advance(0)
            clock(10)
            advance(1562)
    assert stream.getvalue().splitlines() == [
        "epsinas: work: 1.56 kB",
        "epsinas: work: 1.56 kB in 10 s",
        "epsinas: work: 1,562 of 15,625 networks, 10 %, 90 s left",
        "epsinas: work: 1,562 networks in 10 s",
    ]


def test_a_work_that_fails_ends_without_a_word(clock):
    stream = io.StringIO()
    with pytest.raises(KeyboardInterrupt), on_console(stream)("work", 10):
        raise KeyboardInterrupt
    assert stream.getvalue() == ""
