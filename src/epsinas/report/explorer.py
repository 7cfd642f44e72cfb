"""Every score of every network beside its performance, for the plots that one explores."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epsinas.datasets.base import title as title_of
from epsinas.evaluation.performance import performance_label, performance_of
from epsinas.metrics.base import metric_title
from epsinas.paper.style import metric_style
from epsinas.spaces.base import SPACES
from epsinas.study.comparison import compared, comparison_request, first_signed, whole_in_further_precisions
from epsinas.study.page import Page, Request
from epsinas.study.plan import TOGETHER, Plan
from epsinas.study.results import Results

if TYPE_CHECKING:
    from bokeh.models import ColumnDataSource
    from bokeh.plotting import figure

PERFORMANCE = "performance"
"""The name of what training reached, among those of metrics."""


def explored_request(plan: Plan) -> Request:
    """Request the scores over all networks, and their performances, of every space that has these."""
    found = Request()
    for name, section in plan.sections.items():
        if section["performance"]:
            own = Request(runs=tuple(plan.main_runs(name)), networks=(name,), data=(f"{name}.performance.parquet",))
            found |= own | comparison_request(plan, name)
    return found


EXPLORED = Page(name="explorer", title="Explorer", request=explored_request)
"""What the explorer is made of, as for a page; it has neither a table nor a figure."""


def measures_of(results: Results) -> dict[str, str]:
    """Return by search space what its performances are, `accuracy` or `loss`."""
    found = {}
    for space in results.request.networks:
        section = results.section(space)
        reached = performance_of(results.performance(space), section.datasets[0], **section["performance"])
        found[space] = str(reached.name)
    return found


def explored_scores(results: Results, space: str) -> tuple[pd.DataFrame, dict[str, dict[str, str]]]:
    """Collect the scores of a search space.

    Args:
        results: of `EXPLORED`.
        space: name of the search space.

    Returns:
        A table of float32, a row for each network by the benchmark's index, with the columns (data set, metric), first
        each data set's PERFORMANCE; higher scores predict better networks. And by data set, by metric, its title.
    """
    index = pd.Index(results.networks(space)["index"])
    columns: dict[tuple[str, str], pd.Series] = {}
    titles: dict[str, dict[str, str]] = {}
    options = results.section(space)["performance"]
    for dataset in results.section(space).datasets:
        reached = performance_of(results.performance(space), dataset, **options)
        columns[dataset, PERFORMANCE] = reached
        titles[dataset] = {PERFORMANCE: performance_label(str(reached.name), options["split"])}
    for dataset, name, title, scores in _scores_of(results, space, index):
        columns[dataset, name] = scores
        titles[dataset][name] = title
    table = pd.DataFrame({key: series.reindex(index).astype(np.float32) for key, series in columns.items()})
    return table, titles


def _scores_of(results: Results, space: str, index: pd.Index) -> Iterator[tuple[str, str, str, pd.Series]]:
    """Yield data set, name and title of a metric, and its scores."""
    for run in results.runs:
        if run.space == space and run.metric != TOGETHER:
            yield run.dataset, run.metric, metric_title(run.metric), results.first_scores(run)
    for one in whole_in_further_precisions(results, space):
        name, first = one.metric.name, one.scores.iloc[0]
        title = f"{metric_title(name)}, {first['precision']} precision"
        yield first["dataset"], f"{name} {first['precision']}", title, first_signed(one, index)
    for one in compared(results, space):
        name = one.metric.name
        yield one.scores["dataset"].iloc[0], name, metric_title(name), first_signed(one, index)


def packed_spaces(results: Results) -> list[dict[str, Any]]:
    """Return what the page's script takes for each space.

    Returns:
        `name`, `title`, `count` of networks, `datasets` with their titles, `titles` by data set and metric, `colours`
        by metric, and `packed`: gzip and base64 of a JSON object with `index`, `architectures`, `parameters`, `places`
        (by data set and metric, where in `columns` its scores are; equal ones are there once) and `columns` (counts
        exactly, other numbers with five digits, null for no score).
    """
    found = []
    for space in results.request.networks:
        table, titles = explored_scores(results, space)
        # Networks that train alike have most scores in common: beside each other they take less room.
        networks = results.networks(space).sort_values(["trained_as", "index"])
        table = table.loc[networks["index"]]
        columns: dict[bytes, int] = {}
        places: dict[str, dict[str, int]] = {}
        for dataset, metrics in titles.items():
            keys = {metric: table[dataset, metric].to_numpy().tobytes() for metric in metrics}
            places[dataset] = {metric: columns.setdefault(key, len(columns)) for metric, key in keys.items()}
        content = {
            "index": networks["index"].tolist(),
            "architectures": networks["architecture"].tolist(),
            "parameters": networks["parameters"].tolist(),
            "places": places,
            "columns": [_rounded(np.frombuffer(key, dtype=np.float32)) for key in columns],
        }
        text = json.dumps(content, separators=(",", ":")).encode()
        found.append(
            {
                "name": space,
                "title": SPACES[space].title,
                "count": len(networks),
                "datasets": {dataset: title_of(dataset) for dataset in titles},
                "titles": titles,
                "colours": {name: _colour(name) for names in titles.values() for name in names},
                # Without the time, the same scores give the same page.
                "packed": b64encode(gzip.compress(text, mtime=0)).decode(),
            }
        )
    return found


def _colour(name: str) -> str:
    return metric_style(name.partition(" ")[0]).colour


def _rounded(values: np.ndarray) -> list[float | None]:
    """Return counts as they are, other numbers with five digits, None for none."""
    found = ((float(value), np.isfinite(value)) for value in values)
    return [(int(value) if value.is_integer() else float(f"{value:.5g}")) if known else None for value, known in found]


def explorer_plots() -> dict[str, Any]:
    """Return two scatter plots on one source and a table of the chosen networks, for `Bokeh.embed.embed_item`.

    The page's script fills the sources `networks` and `chosen`. A point that is chosen in one plot, by a tap or a
    lasso, is so in the other.
    """
    from bokeh.embed import json_item
    from bokeh.layouts import column, row
    from bokeh.models import ColumnDataSource, CustomJS
    from bokeh.models.widgets import DataTable, NumberFormatter, TableColumn

    # A point, since Bokeh cannot set the ranges of a plot without any.
    points: dict[str, Any] = {"index": [0], "name": [""], "colour": [0.0]} | {name: [0.0] for name in _AXES}
    source, chosen = ColumnDataSource(points, name="networks"), ColumnDataSource(points, name="chosen")
    source.selected.js_on_change("indices", CustomJS(code="window.explorer.choose()"))
    number = NumberFormatter(format="0,0.[0000]")
    table = DataTable(
        source=chosen,
        columns=[
            TableColumn(field="index", title="index", width=60),
            TableColumn(field="name", title="network", width=420),
            *(TableColumn(field=name, title=name, width=110, formatter=number) for name in _AXES),
        ],
        name="table",
        height=240,
        sizing_mode="stretch_width",
        index_position=None,
        reorderable=False,
    )
    # Below each other where there is no room beside each other.
    plots = row([_plot(source, place) for place in (1, 2)], styles={"flex-wrap": "wrap"}, sizing_mode="stretch_width")
    return dict(json_item(column(plots, table, sizing_mode="stretch_width")))


_AXES = ("x1", "y1", "x2", "y2")
"""Columns of what is plotted, across and up, in the one plot and in the other."""


def _plot(source: ColumnDataSource, place: int) -> figure:
    from bokeh.models import (
        BasicTickFormatter,
        CustomJS,
        HoverTool,
        LassoSelectTool,
        LinearColorMapper,
        TapTool,
        WheelZoomTool,
    )
    from bokeh.palettes import Viridis256
    from bokeh.plotting import figure

    plot = figure(
        name=f"plot{place}",
        height=380,
        sizing_mode="stretch_width",
        styles={"flex": "1 1 300px", "min-width": "0"},
        tools="pan,reset",
    )
    colours = LinearColorMapper(palette=list(reversed(Viridis256)), low=0, high=1)
    points = plot.scatter(
        f"x{place}",
        f"y{place}",
        source=source,
        size=4,
        line_color=None,
        fill_color={"field": "colour", "transform": colours},
        fill_alpha=0.55,
        selection_fill_alpha=1.0,
        selection_fill_color="#d55e00",
        selection_line_color="black",
        nonselection_fill_alpha=0.12,
    )
    pointed = CustomJS(code="window.explorer.hover(cb_data)")
    lasso = LassoSelectTool(continuous=False)
    plot.add_tools(WheelZoomTool(), lasso, TapTool(), HoverTool(tooltips=None, renderers=[points], callback=pointed))
    plot.toolbar.active_drag = lasso
    plot.toolbar.logo = None
    for axis in (plot.xaxis, plot.yaxis):
        axis.formatter = BasicTickFormatter(power_limit_high=7)
        axis.axis_label_text_font_style = "normal"
    return plot
