"""What a page is: a table or a figure of the paper or of this project."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import pandas as pd

from epsinas.registry import Registry
from epsinas.spaces.base import Space

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from epsinas.study.config import Section
    from epsinas.study.plan import Plan, Run
    from epsinas.study.results import Results


@dataclass(frozen=True)
class Request:
    """The files that a page is made of.

    Attributes:
        runs: whose scores.
        networks: search spaces, whose networks' description.
        data: retrieved files, such as `nas-bench-201.performance.parquet`.
        weights: (space, data set) for which weights are chosen.
        files: of one's own, by path.
    """

    runs: tuple[Run, ...] = ()
    networks: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    weights: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()

    def __or__(self, other: Request) -> Request:
        """Return the request of everything that either requests, each once."""
        return Request(
            **{
                field.name: tuple(dict.fromkeys(getattr(self, field.name) + getattr(other, field.name)))
                for field in fields(self)
            }
        )

    @property
    def spaces(self) -> tuple[str, ...]:
        """The search spaces that the page is about."""
        named = [run.space for run in self.runs] + [*self.networks] + [space for space, _ in self.weights]
        return tuple(dict.fromkeys(named))


def request_of_trained(
    plan: Plan, runs: Callable[[Plan, str], Sequence[Run]], asked: Callable[[Section], object]
) -> Request | None:
    """Return the request of runs, networks and performances of every space that is asked for and has performances."""
    found = Request()
    for name, section in plan.sections.items():
        if section["performance"] and asked(section):
            data = (f"{name}.performance.parquet",)
            found |= Request(runs=tuple(runs(plan, name)), networks=(name,), data=data)
    return found if found.networks else None


@dataclass(frozen=True)
class Page:
    """A table, a figure, or both.

    Attributes:
        name: of its files.
        title: one line that says what it shows.
        caption: two sentences that say what to see in it.
        request: what it is made of in a study, None where the study does not have it.
        table: makes the table of what was requested; if `with_draws`, and a table of every draw by itself.
        figure: draws the figure, of the table if there is one, and otherwise of what was requested.
        number: of the table in the paper, for the ledger.
        cells: gives what the ledger compares, of the table: dictionaries with `block`, `row` and `column` as in the
            record of published numbers, and `reproduced`, `interval_low`, `interval_high`, `note` or a `verdict`.
        with_draws: whether there is a table of draws.
        shown: makes of the table what people read: fewer rows, or columns in another order; None for all of it.
        options: what the page adds to the section of a search space in a study: JSON schemas by dotted key.
        admits: which search spaces' sections have the options.
        memory: megabytes that its jobs take.
    """

    name: str
    title: str
    request: Callable[[Plan], Request | None]
    caption: str = ""
    table: Callable[[Results], Any] | None = None
    figure: Callable[[Results], Figure] | None = None
    number: int | None = None
    cells: Callable[[pd.DataFrame], Iterator[dict[str, Any]]] | None = None
    with_draws: bool = False
    shown: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    admits: Callable[[type[Space]], bool] = field(default=lambda space: True)
    memory: int = 4000


def count_option(description: str, default: int, minimum: int = 1) -> dict[str, Any]:
    """Return the JSON schema of an option that is a whole number."""
    return {"description": description, "type": "integer", "minimum": minimum, "default": default}


PAGES: Registry[Page] = Registry("page", "epsinas.pages", "PAGE")
