"""Tables as people read them: of a page's CSV file what changes from row to row, with titles, units and intervals."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from epsinas.datasets.base import DATASETS
from epsinas.datasets.base import title as title_of
from epsinas.metrics.base import metric_title
from epsinas.spaces.base import SPACES
from epsinas.study.page import Page

TITLES = {
    "agreement": "ρ of the two",
    "best_held_out": "ρ of the chosen on the other halves",
    "between": "ρ of the two metrics",
    "archs": "networks compared",
    "automatic_low": "automatic weights",
    "automatic_archs": "scored under the automatic",
    "batch_size": "batch size",
    "common": "common networks",
    "cost_hours": "cost (h)",
    "cost_origin": "cost is",
    "baseline": "best baseline",
    "baseline_spearman": "its ρ",
    "best": "best other metric",
    "best_spearman": "its ρ",
    "coverage": "with a score (%)",
    "dataset": "data set",
    "difference": "difference of ρ",
    "distinct": "distinct networks",
    "given_convolutions": "ρ given convolutions",
    "given_flops": "ρ given FLOPs",
    "given_parameters": "ρ given parameters",
    "given_parameters_and_flops": "ρ given both",
    "guide": "guided by",
    "held_out": "ρ on the other halves",
    "kendall": "Kendall's τ",
    "kendall_common": "τ, common networks",
    "kendall_global": "Kendall's τ",
    "kendall_top10": "τ, 10 % best",
    "largest_difference": "largest difference",
    "largest_move": "largest move (%)",
    "limited": "limited scores",
    "limited_share": "limited (%)",
    "milliseconds": "ms a network",
    "missing": "missing columns",
    "networks": "networks tried",
    "of": "between",
    "other": "other metric",
    "precision_10": "precision at 10",
    "precision_100": "precision at 100",
    "published_low": "published weights",
    "published_archs": "scored under the published",
    "published_share": "in print (%)",
    "rounding_limited": "limited by rounding",
    "same_as": "same as",
    "scored": "with a score",
    "share": "with a score (%)",
    "space": "search space",
    "spearman": "Spearman's ρ",
    "spearman_common": "ρ, common networks",
    "spearman_first": "ρ, others first",
    "spearman_last": "ρ, others last",
    "spearman_other": "ρ of the other",
    "spearman_global": "Spearman's ρ",
    "spearman_top10": "ρ, 10 % best",
    "steiger_p": "Steiger's p",
    "steiger_z": "Steiger's z",
    "stand_in": "in the place of real inputs",
    "top10_top10": "top-10 % in top-10 % (%)",
    "top64_top5": "top-64 in top-5 %",
    "trained": "trained networks",
    "used_low": "weights of this study",
    "used_archs": "scored under these",
    "weight_low": "weights",
    "weighted_kendall": "weighted τ",
    "why": "no score",
    "without_score": "scored in one place only",
}
"""What columns are called in print; others are called as they are, with `WORDS` in their parts."""

WORDS = {
    "flops": "FLOPs",
    "held_out": "ρ on the other halves",
    "kendall": "Kendall's τ",
    "ndcg": "nDCG",
    "rho": "ρ",
    "spearman": "Spearman's ρ",
    "tau": "τ",
}

SHARES = ("coverage", "share", "largest_move")
"""Endings of columns that are shares, and are shown in percent."""

_METRICS = ("metric", "other", "method", "metrics")
_PLAIN = ("population", "inputs", "search", "initialisation", "embedding", "features")
"""Columns of names, and of names whose underscores are spaces."""

_UNSAID = ("draw", "draws", "batches")
"""Columns that say nothing where they do not change."""

_SCIENTIFIC = re.compile(r"(?<![\w.])(-?\d+(?:\.\d+)?)e([+-])0*(\d+)")


@dataclass(frozen=True)
class PrintedColumn:
    """A column as people read it.

    Attributes:
        title: with the unit between brackets.
        cells: text, with ASCII's signs and letters in numbers.
        keys: what the cells are sorted by.
        numeric: whether they are numbers.
    """

    title: str
    cells: tuple[str, ...]
    keys: tuple[Any, ...]
    numeric: bool


@dataclass(frozen=True)
class PrintedTable:
    """A table as people read it.

    Attributes:
        columns: that change from row to row.
        notes: what is to be known beside it, sentences.
    """

    columns: tuple[PrintedColumn, ...]
    notes: tuple[str, ...]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The cells by row."""
        return list(zip(*(column.cells for column in self.columns), strict=True))

    def markdown(self, heading: str, caption: str = "") -> str:
        """Return a page of Markdown."""
        rule = ["---:" if column.numeric else "---" for column in self.columns]
        lines = [[column.title for column in self.columns], rule, *self.rows]
        table = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
        text = " ".join(filter(None, [caption, *self.notes]))
        return "\n".join([f"# {heading}", "", *table, "", *([text, ""] if text else [])])

    def latex(self, heading: str, caption: str = "", label: str = "") -> str:
        r"""Return a table in LaTeX; needs `\usepackage{booktabs, longtable}`."""
        letters = "".join("r" if column.numeric else "l" for column in self.columns)
        head = " & ".join(_latex(column.title) for column in self.columns) + r" \\"
        body = [" & ".join(map(_latex, row)) + r" \\" for row in self.rows]
        text = _latex(" ".join(filter(None, [f"{heading}.", caption, *self.notes])))
        return "\n".join(
            [
                rf"\begin{{longtable}}{{{letters}}}",
                rf"\caption{{{text}}}\label{{tab:{label}}} \\",
                r"\toprule",
                head,
                r"\midrule",
                r"\endfirsthead",
                r"\toprule",
                head,
                r"\midrule",
                r"\endhead",
                r"\bottomrule",
                r"\endlastfoot",
                *body,
                r"\end{longtable}",
                "",
            ]
        )

    def html(self) -> str:
        """Return the element `table`; cells whose text does not sort as it reads say what they sort by."""
        head = "".join(f'<th scope="col"{_kind(column)}>{escape(column.title)}</th>' for column in self.columns)
        body = []
        for place, row in enumerate(self.rows):
            cells = (
                f"<td{_kind(column)}{_order(column, place)}>{_typeset(cell) if column.numeric else escape(cell)}</td>"
                for column, cell in zip(self.columns, row, strict=True)
            )
            body.append(f"<tr>{''.join(cells)}</tr>")
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def present(table: pd.DataFrame) -> PrintedTable:
    """Make a table readable.

    An interval, `x_low` and `x_high` (`lower` and `upper` of a `median`), joins its value `x`, as do a deviation,
    `x_sd` (of `x` or `x_mean`), and the interval over samples, `x_sample_low` and `x_sample_high`. Empty columns are
    left out; what all rows have in common is a note.

    Args:
        table: as a page makes it, its names as in its CSV file.

    Example:
        >>> rows = {"space": "nas-bench-201", "spearman": [0.8084, 0.7], "spearman_low": [0.79, 0.65]}
        >>> shown = present(pd.DataFrame(rows | {"spearman_high": [0.82, 0.75]}))
        >>> shown.columns[0].cells
        ('0.808 [0.79, 0.82]', '0.700 [0.65, 0.75]')
        >>> shown.notes[0]
        'In every row: search space NAS-Bench-201.'
    """
    filled = [str(name) for name in table if not _is_empty(table[name])]
    kept, common, brackets = [], [], set()
    for name in filled:
        if _companion_of(name, filled):
            continue
        column = _column(table, name, filled)
        if len(table) > 1 and len(set(column.cells)) == 1:
            if name not in _UNSAID:
                common.append(f"{column.title} {column.cells[0]}")
            continue
        kept.append(column)
        brackets |= {end for end in ("_low", "_sample_low") if name + end in filled}
        brackets |= {"quartiles"} if name == "median" and "lower" in filled else set()
    notes = [f"In every row: {'; '.join(common)}."] if common else []
    notes += [note for end, note in _BRACKETS.items() if end in brackets]
    return PrintedTable(tuple(kept), tuple(notes))


def show(page: Page, table: pd.DataFrame) -> PrintedTable:
    """Make the table of a page readable, by what the page says of it and by `present`."""
    return present(page.shown(table) if page.shown else table)


_BRACKETS = {
    "_low": "In brackets the interval of 95 %.",
    "_sample_low": "In braces the interval of 95 % over samples of networks.",
    "quartiles": "In brackets the quartiles.",
}


def heading(page: Page) -> str:
    """Return the title of a page, with the number that it has in the paper."""
    drawn = re.fullmatch(r"figure(\d+)", page.name)
    number = f"Table {page.number}" if page.number else f"Figure {drawn[1]}" if drawn else ""
    return f"{number}. {page.title}" if number else page.title


def columns(*names: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return what takes of a table these columns, in this order, as far as it has them, with their intervals.

    A pair without a value, such as `weight_low` and `weight_high`, is named by what both have in common.

    Example:
        >>> table = pd.DataFrame(columns=["weight_low", "weight_high", "networks", "rho", "rho_low", "rho_high"])
        >>> list(columns("rho", "weight", "metric")(table))
        ['rho', 'rho_low', 'rho_high', 'weight_low', 'weight_high']
    """

    def chosen(table: pd.DataFrame) -> pd.DataFrame:
        return table[[one for name in names for one in table if one == name or _companion_of(str(one), [name])]]

    return chosen


def milestones(*trained: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return what takes of the curves of searches the rows after so many trained networks, and the last ones."""

    def chosen(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["trained"].isin([*trained, table["trained"].max()])]

    return chosen


def _companion_of(name: str, names: Sequence[str]) -> str:
    """Return which of the columns a column adds an interval or a deviation to, empty where it is one by itself."""
    if name in ("lower", "upper"):
        return "median" if "median" in names else ""
    for ending in ("_sample_low", "_sample_high", "_low", "_high", "_sd"):
        value = name.removesuffix(ending)
        if value != name:
            found = [one for one in (value, f"{value}_mean", f"{value}_low") if one in names and one != name]
            return found[0] if found else ""
    return ""


def _column(table: pd.DataFrame, name: str, names: Sequence[str]) -> PrintedColumn:
    values = table[name]
    other = f"{name.removesuffix('_low')}_high"
    if name.endswith("_low") and other in names:
        pairs = zip(values, table[other], strict=True)
        cells = ["" if pd.isna(low) or pd.isna(high) else f"{low:g}, {high:g}" for low, high in pairs]
        title = TITLES.get(name) or _title(name.removesuffix("_low"))
        return PrintedColumn(title, tuple(cells), tuple(values), numeric=True)
    if values.dtype == bool or not pd.api.types.is_numeric_dtype(values):
        cells = ["" if pd.isna(value) else _text(name, value) for value in values]
        return PrintedColumn(_title(name), tuple(cells), tuple(cells), numeric=False)
    factor = 100 if name.endswith(SHARES) else 1
    print_value, print_end = _formats(factor * values)
    cells = list(map(print_value, factor * values))
    ends = ["lower", "upper"] if name == "median" else [f"{name}_low", f"{name}_high"]
    deviation = [f"{name.removesuffix('_mean')}_sd"]
    sampled = [f"{name}_sample_low", f"{name}_sample_high"]
    for form, printed, parts in (
        ("{} ± {}", print_value, deviation),
        ("{} [{}, {}]", print_end, ends),
        ("{} {{{}, {}}}", print_end, sampled),
    ):
        if set(parts) <= set(names):
            cells = _joined(cells, form, [map(printed, factor * table[part]) for part in parts])
    return PrintedColumn(_title(name.removesuffix("_mean")), tuple(cells), tuple(values), numeric=True)


def _joined(cells: Sequence[str], form: str, parts: Sequence[Any]) -> list[str]:
    """Add the parts to the cells where they are known."""
    return [
        form.format(cell, *added) if cell and all(added) else cell for cell, *added in zip(cells, *parts, strict=True)
    ]


def _formats(values: pd.Series) -> tuple[Callable[[float], str], Callable[[float], str]]:
    """Return how a column's values are printed, and the ends of their intervals, with a digit less.

    Integers have all of their digits, numbers of one size four and those below one three decimals at most; where they
    are of several sizes, each has three digits; but a correlation may be as small as it is.
    """
    sizes = values.abs()[np.isfinite(values) & (values != 0)].to_numpy(np.float64)
    if not len(sizes) or (np.isfinite(values) <= (values == values.round())).all():
        return _printer(",.0f"), _printer(",.3g")
    power = int(np.floor(np.log10(sizes.max())))
    decimals = 3 - power if power >= 0 else 2 - power
    several = np.median(sizes) * 100 < sizes.max() or (sizes.max() > 2 and sizes.min() * 300 < sizes.max())
    if decimals > 4 or several:
        return _printer(".3g"), _printer(".2g")
    decimals = max(decimals, 0)
    print_end = _printer(f",.{max(decimals - 1, 0)}f")
    # Without zeros that all values end in.
    while decimals and np.allclose(sizes, sizes.round(decimals - 1), rtol=0, atol=1e-9):
        decimals -= 1
    return _printer(f",.{decimals}f"), print_end


def _printer(form: str) -> Callable[[float], str]:
    def printed(value: float) -> str:
        if pd.isna(value):
            return ""
        if form.endswith("g") and 1e3 <= abs(value) < 1e6:
            return f"{value:,.0f}"
        # Without the sign of a zero.
        return re.sub(r"^-(0(?:\.0*)?)$", r"\1", format(value, form))

    return printed


def _is_empty(values: pd.Series) -> bool:
    return bool((values.isna() | (values == "")).all())


def _title(name: str) -> str:
    if name in TITLES:
        return TITLES[name]
    parts = (title_of(part) if part in DATASETS else WORDS.get(part, part) for part in name.split("_"))
    return " ".join(parts) + (" (%)" if name.endswith(SHARES) else "")


def _text(name: str, value: Any) -> str:
    """Return a cell that is no number."""
    text = str(value)
    if name in _METRICS:
        return " + ".join(map(metric_title, text.split("+")))
    if name == "same_as":
        return ", ".join(map(metric_title, filter(None, text.split(", "))))
    if name == "space":
        return SPACES[text].title if text in SPACES else text
    if name == "dataset":
        return title_of(text)
    return {"True": "yes", "False": "no"}.get(text, text.replace("_", " ") if name in _PLAIN else text)


_SHORT = 28
"""Letters of cells that are not broken into lines."""


def _kind(column: PrintedColumn) -> str:
    if column.numeric:
        return ' class="number"'
    return ' class="short"' if max(map(len, column.cells), default=0) <= _SHORT else ""


def _order(column: PrintedColumn, place: int) -> str:
    key = column.keys[place]
    if not column.numeric:
        return ""
    return f' data-order="{"" if pd.isna(key) else format(key, ".9g")}"'


def _typeset(cell: str) -> str:
    """Return a number with the signs of print."""
    power = _SCIENTIFIC.sub(lambda match: f"{match[1]}·10<sup>{match[2].strip('+')}{match[3]}</sup>", escape(cell))
    return re.sub(r"(?<![·\w])1·", "", power).replace("-", "−")


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "ρ": r"$\rho$",
    "τ": r"$\tau$",
    "±": r"$\pm$",
    "ε": r"$\varepsilon$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def _latex(text: str) -> str:
    escaped = "".join(_LATEX.get(sign, sign) for sign in text)
    escaped = _SCIENTIFIC.sub(lambda match: rf"${match[1]}\cdot 10^{{{match[2].strip('+')}{match[3]}}}$", escaped)
    return re.sub(r"(?<![\w$.])(?<!\^\{)-(\d+(?:[.,]\d+)*)", r"$-\1$", escaped).replace(r"$1\cdot ", "$")
