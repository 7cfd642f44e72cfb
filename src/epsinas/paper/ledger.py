"""The ledger: every number that the paper prints against what a run reproduces."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

import numpy as np
import pandas as pd

from epsinas.errors import InputError
from epsinas.evaluation.intervals import combined_interval, repeated_mean_interval, share_interval
from epsinas.evaluation.ranking import RANGES, SIX
from epsinas.evaluation.runs import SPACE_TITLES, TITLES
from epsinas.metrics.random_pair import PRINTED
from epsinas.paper.published import read_published

VERDICTS = ("reproduced", "differs", "not run", "quoted")

_KEY = ["table", "block", "row", "column"]
_COLUMNS = [*_KEY, "published", "reproduced", "interval_low", "interval_high", "verdict", "note"]

_INPUTS = {
    "Real data": "real",
    "Grey scale": "grey_scale",
    "Random normal": "random_normal",
    "Random uniform": "random_uniform",
    "Random uniform (+)": "random_uniform_positive",
}
_TRAIN_ONLY = [(method, "cifar10_test") for method in ("synflow", "grad_norm", "grasp", "snip", "fisher")]
_TRAIN_ONLY_NOTE = (
    "the printed value is only 0.2 to 0.4 above the printed validation accuracy, in all other rows 2.7 or more: "
    "probably networks trained without the validation images"
)
_SPACE = 15625
"""Networks in NAS-Bench-201; counts over a sample of them are no reproduction."""

_TRIED = {5: 5000, 7: 5000, 10: 1000}
"""Networks that the paper tried for its counts; Table 10's by the released notebook."""

_ROUNDINGS = 100
"""A score of fewer roundings has hardly any digits."""

_UNDERFLOW = (
    "a network has no score where its outputs underflow; some devices also flush outputs below the normal numbers "
    "of single precision to 0"
)
"""Why counts of Table 5 may differ beyond the sample: such are the outputs of one to five networks in a hundred."""

_SELECTED = "the sample has no recipes whose training failed"


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


def ledger(tables: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """Set the published record against the tables of a run.

    Args:
        tables: by their number in the paper, the tables that the run made; others are `not run`.

    Returns:
        A row for each of the 860 published numbers, in their order: `table`, `block`, `row`, `column`, `published`
        (text), `reproduced`, `interval_low`, `interval_high` (empty where unknown), `verdict` (one of VERDICTS) and
        `note`: the reason where it is `not run`, and what else explains the numbers.

    Raises:
        InputError: there is no reader for a table of this number.
    """
    cells: dict[tuple, dict] = {}
    for number, table in tables.items():
        if number not in _READERS:
            raise InputError(f"ledger: found table {number}, expected one of {', '.join(map(str, _READERS))}")
        for cell in _READERS[number](table):
            cells[(number, cell.pop("block"), cell.pop("row"), cell.pop("column"))] = cell
    rows = []
    for printed in read_published().to_dict("records"):
        key = tuple(printed[name] for name in _KEY)
        entry = dict(zip(_KEY, key, strict=True)) | {"published": printed["value"]}
        entry |= _without_cell(printed, tables) if key not in cells else _judged(cells[key], printed)
        rows.append(entry)
    return pd.DataFrame(rows, columns=_COLUMNS)


def with_published_shares(table: pd.DataFrame, number: int) -> pd.DataFrame:
    """Add how large a share of the networks has a score, in the run and in print (Tables 5 and 7).

    Args:
        table: a row for each dataset and pair of weights, with `scored` and `networks`.
        number: of the table in the paper.

    Returns:
        The table with the columns `share` and `published_share`, empty where the paper has no such pair.
    """
    printed = read_published().query("table == @number and column == 'archs'")
    shares = printed.set_index(["block", "row"])["value"].astype(float) / _TRIED[number]
    keys = [(_block(row), _pair(row)) for row in table.to_dict("records")]
    return table.assign(share=table["scored"] / table["networks"], published_share=[shares.get(key) for key in keys])


def summarise(entries: pd.DataFrame) -> pd.DataFrame:
    """Count the verdicts of each table.

    Returns:
        `table`, `numbers`, and a column for each of VERDICTS; the last row, `all`, has the totals.
    """
    counts = pd.crosstab(entries["table"], entries["verdict"]).reindex(columns=VERDICTS, fill_value=0)
    counts.insert(0, "numbers", counts.sum(axis=1))
    counts = counts.reset_index().astype({"table": str})
    totals = {"table": "all", **counts.drop(columns="table").sum().to_dict()}
    return pd.concat([counts, pd.DataFrame([totals])], ignore_index=True).rename_axis(columns=None)


def _judged(cell: dict, printed: Mapping[str, str]) -> dict:
    """Complete a cell with its verdict; a value that the run does not have is `not run`."""
    if "verdict" in cell:
        return cell
    if not np.isfinite(cell["reproduced"]):
        return cell | {"verdict": "not run", "note": cell.get("note") or "the run has no value"}
    ends = cell.get("interval_low", np.nan), cell.get("interval_high", np.nan)
    return cell | {"verdict": verdict(printed["value"], cell["reproduced"], *ends)}


def _without_cell(printed: Mapping[str, str], tables: Mapping[int, pd.DataFrame]) -> dict:
    """Say why a published number has no counterpart in the run."""
    number, row = int(printed["table"]), printed["row"]
    if row == "grad_sign":
        return {"verdict": "quoted", "note": "printed from the paper of grad_sign"}
    if number in (1, 3, 4) and row != "epsilon":
        return {"verdict": "not run", "note": "scores of other metrics are not part of this study yet"}
    if number not in tables:
        return {"verdict": "not run", "note": f"table {number} is not part of this run"}
    if printed["column"] == "cost_hours":
        return {"verdict": "not run", "note": "the run did not measure this cost"}
    return {"verdict": "not run", "note": "the run has no such row"}


def _six(row: Mapping, identity: dict, note: str = "") -> Iterator[dict]:
    """Cells of the six evaluation scores of a table's row."""
    for name in SIX:
        ends = {"interval_low": row[f"{name}_low"], "interval_high": row[f"{name}_high"]}
        yield identity | {"column": name, "reproduced": row[name], "note": note} | ends


def _published_precision(table: pd.DataFrame) -> pd.DataFrame:
    """Rows in the precision that was published; a table of scores may have others."""
    return table[table["precision"] == "single"]


def _block(row: Mapping) -> str:
    """How the paper calls the dataset of a table's row."""
    return TITLES.get(row["dataset"], row["dataset"])


def _pair(row: Mapping) -> str:
    """How the published record calls the pair of weights of a table's row."""
    return f"{row['weight_low']:g},{row['weight_high']:g}"


def _table_1(table: pd.DataFrame) -> Iterator[dict]:
    for row in _published_precision(table).to_dict("records"):
        yield from _six(row, {"block": _block(row), "row": row["metric"]})


def _table_2(table: pd.DataFrame) -> Iterator[dict]:
    for row in table.to_dict("records"):
        row |= {name: row[name] if isinstance(row[name], str) else "" for name in ("note", "missing", "cost_origin")}
        identity = {"block": row["block"], "row": row["method"]}
        if row["origin"] == "quoted":
            means = [name.removesuffix("_mean").lower() for name in row if name.endswith("_mean")]
            for column in ["cost_hours", *means]:
                yield identity | {"column": column, "verdict": "quoted", "note": "a result of other authors"}
            continue
        if np.isfinite(row["cost_hours"]):
            note = row["cost_origin"]
            note += "; a time, which depends on the machine" if note.startswith("measured") else ""
            yield identity | {"column": "cost_hours", "reproduced": row["cost_hours"], "note": note}
        for name in (name for name in row if name.endswith("_mean")):
            column = name.removesuffix("_mean")
            mean, deviation = row[name], row[f"{column}_sd"]
            note = "not in the data source" if column in row["missing"] else "not recomputed"
            if np.isfinite(mean):
                about = [
                    part for part in row["note"].split("; ") if part.partition(":")[0] == column.rpartition("_")[0]
                ]
                note = "; ".join([f"sd {deviation:.2f} over {row['runs']:.0f} runs", *about])
                if (row["method"], column) in _TRAIN_ONLY:
                    note += f"; {_TRAIN_ONLY_NOTE}"
            low, high = repeated_mean_interval(mean, deviation, max(int(row["runs"]), 1))
            ends = {"interval_low": low, "interval_high": high}
            yield identity | {"column": column.lower(), "reproduced": mean, "note": note} | ends


def _rounding_note(row: Mapping) -> str:
    """Say where a row's scores in single precision are of the size of its rounding, which no two machines share."""
    limited = row.get("rounding_limited")
    if limited is not None and np.isfinite(limited):
        return f"rounding limits {limited:.0f} of {row['scored']} scores" if limited else ""
    if row["median_score"] < _ROUNDINGS * np.finfo(np.float32).eps:
        return (
            f"the median score, {row['median_score']:.1e}, is within {_ROUNDINGS} roundings of single precision: "
            "the order of additions decides"
        )
    return ""


def _table_6(table: pd.DataFrame) -> Iterator[dict]:
    for row in _published_precision(table).to_dict("records"):
        identity = {"block": _block(row), "row": _pair(row)}
        yield identity | {"column": "archs", "reproduced": row["archs"], "note": f"of {row['networks']} networks"}
        yield from _six(row, identity, _rounding_note(row))


def _table_8(table: pd.DataFrame) -> Iterator[dict]:
    for row in table.to_dict("records"):
        identity = {"block": SPACE_TITLES[row["space"]], "row": _block(row)}
        note = f"the released rule; {row['automatic_archs']:.0f} of {row['networks']} random networks have a score"
        if np.isfinite(row["published_archs"]):
            note += f", {row['published_archs']:.0f} under the published pair"
        for end in ("low", "high"):
            yield identity | {"column": f"weight_{end}", "reproduced": row[f"automatic_{end}"], "note": note}


def _table_9(table: pd.DataFrame) -> Iterator[dict]:
    for row in table.to_dict("records"):
        identity = {
            "block": _block(row),
            "row": PRINTED.get(row["initialisation"], row["initialisation"]),
        }
        sampled = row["networks"] < _SPACE
        note = f"mean of {row['draws']} draws"
        if sampled:
            note += f" over a random sample of {row['networks']:,} networks; interval over draws and networks"
        for cell in _six(row, identity, note):
            cell |= _sampled_interval(row, cell["column"]) if sampled else {}
            if cell["column"] == "spearman_global" and isinstance(row.get("supports"), str):
                cell["note"] += f"; the released notebook has {row['notebook']}; nearer to the {row['supports']}"
            whole_space_only = sampled and cell["column"] == "top64_top5"
            yield _needs_whole_space(cell) if whole_space_only else cell
        cell = identity | {"column": "archs", "reproduced": row["archs"], "note": note}
        yield _needs_whole_space(cell) if sampled else cell


def _needs_whole_space(cell: dict) -> dict:
    return {name: cell[name] for name in ("block", "row", "column")} | {
        "verdict": "not run",
        "note": "a count over the whole space; the run has a sample",
    }


def _table_11(table: pd.DataFrame) -> Iterator[dict]:
    names = {name: printed for printed, name in _INPUTS.items()}
    for row in _published_precision(table).to_dict("records"):
        note = "the same for every batch" if row["inputs"] == "grey_scale" else ""
        identity = {"block": _block(row), "row": names.get(row["inputs"], row["inputs"])}
        yield from _six(row, identity, note)


def _sampled_interval(row: Mapping, name: str) -> dict:
    """The interval of an evaluation score over batches and over samples of networks."""
    kinds = [kind for kind in ("", "_sample") if f"{name}{kind}_low" in row]
    ends = [(row[f"{name}{kind}_low"], row[f"{name}{kind}_high"]) for kind in kinds]
    low, high = combined_interval(row[name], *ends, bounds=RANGES[name])
    return {"interval_low": low, "interval_high": high}


def _sampled(row: Mapping, identity: dict, number: int, note: str, on_counts: str) -> Iterator[dict]:
    """Cells of a row over a sample of the networks that the paper has: intervals over batches and over networks.

    Counts among networks are compared as shares of those tried.
    """
    networks = int(row["networks"])
    about = f"over {row['archs']:,} of {networks:,} networks; interval over batches and networks"
    limits = _rounding_note(row)
    for name in SIX:
        cell = identity | {"column": name}
        if name == "top64_top5" and networks != _TRIED.get(number):
            yield cell | {"verdict": "not run", "note": "a count among more networks than the run has"}
            continue
        cell |= {"reproduced": row[name]} | _sampled_interval(row, name)
        yield cell | {"note": "; ".join(filter(None, [about, limits, note]))}
    if number in _TRIED:
        tried = _TRIED[number]
        low, high = share_interval(int(row["scored"]), networks)
        share = row["scored"] / networks
        text = f"{share:.1%} of {networks:,} networks, as a number of {tried:,}"
        cell = identity | {
            "column": "archs",
            "reproduced": share * tried,
            "note": "; ".join(filter(None, [text, note, on_counts])),
        }
        yield cell | {"interval_low": low * tried, "interval_high": high * tried}


def _sampled_table(name: Callable[[Mapping], str], number: int, note: str = "", on_counts: str = "") -> Callable:
    """Return the reader of a table of samples, given how its rows are called."""

    def read(table: pd.DataFrame) -> Iterator[dict]:
        for row in _published_precision(table).to_dict("records"):
            yield from _sampled(row, {"block": _block(row), "row": name(row)}, number, note, on_counts)

    return read


_READERS = {
    1: _table_1,
    2: _table_2,
    3: _sampled_table(lambda row: row["metric"], 3),
    4: _sampled_table(lambda row: row["metric"], 4, _SELECTED),
    5: _sampled_table(_pair, 5, on_counts=_UNDERFLOW),
    6: _table_6,
    7: _sampled_table(_pair, 7, _SELECTED),
    8: _table_8,
    9: _table_9,
    10: _sampled_table(lambda row: row["inputs"].replace("_", " ").capitalize(), 10, _SELECTED),
    11: _table_11,
}
"""What turns each table of a run into cells: block, row, column, reproduced, the interval's ends, a note."""
