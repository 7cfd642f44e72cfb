"""A metric's standing in words: the same sections for a terminal and for a page."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from epsinas.bench.given import ABSENT, INFINITE, UNDEFINED
from epsinas.evaluation.coefficients import COMMON, FIRST, LAST, OWN

if TYPE_CHECKING:
    from epsinas.bench.standing import Standing

POPULATIONS = {
    "all": "all",
    "connected": "input joined to output",
    "reachable": "no unreachable operations",
    "parameter_free": "a parameter-free path",
    "distinct": "one of each that train alike",
}
"""How sets of networks are called in print."""

_WIDTH = 112
"""Columns of text, about as many as the widest table has."""

_COVERAGES = {
    OWN: "with a score",
    LAST: "{}, those without a score last",
    FIRST: "{}, those without a score first",
    COMMON: "that most metrics share",
}

_MEASURES = {
    "spearman_global": "rho",
    "spearman_top10": "rho among the best 10 %",
    "kendall_global": "tau",
    "kendall_top10": "tau among the best 10 %",
    "top10_top10": "% of the highest 10 % among the best 10 %",
    "top64_top5": "of the 64 highest among the best 5 %",
    "precision": "share of the {} highest among the {} best",
    "best_rank": "best rank among the {} highest",
    "ndcg": "nDCG of the {} highest",
    "regret": "lost by training the {} highest",
    "weighted_kendall": "tau, weighted to the top",
}

_COUNTS = {"parameters_and_flops": "parameters and FLOPs", "flops": "FLOPs", "relus": "ReLUs", "skips": "skip edges"}


TEXTS = ("", "metric", "scores")
"""Columns of texts, all others being of numbers."""


class TextTable(NamedTuple):
    """A table in print: what it is, its columns, its rows, and what to know of it."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""


def in_sentences(standing: Standing) -> list[str]:
    """Say in a few sentences what the metric is worth, and where it stands."""
    own = standing.coefficients.query("coverage == @OWN").iloc[0]
    lines = [
        f"rho {_interval(own, 'spearman')}, tau {_interval(own, 'kendall')}, "
        f"over {own['archs']:,} of {standing.coverage['networks'].iloc[0]:,} networks"
    ]
    common = standing.others[standing.others["common"]]
    if standing.place is None:
        lines.append("without a place among the other metrics, which share too few networks with it, but for pairs")
    else:
        lines.append(
            f"place {standing.place} of {len(common) + 1} metrics on the {common['archs'].iloc[0]:,} networks that "
            f"most of them share: {_verdicts(common)}"
        )
    if standing.sampled:
        lines.append("scores were given of a sample of the networks: the rest is over these, not over all")
    if standing.elsewhere:
        lines.append(f"{standing.elsewhere:,} scores are of networks that the package has no {standing.measure} of")
    return lines


def tables(standing: Standing) -> list[TextTable]:
    """Return all tables of a standing, as texts."""
    everyone = "given" if standing.sampled else "all"
    own = standing.coefficients.query("coverage == @OWN").iloc[0]
    lost = "points of accuracy" if standing.measure == "accuracy" else "nats"
    return [
        TextTable(
            "Networks",
            ("", "networks", "scored", "absent", "NaN", "infinite", "rho", "tau"),
            [
                (
                    POPULATIONS[row["population"]],
                    *(f"{row[name]:,}" for name in ("networks", "scored", ABSENT, UNDEFINED, INFINITE)),
                    *_both(row),
                )
                for row in _rows(standing.coverage)
            ],
            "absent: not among the scores that were given; NaN: also an empty score",
        ),
        TextTable(
            "With and without the networks that have no score",
            ("", "networks", "rho", "tau"),
            [
                (_COVERAGES[row["coverage"]].format(everyone), f"{row['archs']:,}", *_both(row))
                for row in _rows(standing.coefficients)
                if row["coverage"] not in (LAST, FIRST) or row["archs"] > own["archs"]
            ],
        ),
        TextTable(
            "The paper's six measures",
            ("", "value"),
            [(_MEASURES[row["measure"]], _number(row["value"])) for row in _rows(standing.measures)],
            "over the networks with a score",
        ),
        TextTable(
            "Beside the size of the networks",
            ("", "rho"),
            [
                *((f"given {_count(row['given'])}", _interval(row, "spearman")) for row in _rows(standing.partial)),
                *((f"with {_count(row['count'])}", _interval(row, "spearman")) for row in _rows(standing.counts)),
            ],
            "given: partial rank correlation with the performance; with: of the scores with the count itself",
        ),
        TextTable(
            "The top of the ranking",
            ("", "scored", everyone, "by chance"),
            [
                (_top(row["measure"], lost), *(_number(row[name]) for name in ("own", "all", "random")))
                for row in _rows(standing.top)
            ],
            f"{everyone}: networks without a score are ranked last",
        ),
        *_comparisons(standing.others, standing.place),
    ]


def as_text(standing: Standing) -> str:
    """Return everything that is known of a metric's standing, for a terminal."""
    parts = ["\n".join([standing.title, *map(_filled, in_sentences(standing))])]
    for table in tables(standing):
        parts.append("\n".join([table.title, *_aligned(table), *([f"  ({table.note})"] if table.note else [])]))
    return "\n\n".join([*parts, _filled(footnote(standing))])


def _filled(text: str) -> str:
    return textwrap.fill(text, _WIDTH)


def footnote(standing: Standing) -> str:
    """Say how the numbers were made."""
    turned = "" if standing.higher_is_better else " Lower scores predict better networks, and were turned."
    losses = "" if standing.measure == "accuracy" else " Losses were turned, so that a good metric's rho is positive."
    return (
        f"rho: Spearman's; tau: Kendall's tau-b. In brackets 95 % intervals: of rho and differences by "
        f"{standing.resamples:,} resamples (seed {standing.seed}) of whole classes of networks that train alike, "
        f"of tau by the jackknife over classes.{turned}{losses}"
    )


def _comparisons(others: pd.DataFrame, place: int | None) -> list[TextTable]:
    """Return the other metrics on the common networks, and those that are compared in pairs."""
    columns = ("metric", "scores", "networks", "rho", "difference", "p")
    common, rest = others[others["common"]], others[~others["common"]]
    found = []
    if len(common):
        rows = [(str(row["place"]), *_compared(row)) for row in _rows(common)]
        first = common.iloc[0]
        own = (str(place), "this metric", "", f"{first['archs']:,}", _number(first["spearman"]), "", "")
        rows.insert(int((common["place"] < place).sum()), own)
        note = (
            "difference: rho of this metric less the other's; p: Steiger's test, which takes networks for independent"
        )
        found.append(TextTable("Other metrics on the networks that most share", ("place", *columns), rows, note))
    if len(rest):
        rows = [_compared(row) for row in _rows(rest)]
        note = "metrics with scores in fewer than half of the classes of networks that train alike"
        found.append(TextTable("Other metrics, each on the networks that both score", columns, rows, note))
    return found


def _compared(row: dict) -> tuple[str, ...]:
    p = row["steiger_p"]
    return (
        row["title"],
        row["source"].partition(",")[0],
        f"{row['archs']:,}",
        _number(row["spearman_other"]),
        _interval(row, "difference", signed=True),
        "" if np.isnan(p) else "< 0.001" if p < 1e-3 else f"{p:.3f}",
    )


def _verdicts(common: pd.DataFrame) -> str:
    above, below = (common["difference_low"] > 0).sum(), (common["difference_high"] < 0).sum()
    return f"better than {above}, worse than {below}, not told apart from {len(common) - above - below}"


def _aligned(table: TextTable) -> list[str]:
    """Return the lines of a table, texts on the left and numbers on the right."""
    cells = [table.columns, *table.rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(table.columns))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if table.columns[place] in TEXTS else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def _rows(table: pd.DataFrame) -> list[dict]:
    return table.to_dict("records")


def _both(row: dict) -> tuple[str, str]:
    return _interval(row, "spearman"), _interval(row, "kendall")


def _interval(row: dict | pd.Series, name: str, signed: bool = False) -> str:
    """Print a coefficient with its interval, where it has one."""
    value, low, high = (row[name + end] for end in ("", "_low", "_high"))
    if np.isnan(low) or np.isnan(high):
        return _number(value, signed)
    return f"{_number(value, signed)} [{_number(low, signed)}, {_number(high, signed)}]"


def _number(value: float, signed: bool = False) -> str:
    """Print three digits behind the point, fewer of large numbers."""
    if np.isnan(value):
        return "-"
    size = 3 if abs(value) < 10 else 1
    return f"{value:+.{size}f}" if signed else f"{value:.{size}f}"


def _count(name: str) -> str:
    return _COUNTS.get(name, name)


def _top(measure: str, unit: str) -> str:
    name, _, k = measure.rpartition("_")
    if not k.isdigit():
        return _MEASURES[measure]
    label = _MEASURES[name].replace("{}", k)
    return f"{label}, {unit}" if name == "regret" else label
