"""The report as one page of HTML, with everything that it needs inside."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from epsinas.metrics.base import REASONS
from epsinas.paper.ledger import VERDICTS, count_verdicts
from epsinas.paper.presentation import TITLES, heading, present, show
from epsinas.report.explorer import explorer_plots, packed_spaces
from epsinas.report.headline import Headline, Tables, key_numbers
from epsinas.spaces.base import SPACES
from epsinas.study.page import PAGES, Page
from epsinas.study.results import Results

LEDGER = ("table", "block", "row", "column", "published", "reproduced", "interval", "verdict", "note")
"""Columns of the ledger as it is shown."""


def render_report(
    results: Results, found: Headline, tables: Tables, ledger: pd.DataFrame | None, provenance: Mapping[str, Any]
) -> str:
    """Make the report of a study.

    Args:
        results: of `epsinas.report.explorer.EXPLORED`.
        found: what comes first.
        tables: that the study made, by the names of their pages.
        ledger: as `epsinas.paper.ledger.ledger` gives it, None where nothing was compared.
        provenance: as `epsinas.study.provenance.describe_run` gives it.

    Returns:
        A page that opens without a network. It reads and prints without its scripts, which sort and filter tables and
        plot any metric against another.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("epsinas.report", "."), autoescape=True, undefined=StrictUndefined)
    environment.filters["count"] = lambda number: f"{number:,}"
    plan = results.plan
    explored = packed_spaces(results)
    drawn = [page for page in PAGES if page.figure and page.request(plan)]
    return environment.get_template("template.html").render(
        study=plan.study.name,
        spaces=[SPACES[name].title for name in plan.sections],
        provenance=provenance,
        found=found,
        numbers=key_numbers(found),
        rankings=present(found.rankings.drop(columns=list(REASONS))),
        tables=sorted((_table_of(PAGES[name], table) for name, table in tables.items()), key=_place),
        figures=sorted((_figure_of(page, Path(plan.drawn(page)[0])) for page in drawn), key=_place),
        ledger=None if ledger is None else _ledger_of(ledger),
        summary=None if ledger is None else present(count_verdicts(ledger)),
        verdicts=VERDICTS,
        files=present(_inputs_of(provenance)),
        explored=explored,
        # A closing tag in a network's name must not end the script.
        explorer=json.dumps({"spaces": explored, "plots": explorer_plots()}).replace("</", "<\\/") if explored else "",
        bokeh=_bokeh() if explored else "",
        style=_read("report.css"),
        script=_read("report.js"),
    )


def _table_of(page: Page, table: pd.DataFrame) -> dict[str, Any]:
    return {"page": page, "heading": heading(page), "shown": show(page, table), "rows": len(table)}


def _place(shown: Mapping[str, Any]) -> tuple[bool, int, str]:
    """Order what is shown: what is in the paper by its numbers, then the rest."""
    number = re.search(r"\d+$", shown["page"].name)
    return number is None, int(number[0]) if number else 0, shown["page"].name


def _figure_of(page: Page, path: Path) -> dict[str, Any]:
    # A third smaller than as base64.
    image = quote(path.read_text(encoding="utf-8"), safe=" ,;:=/+<>?!()@&'*$[]{}|^`~")
    return {"page": page, "heading": heading(page), "image": f"data:image/svg+xml,{image}"}


def _ledger_of(entries: pd.DataFrame) -> Any:
    ends = zip(entries["interval_low"], entries["interval_high"], strict=True)
    interval = ["" if pd.isna(low) else f"[{low:.4g}, {high:.4g}]" for low, high in ends]
    titles = TITLES | {"weight_low": "low weight", "weight_high": "high weight"}
    columns = [titles.get(name, name) for name in entries["column"]]
    return present(entries.assign(interval=interval, column=columns)[list(LEDGER)])


def _inputs_of(provenance: Mapping[str, Any]) -> pd.DataFrame:
    kept = ["name", "source", "licence", "bytes", "sha256"]
    return pd.DataFrame(provenance["inputs"]).reindex(columns=kept)


def _bokeh() -> str:
    """Return the scripts of Bokeh, for the elements `script`."""
    from bokeh.resources import Resources

    scripts = Resources(mode="inline", components=["bokeh", "bokeh-tables"]).js_raw
    return "\n".join(scripts)


def _read(name: str) -> str:
    return files("epsinas.report").joinpath(name).read_text(encoding="utf-8")
