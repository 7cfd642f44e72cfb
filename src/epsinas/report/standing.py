"""A metric's standing as one page that opens without a network: the sections of `text`, and the differences drawn."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from epsinas.bench.text import TEXTS, Table, footnote, headline, tables

if TYPE_CHECKING:
    from epsinas.bench.standing import Standing

_STYLE = """
:root { --ink: #1b1f24; --quiet: #59636e; --line: #d8dee4; color: var(--ink); background: white;
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; }
h1, h2 { line-height: 1.2; font-weight: 600; }
h1 { font-size: 1.7rem; margin: 0 0 .4rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .6rem; }
p { max-width: 46rem; }
.lead { font-size: 1.1rem; margin: .3rem 0; }
.note { color: var(--quiet); font-size: .88rem; margin: .4rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .84rem; line-height: 1.35; font-variant-numeric: tabular-nums;
  border-top: 2px solid var(--ink); border-bottom: 2px solid var(--ink); }
th, td { padding: .25rem .7rem .25rem 0; text-align: right; white-space: nowrap; }
th { border-bottom: 1px solid var(--ink); font-weight: 600; }
td { border-bottom: 1px solid #eef1f4; }
.text { text-align: left; }
svg { max-width: 100%; height: auto; font-size: 13px; }
@media print { @page { size: A4; margin: 14mm 12mm; } body { padding: 0; } table { font-size: 7.5pt; }
  h2 { break-after: avoid; } tr, svg { break-inside: avoid; } .scroll { overflow: visible; } }
"""

_BETTER, _WORSE, _NEITHER = "#0072b2", "#d55e00", "#59636e"
"""Colours that are told apart without red and green (Okabe and Ito)."""

_ROW, _LABELS, _WIDTH, _MARGIN = 22, 230, 760, 16


def as_page(standing: Standing, name: str) -> str:
    """Return the page.

    Args:
        standing: of a metric.
        name: of the metric, or of the file with its scores.
    """
    title = f"{name} on {standing.title}"
    parts = [f"<h1>{escape(title)}</h1>", *(f'<p class="lead">{escape(line)}.</p>' for line in headline(standing))]
    parts.append(f'<p class="note">{escape(footnote(standing))}</p>')
    if len(standing.others):
        parts += ["<h2>Differences to the other metrics</h2>", forest(standing.others)]
        parts.append(f'<p class="note">{_CAPTION}</p>')
    parts += map(_html, tables(standing))
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head += f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(parts) + "\n</body></html>\n"


_CAPTION = (
    "Spearman's rho of this metric less that of each other one on the same networks, with 95 % intervals. Filled: on "
    "the networks that most metrics share; hollow: on those that both score. Blue: this metric ranks better; orange: "
    "worse; grey: the interval has both."
)


def forest(others: pd.DataFrame) -> str:
    """Draw the differences to other metrics with their intervals, as SVG.

    Args:
        others: `Standing.others`.
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
    return (
        f'<svg viewBox="0 0 {_WIDTH} {bottom + 44}" width="{_WIDTH}" role="img" '
        f'aria-label="differences of rho to other metrics" fill="currentColor">{"".join(parts)}{label}</svg>'
    )


def _step(width: float) -> float:
    """Return a round distance of ticks of which five or fewer go into a width."""
    rough = max(width, 1e-3) / 5
    power = 10 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _html(table: Table) -> str:
    head = "".join(f"<th{_class(name)}>{escape(name)}</th>" for name in table.columns)
    rows = (
        "".join(f"<td{_class(name)}>{escape(cell)}</td>" for name, cell in zip(table.columns, row, strict=True))
        for row in table.rows
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<h2>{escape(table.title)}</h2><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{note}"
    )


def _class(column: str) -> str:
    return ' class="text"' if column in TEXTS else ""
