"""The ledger: every number that the paper prints against what a run reproduces."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from epsinas.errors import InputError
from epsinas.paper.cells import Row
from epsinas.paper.published import read_published
from epsinas.study.page import PAGES

VERDICTS = ("reproduced", "agrees", "differs", "not run", "quoted")
"""A number that came from other inputs than the paper's agrees with it; it does not reproduce it."""

_KEY = ["table", "block", "row", "column"]
_COLUMNS = [*_KEY, "published", "reproduced", "interval_low", "interval_high", "verdict", "note"]


def verdict(published: str, reproduced: float, low: float = np.nan, high: float = np.nan) -> str:
    """Compare a printed number with a reproduced one.

    Args:
        published: as printed, such as `0.70`; its digits say how precisely.
        reproduced: what the run gives.
        low: lower end of the interval in which another run would land, NaN if unknown.
        high: upper end.

    Returns:
        `reproduced` where the published number lies inside the interval (ends included), or the reproduced one
        rounds to it, that is, is no more than half a unit of the last printed digit away; otherwise `differs`.

    Raises:
        InputError: `published` is not a number.
    """
    try:
        printed = Decimal(published)
    except ArithmeticError:
        raise InputError(f"published: found {published!r}, expected a number") from None
    unit = 10.0 ** int(printed.as_tuple().exponent)
    # The slack is for binary fractions: 0.125 rounds to 0.13 as well as to 0.12.
    rounds = abs(reproduced - float(printed)) <= 0.5 * unit * (1 + 1e-9)
    return "reproduced" if rounds or low <= float(printed) <= high else "differs"


def ledger(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Set the published record against the tables of a run.

    Args:
        tables: by the name of their page, the tables that the run made; others are `not run`.

    Returns:
        A row for each of the 860 published numbers, in their order: `table`, `block`, `row`, `column`, `published`
        (text), `reproduced`, `interval_low`, `interval_high` (empty where unknown), `verdict` (one of VERDICTS) and
        `note`: the reason where it is `not run`, and what else explains the numbers.

    Raises:
        InputError: there is no page of such a name.
    """
    cells: dict[tuple[Any, ...], dict[str, Any]] = {}
    numbers = set()
    for name, table in tables.items():
        page = PAGES[name]
        numbers.add(page.number)
        for cell in page.cells(table) if page.cells else ():
            cells[(page.number, cell.pop("block"), cell.pop("row"), cell.pop("column"))] = cell
    rows = []
    for printed in read_published().to_dict("records"):
        key = tuple(printed[name] for name in _KEY)
        entry = dict(zip(_KEY, key, strict=True)) | {"published": printed["value"]}
        entry |= _without_cell(printed, numbers) if key not in cells else _judged(cells[key], printed)
        rows.append(entry)
    return pd.DataFrame(rows, columns=_COLUMNS)


def count_verdicts(entries: pd.DataFrame) -> pd.DataFrame:
    """Count the verdicts of each table.

    Returns:
        `table`, `numbers`, and a column for each of VERDICTS; the last row, `all`, has the totals.
    """
    counts = pd.crosstab(entries["table"], entries["verdict"]).reindex(columns=VERDICTS, fill_value=0)
    counts.insert(0, "numbers", counts.sum(axis=1))
    counts = counts.reset_index().astype({"table": str})
    totals = {"table": "all", **counts.drop(columns="table").sum().to_dict()}
    return pd.concat([counts, pd.DataFrame([totals])], ignore_index=True).rename_axis(columns=None)


def _judged(cell: dict[str, Any], printed: Row) -> dict[str, Any]:
    """Complete a cell with its verdict; a value that the run does not have is `not run`."""
    if "verdict" in cell:
        return cell
    if not np.isfinite(cell["reproduced"]):
        return cell | {"verdict": "not run", "note": cell.get("note") or "the run has no value"}
    ends = cell.get("interval_low", np.nan), cell.get("interval_high", np.nan)
    found = verdict(printed["value"], cell["reproduced"], *ends)
    if stand_in := cell.get("stand_in"):
        note = "; ".join(filter(None, [f"on {stand_in} in the place of the paper's inputs", cell.get("note")]))
        return cell | {"verdict": "agrees" if found == "reproduced" else found, "note": note}
    return cell | {"verdict": found}


def _without_cell(printed: Row, numbers: set[int | None]) -> dict[str, str]:
    """Say why a published number has no counterpart in the run."""
    number, row = int(printed["table"]), printed["row"]
    if number == 4 and row != "epsilon":
        return {"verdict": "quoted", "note": "others' scores: the networks of the experiments have no head and no loss"}
    if number in (1, 3) and row != "epsilon":
        return {"verdict": "not run", "note": "the study does not compare this metric"}
    if number not in numbers:
        return {"verdict": "not run", "note": f"table {number} is not part of this run"}
    if printed["column"] == "cost_hours":
        return {"verdict": "not run", "note": "the run did not measure this cost"}
    return {"verdict": "not run", "note": "the run has no such row"}
