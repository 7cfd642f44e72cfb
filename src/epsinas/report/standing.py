"""Where a metric of one's own stands, as one page that opens without a network: what is printed, and it drawn.

It looks as the report of a study does, and needs nothing that comes with the workflow.
"""

from __future__ import annotations

import math
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

import pandas as pd

from epsinas.bench.text import TEXTS, TextTable, footnote, in_sentences, tables
from epsinas.paper.presentation import PrintedColumn, PrintedTable

if TYPE_CHECKING:
    from epsinas.bench.standing import Standing

_BETTER, _WORSE, _NEITHER = "#0072b2", "#d55e00", "#59636e"
"""Colours that are told apart without red and green (Okabe and Ito)."""

_ROW, _LABELS, _WIDTH, _MARGIN = 22, 230, 760, 24


def render_standing(standing: Standing, name: str) -> str:
    """Return the page.

    Args:
        standing: of a metric.
        name: of the metric, or of the file with its scores.
    """
    title = f"{name} on {standing.title}"
    sections = {"Differences to the other metrics": f"{forest(standing.others)}<figcaption>{_CAPTION}</figcaption>"}
    for table in tables(standing):
        note = f'<p class="notes">{escape(table.note)}</p>' if table.note else ""
        sections[table.title] = f'<div class="scroll" tabindex="0">{_printed(table).html()}</div>{note}'
    contents = "".join(f'<li><a href="#section-{at}">{escape(head)}</a></li>' for at, head in enumerate(sections))
    figures = "".join(
        f'<figure id="section-{at}" class="{"drawn" if at == 0 else "table"}"><h2>{escape(head)}</h2>{content}</figure>'
        for at, (head, content) in enumerate(sections.items())
    )
    found = "".join(f"<p>{escape(one[0].upper() + one[1:])}.</p>" for one in in_sentences(standing))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{_read("report.css")}</style>
</head>
<body>
<nav aria-label="Contents"><p><a href="#top"><b>epsinas</b><br>{escape(name)}</a></p>
<details open><summary>Contents</summary><ol>{contents}</ol></details></nav>
<main id="top">
<header><h1>{escape(title)}</h1>{found}<p class="notes">{escape(footnote(standing))}</p></header>
{figures}
</main>
<script>{_read("report.js")}</script>
</body>
</html>
"""


_CAPTION = (
    "Spearman's rho of this metric less that of each other one on the same networks, with 95 % intervals. Filled: on "
    "the networks that most metrics share; hollow: on those that both score. Blue: this metric ranks better; orange: "
    "worse; grey: the interval has both."
)


def forest(others: pd.DataFrame) -> str:
    """Draw the differences to other metrics with their intervals, as SVG.

    Args:
        others: as `Standing.others`.
    """
    rows = others.to_dict("records")
    ends = [row[f"difference{end}"] for row in rows for end in ("", "_low", "_high")]
    known = [end for end in ends if math.isfinite(end)]
    step = _step(max([*known, 0.0]) - min([*known, 0.0]))
    low = math.floor(min([*known, 0.0]) / step)
    high = max(math.ceil(max([*known, 0.0]) / step), low + 1)

    def x(value: float) -> float:
        return _LABELS + (value / step - low) / (high - low) * (_WIDTH - _LABELS - _MARGIN)

    bottom = _ROW * len(rows) + 8
    parts = []
    for tick in range(low, high + 1):
        at, colour = x(tick * step), "#eef1f4" if tick else "#1b1f24"
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{bottom}" stroke="{colour}"/>')
        label = f"{tick * step:+.3g}"
        parts.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle" fill="{_NEITHER}">{label}</text>')
    for place, row in enumerate(rows):
        y = _ROW * place + _ROW / 2 + 4
        value, start, end = (row[f"difference{one}"] for one in ("", "_low", "_high"))
        colour = _BETTER if start > 0 else _WORSE if end < 0 else _NEITHER
        parts.append(f'<text x="{_LABELS - 12}" y="{y + 4:.0f}" text-anchor="end">{escape(row["title"])}</text>')
        if not math.isfinite(value):
            continue
        if math.isfinite(start) and math.isfinite(end):
            line = f'x1="{x(start):.1f}" x2="{x(end):.1f}" y1="{y}" y2="{y}"'
            parts.append(f'<line {line} stroke="{colour}" stroke-width="2"/>')
        fill = colour if row["common"] else "white"
        parts.append(
            f'<circle cx="{x(value):.1f}" cy="{y}" r="4" stroke="{colour}" stroke-width="2" fill="{fill}">'
            f"<title>{escape(row['title'])}: {value:+.3f}</title></circle>"
        )
    middle = (x(low * step) + x(high * step)) / 2
    label = f'<text x="{middle:.0f}" y="{bottom + 36}" text-anchor="middle">difference of rho</text>'
    box = (
        f'viewBox="0 0 {_WIDTH} {bottom + 44}" width="{_WIDTH}" style="max-width: 100%; height: auto; font-size: 13px"'
    )
    name = 'role="img" aria-label="differences of rho to other metrics" fill="currentColor"'
    return f"<svg {box} {name}>{''.join(parts)}{label}</svg>"


def _step(width: float) -> float:
    """Return a round distance of ticks of which five or fewer go into a width."""
    rough = max(width, 1e-3) / 5
    power = 10 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _printed(table: TextTable) -> PrintedTable:
    """Return a table whose columns sort by what they show: numbers by the value before an interval."""
    cells = list(zip(*table.rows, strict=True))
    columns = []
    for title, column in zip(table.columns, cells, strict=True):
        keys = [cell if title in TEXTS else _value(cell) for cell in column]
        columns.append(PrintedColumn(title, column, tuple(keys), numeric=title not in TEXTS))
    return PrintedTable(tuple(columns), ())


def _value(cell: str) -> float:
    """Read the number that a cell begins with, NaN where there is none; `< 0.001` is 0."""
    first = cell.replace(",", "").partition(" ")[0]
    if first == "<":
        return 0.0
    try:
        return float(first)
    except ValueError:
        return math.nan


def _read(name: str) -> str:
    return files("epsinas.report").joinpath(name).read_text(encoding="utf-8")
