"""What the ledger compares: how pages turn the rows of their tables into cells of the paper's."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from epsinas.datasets.base import title
from epsinas.evaluation.intervals import combined_interval, share_interval
from epsinas.evaluation.ranking import RANGES, SIX
from epsinas.metrics.base import ALIASES
from epsinas.paper.published import read_published

Row = Mapping[Hashable, Any]
"""A row of a table, as `to_dict("records")` gives it."""

LedgerCell = dict[str, Any]
"""`block`, `row` and `column` as the record of published numbers has them, and what the run has; see `Page.cells`.

`stand_in` says what stood in the place of the paper's inputs: such a number is never reproduced, it agrees or differs.
"""

TRIED = {5: 5000, 6: 5000, 7: 5000, 10: 1000, 11: 5000}
"""Networks that the paper tried for its counts; Table 10's by the released notebook."""

SELECTED = "the sample has no recipes whose training failed"

_ROUNDINGS = 100
"""A score of fewer roundings has hardly any digits."""


def published_precision(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in the precision that was published; a table of scores may have others."""
    return table[table["precision"] == "single"]


def block_of(row: Row) -> str:
    """Return how the paper calls the data set of a table's row."""
    return title(row["dataset"])


def stand_in_of(row: Row) -> str:
    """Return what stands in the place of the paper's inputs in a table's row; empty where nothing does."""
    found = row.get("stand_in", "")
    return found if isinstance(found, str) else ""


def printed_name(metric: str) -> str:
    """Return how the paper calls a metric, wherever its scores come from.

    Example:
        >>> printed_name("nwot@published"), printed_name("epsilon")
        ('naswot', 'epsilon')
    """
    name = metric.partition("@")[0]
    return ALIASES.get(name, name)


def most_covering(rows: Sequence[Row], name: str, within: Sequence[str], size: Callable[[Row], float]) -> list[Row]:
    """Return one row for each printed name and group: of several sources of scores, the one with the most networks.

    Args:
        rows: of a table.
        name: the column with the metric.
        within: columns that tell groups apart.
        size: how many networks a row is over; NaN and missing values count as none.
    """
    chosen: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = (printed_name(row[name]), *(row[column] for column in within))
        if key not in chosen or np.nan_to_num(size(row)) > np.nan_to_num(size(chosen[key])):
            chosen[key] = row
    return list(chosen.values())


def fullest_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return, of a table that ranks metrics, the published precision and of each metric the source of most networks."""
    rows = published_precision(table).to_dict("records")
    return pd.DataFrame(most_covering(rows, "metric", ["space", "dataset"], lambda row: row["archs"]))


def identity_of(row: Row, name: str) -> LedgerCell:
    """Return where the paper has the numbers of a table's row, which it calls `name`, and what they came from."""
    return {"block": block_of(row), "row": name, "stand_in": stand_in_of(row)}


def pair_of(row: Row) -> str:
    """Return how the published record calls the pair of weights of a table's row."""
    return f"{row['weight_low']:g},{row['weight_high']:g}"


def six_cells(row: Row, identity: LedgerCell, note: str = "") -> Iterator[LedgerCell]:
    """Yield the cells of the six measures of a table's row."""
    for name in SIX:
        ends = {"interval_low": row[f"{name}_low"], "interval_high": row[f"{name}_high"]}
        yield identity | {"column": name, "reproduced": row[name], "note": note} | ends


def rounding_note(row: Row) -> str:
    """Say where a row's scores in single precision are of the size of its rounding, which no two machines share."""
    limited = row.get("rounding_limited")
    if limited is not None and np.isfinite(limited):
        return f"rounding limits {limited:.0f} of {row['scored']} scores" if limited else ""
    if abs(row["median_score"]) < _ROUNDINGS * np.finfo(np.float32).eps:
        return (
            f"the median score, {row['median_score']:.1e}, is within {_ROUNDINGS} roundings of single precision: "
            "the order of additions decides"
        )
    return ""


def sampled_interval(row: Row, name: str) -> dict[str, float]:
    """Return the interval of a measure over batches and over samples of networks."""
    kinds = [kind for kind in ("", "_sample") if f"{name}{kind}_low" in row]
    ends = [(row[f"{name}{kind}_low"], row[f"{name}{kind}_high"]) for kind in kinds]
    low, high = combined_interval(row[name], *ends, bounds=RANGES[name])
    return {"interval_low": low, "interval_high": high}


def sampled_cells(
    name: Callable[[Row], str], number: int, note: str = "", on_counts: str = ""
) -> Callable[[pd.DataFrame], Iterator[LedgerCell]]:
    """Return what gives the cells of a table over a sample of the networks that the paper has.

    Intervals are over batches and over networks; counts among networks are compared as shares of those tried.

    Args:
        name: how a row is called in the record.
        number: of the table in the paper.
        note: on every cell.
        on_counts: on those of counts.
    """

    def cells(table: pd.DataFrame) -> Iterator[LedgerCell]:
        for row in published_precision(table).to_dict("records"):
            yield from _sampled_row(row, identity_of(row, name(row)), number, note, on_counts)

    return cells


def _sampled_row(row: Row, identity: LedgerCell, number: int, note: str, on_counts: str) -> Iterator[LedgerCell]:
    networks = int(row["networks"])
    about = f"over {row['archs']:,} of {networks:,} networks; interval over batches and networks"
    limits = rounding_note(row)
    for name in SIX:
        cell = identity | {"column": name}
        if name == "top64_top5" and networks != TRIED.get(number):
            yield cell | {"verdict": "not run", "note": "a count among more networks than the run has"}
            continue
        cell |= {"reproduced": row[name]} | sampled_interval(row, name)
        yield cell | {"note": "; ".join(filter(None, [about, limits, note]))}
    if number in TRIED:
        tried = TRIED[number]
        low, high = share_interval(int(row["scored"]), networks)
        share = row["scored"] / networks
        text = f"{share:.1%} of {networks:,} networks, as a number of {tried:,}"
        cell = identity | {
            "column": "archs",
            "reproduced": share * tried,
            "note": "; ".join(filter(None, [text, note, on_counts])),
        }
        yield cell | {"interval_low": low * tried, "interval_high": high * tried}


def comparable_counts(cells: Iterator[LedgerCell], networks: int, number: int) -> Iterator[LedgerCell]:
    """Leave out of a table's cells the counts among other networks than the paper tried for it."""
    for cell in cells:
        if cell["column"] in ("archs", "top64_top5") and networks != TRIED[number]:
            identity = {name: cell[name] for name in ("block", "row", "column")}
            note = f"a count among {TRIED[number]:,} networks; the run has {networks:,}"
            yield identity | {"verdict": "not run", "note": note}
        else:
            yield cell


def needs_whole_space(cell: LedgerCell) -> LedgerCell:
    """Return a cell that a sample of the networks does not have."""
    return {name: cell[name] for name in ("block", "row", "column")} | {
        "verdict": "not run",
        "note": "a count over the whole space; the run has a sample",
    }


def with_published_shares(table: pd.DataFrame, number: int) -> pd.DataFrame:
    """Add how large a share of the networks has a score, in the run and in print (Tables 5 and 7).

    Args:
        table: a row for each data set and pair of weights, with `scored` and `networks`.
        number: of the table in the paper.

    Returns:
        The table with the columns `share` and `published_share`, empty where the paper has no such pair.
    """
    printed = read_published().query("table == @number and column == 'archs'")
    shares = printed.set_index(["block", "row"])["value"].astype(float) / TRIED[number]
    keys = [(block_of(row), pair_of(row)) for row in table.to_dict("records")]
    published = [shares.get(key, np.nan) for key in keys]
    return table.assign(share=table["scored"] / table["networks"], published_share=published)
