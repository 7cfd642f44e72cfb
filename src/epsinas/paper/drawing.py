"""Figures, drawn with matplotlib: one style, and one look for every metric (`epsinas.paper.style`).

A figure is printed as it is: 3.3 inches wide, one column of a paper, or 7, two of them, with letters of 7 to 8 points.
Letters are outlines in SVG, since a reader's machine may not have the font, and letters of an embedded font in PDF.
Many dots are one image, of 300 pixels an inch unless there are dozens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullFormatter

from epsinas.datasets.base import title as title_of
from epsinas.errors import InputError
from epsinas.files.whole import atomic
from epsinas.paper.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, MetricStyle, metric_style
from epsinas.spaces.base import SPACES

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

ONE_COLUMN, TWO_COLUMNS = 3.3, 7.0
"""How wide figures are, in inches."""

_STYLE: dict[RcKeyType, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.labelpad": 2.5,
    "axes.titlepad": 4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "xtick.minor.width": 0.4,
    "xtick.minor.size": 1.5,
    "ytick.major.width": 0.6,
    "ytick.major.size": 2.5,
    "ytick.minor.width": 0.4,
    "ytick.minor.size": 1.5,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.5,
    "savefig.facecolor": "white",
    "figure.dpi": 300,
    "savefig.dpi": "figure",
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "epsinas",
}

_BAND: dict[str, Any] = {"alpha": 0.2, "linewidth": 0}
"""An interval around a line, in its colour."""

_CORRELATIONS = LinearSegmentedColormap.from_list("correlations", ["#5AA5D6", "#F5F5F5", "#EE9A63"])
"""From -1 to 1, blue and orange, which the colour-blind tell apart; light enough for black digits everywhere."""


@matplotlib.rc_context(_STYLE)
def draw_scatter(rows: Mapping[str, Sequence[Mapping[str, pd.DataFrame]]], labels: Mapping[str, str]) -> Figure:
    """Draw scores against performance, a row of panels for each metric, one panel for each data set (Figures 1 and 2).

    Args:
        rows: by the label of a metric's axis, for each search space, by title of a panel, tables with the columns
            `performance`, `score` and `parameters`.
        labels: by title of a panel, what the performance is, with its unit.

    Returns:
        Panels side by side. A dot is a network, its colour log10 of its parameters, darker for more, with a scale for
        each search space; where dots lie on one another, that of the largest network is seen.
    """
    counts = [max(map(len, group)) for group in zip(*rows.values(), strict=True)]
    figure = _figure(sum(counts), 2.3 * len(rows) + 0.2)
    axes = figure.subplots(len(rows), sum(counts), squeeze=False)
    drawn = []
    for group, start in enumerate(np.cumsum([0, *counts[:-1]])):
        own = axes[:, start : start + counts[group]]
        colours = _colours_of(panel for groups in rows.values() for panel in groups[group].values())
        for row, groups in zip(own, rows.values(), strict=True):
            panels = groups[group]
            for axis in row[len(panels) :]:
                axis.set_visible(False)
            for axis, (title, panel) in zip(row, panels.items(), strict=False):
                axis.update_datalim(panel[["performance", "score"]])
                axis.autoscale_view()
                axis.set(title=f"{title}\n{len(panel):,} networks", xlabel=labels[title])
                drawn.append((axis, panel, colours))
        figure.colorbar(colours, ax=list(own.ravel()), label="log$_{10}$ parameters", aspect=25 * len(rows))
    for axis, metric in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel(metric)
    _lay_out(figure)
    for axis, panel, colours in drawn:
        _dots(axis, panel, colours, diameter=1.7 if len(panel) > 1000 else 2.8)
    return figure


def _colours_of(panels: Iterable[pd.DataFrame]) -> ScalarMappable:
    """Return the scale of colours for the parameters of all networks of some panels."""
    sizes = np.log10(pd.concat([panel["parameters"] for panel in panels]))
    limits = (sizes.min(), sizes.max()) if len(sizes) else (0, 1)
    return ScalarMappable(Normalize(*limits), "viridis_r")


def _dots(axis: Axes, panel: pd.DataFrame, colours: ScalarMappable, diameter: float) -> None:
    """Draw a dot for each network as one image, when the axis has its place and its limits.

    Args:
        axis: with linear scales; networks beyond its limits are not drawn.
        panel: `performance`, `score` and `parameters`.
        colours: of log10 of the parameters.
        diameter: in points.
    """
    box = axis.get_window_extent()
    wide, high = round(box.width), round(box.height)
    (left, right), (bottom, top) = axis.get_xlim(), axis.get_ylim()
    panel = panel[panel["performance"].between(left, right) & panel["score"].between(bottom, top)]
    across = ((panel["performance"] - left) / (right - left) * (wide - 1)).round().to_numpy(int)
    up = ((panel["score"] - bottom) / (top - bottom) * (high - 1)).round().to_numpy(int)
    sizes = np.log10(panel["parameters"].to_numpy())
    radius = diameter / 2 / 72 * axis.figure.dpi
    edge = int(np.ceil(radius))
    image = np.full((high + 2 * edge, wide + 2 * edge), -np.inf)
    for x in range(-edge, edge + 1):
        for y in range(-edge, edge + 1):
            if np.hypot(x, y) <= radius:
                np.maximum.at(image, (up + edge + y, across + edge + x), sizes)
    image = image[edge : edge + high, edge : edge + wide]
    axis.imshow(
        np.ma.masked_invalid(image),
        cmap=colours.cmap,
        norm=Normalize(*colours.get_clim()),
        extent=(left, right, bottom, top),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )


@matplotlib.rc_context(_STYLE)
def draw_percentiles(rows: Mapping[str, Mapping[str, pd.DataFrame]], label: str) -> Figure:
    """Draw where networks come in the order of each metric, against performance (Figure 6).

    Args:
        rows: by the name of a metric, by the title of a data set, tables with the columns `performance`, `score`, the
            percentage of networks that have no higher score, and `parameters`.
        label: what the performance is, with its unit.

    Returns:
        A group of panels side by side for each metric, with one for each data set, three groups in a row, under a line
        of the metric's colour; in brackets the number of networks with a score. A dot is a network, its colour log10
        of its parameters, darker for more. The 5 % worst networks are left of the axis.
    """
    datasets = list(dict.fromkeys(name for panels in rows.values() for name in panels))
    colours = _colours_of(table for panels in rows.values() for table in panels.values())
    across = min(len(rows), 3)
    down = -(-len(rows) // across)
    # Laid out by hand, in inches: to find a layout for so many panels takes half a minute. All have the same scales,
    # which are labelled at the edges.
    left, right, top, bottom, pitch, side, between, gap = 0.48, 0.06, 0.52, 0.95, 0.76, 0.5, 0.08, 0.16
    height = top + pitch * (down - 1) + side + bottom
    figure = Figure(figsize=(TWO_COLUMNS, height), dpi=225)
    group = (TWO_COLUMNS - left - right + gap) / across
    panel = (group - gap + between) / len(datasets)
    limits = {}
    for name in datasets:
        reached = pd.concat([panels[name]["performance"] for panels in rows.values() if name in panels])
        limits[name] = reached.quantile([0.05, 1.0]).to_list() if len(reached) else [0, 1]
    for place, (metric, panels) in enumerate(rows.items()):
        row, column = divmod(place, across)
        x, y = left + group * column, height - top - pitch * row - side
        for at, name in enumerate(datasets):
            corner = ((x + panel * at) / TWO_COLUMNS, y / height)
            axis = figure.add_axes((*corner, (panel - between) / TWO_COLUMNS, side / height))
            low, high = limits[name]
            axis.set(xlim=(low, high + 0.03 * (high - low)), ylim=(0, 100), yticks=[0, 50, 100])
            axis.xaxis.set_major_locator(MaxNLocator(2, integer=True))
            axis.tick_params(pad=1.5, labelbottom=place + across >= len(rows), labelleft=at == column == 0)
            axis.tick_params(axis="y", left=at == 0)
            axis.patch.set_visible(False)
            if row == 0:
                axis.set_title(name.replace("-", "-\n", 1) if len(name) > 9 else name, fontsize=7, pad=2)
            if name in panels:
                _dots(axis, panels[name], colours, diameter=1.2)
        style = metric_style(metric)
        line = y + side + (0.3 if row == 0 else 0.03)
        ends = x / TWO_COLUMNS, (x + group - gap) / TWO_COLUMNS
        figure.add_artist(Line2D(ends, [line / height] * 2, color=style.colour, linewidth=1.5))
        scored = max(map(len, panels.values()))
        figure.text(ends[0], (line + 0.05) / height, f"{style.label} ({scored:,})", fontsize=7.5)
    figure.text(0.5, 0.6 / height, f"{label}, without the 5 % worst networks", ha="center")
    figure.text(0.08 / TWO_COLUMNS, 0.5, "percentile of the score (higher predicts better)", rotation=90, va="center")
    scale = figure.add_axes((0.45, 0.32 / height, 0.3, 0.09 / height))
    figure.colorbar(colours, cax=scale, orientation="horizontal")
    figure.text(0.44, 0.33 / height, "log$_{10}$ parameters", ha="right")
    return figure


_SEARCHES = {"evolution": "ageing evolution", "random": "random search"}
"""What is above and below in the figures of searches."""

_QUARTILES = Patch(facecolor="0.5", alpha=0.35, linewidth=0, label="quartiles of the rounds")


@matplotlib.rc_context(_STYLE)
def draw_search_curves(curves: pd.DataFrame, metric: str) -> Figure:
    """Draw the best test accuracy so far of every search (Figure 3).

    Args:
        curves: columns `dataset`, `search` (a key of `epsinas.evaluation.searches.search_curves`), `trained` (networks
            trained so far, from 1), `median`, `lower` and `upper` (the quartiles over rounds).
        metric: the name of the one that guides the searches.

    Returns:
        One column of panels for each dataset: ageing evolution above, random search below, on one scale. A line is a
        search's median over rounds against the networks trained so far, its band reaches from quartile to quartile.
        Searches that warm up are in the metric's colour, others in black; those that move are lighter, and broken. The
        scale is that of the bands after the first 3 % of the networks, which can be as bad as chance.
    """
    style = metric_style(metric)
    lines: dict[str, dict[str, Any]] = {
        "": {"label": f"without {style.label}", "color": "black", "linestyle": "-"},
        "_move": {"label": "moves", "color": _lighter("black"), "linestyle": ":"},
        "_warm_up": {"label": "warm-up", "color": style.colour, "linestyle": "-"},
        "_warm_up_move": {"label": "warm-up and moves", "color": _lighter(style.colour), "linestyle": "--"},
    }
    figure, axes = _two_rows(curves["dataset"].nunique(), sharey="col")
    for (dataset, own), column in zip(curves.groupby("dataset", sort=False), axes.T, strict=True):
        for axis, algorithm in zip(column, _SEARCHES, strict=True):
            for suffix, line in lines.items():
                curve = own[own["search"] == algorithm + suffix].sort_values("trained")
                if not curve.empty:
                    axis.plot("trained", "median", data=curve, **line)
                    axis.fill_between("trained", "lower", "upper", data=curve, color=line["color"], **_BAND)
        late = own[own["trained"] > 0.03 * own["trained"].max()]
        _frame_searches(column, str(dataset), late["lower"].min(), late["upper"].max())
    _explain_searches(figure, axes)
    return figure


@matplotlib.rc_context(_STYLE)
def draw_warm_ups(curves: pd.DataFrame, shown: Sequence[str]) -> Figure:
    """Draw the best test accuracy so far of searches that begin with the best by each metric (Figure 5).

    Args:
        curves: columns `dataset`, `search` (`evolution` or `random`), `metric` (empty without a warm-up), `trained`,
            `median`, `lower` and `upper`.
        shown: metrics that have their own looks, the first of them with a band; others are thin grey lines.

    Returns:
        One column of panels for each data set: ageing evolution above, random search below, on one scale. A line is
        the median over rounds against the networks trained so far, the band reaches from quartile to quartile; the
        black line is without a warm-up. The scale is that of the coloured lines after the first 3 % of the networks.
    """
    figure, axes = _two_rows(curves["dataset"].nunique(), sharey="col")
    for (dataset, own), column in zip(curves.groupby("dataset", sort=False), axes.T, strict=True):
        for axis, algorithm in zip(column, _SEARCHES, strict=True):
            found = dict(list(own[own["search"] == algorithm].groupby("metric", sort=False)))
            looks: dict[str, dict[str, Any]] = {"": {"label": "no warm-up", "color": "black", "linestyle": "-"}}
            looks |= {name: _line(metric_style(name)) for name in shown}
            for name in found:
                if name not in looks:
                    axis.plot("trained", "median", data=found[name], label="_other", **_OTHERS)
            for name in [name for name in looks if name in found]:
                axis.plot("trained", "median", data=found[name], **looks[name])
                if name in ("", shown[0]):
                    axis.fill_between(
                        "trained", "lower", "upper", data=found[name], color=looks[name]["color"], **_BAND
                    )
        late = own[(own["trained"] > 0.03 * own["trained"].max()) & own["metric"].isin(["", *shown])]
        _frame_searches(column, str(dataset), late["median"].min(), own["median"].max())
    others = set(curves["metric"]) - {"", *shown}
    grey = [Line2D([], [], label=f"{len(others)} other metrics", **_OTHERS)] if others else []
    _explain_searches(figure, axes, grey)
    return figure


_OTHERS: dict[str, Any] = {"color": "0.8", "linewidth": 0.5}


def _line(style: MetricStyle) -> dict[str, Any]:
    """Return how a metric's line is drawn."""
    return {"label": style.label, "color": style.colour, "linestyle": style.dash}


def _frame_searches(column: np.ndarray, dataset: str, low: float, high: float) -> None:
    """Give the two panels of a data set their scale, with a margin, and their titles."""
    margin = 0.05 * (high - low) or 1.0
    column[0].set(ylim=(low - margin, high + margin), title=title_of(dataset))
    column[1].set_xlabel("trained networks")


def _explain_searches(figure: Figure, axes: np.ndarray, more: Sequence[Artist] = ()) -> None:
    """Name the rows, and the lines below them."""
    for axis, name in zip(axes[:, 0], _SEARCHES.values(), strict=True):
        axis.set_ylabel(f"{name}:\nbest test accuracy (%)")
    _legend(figure, [*axes[0, 0].get_legend_handles_labels()[0], *more, _QUARTILES])


@matplotlib.rc_context(_STYLE)
def draw_distributions(panels: Sequence[tuple[str, pd.Series]]) -> Figure:
    """Draw how scores are distributed, one panel for each title, with how many of the networks have one.

    Args:
        panels: title, and one score for each network, NaN for none; the series bears the metric's name.

    Returns:
        At most three panels in a row, in the metrics' colours. A bar is the number of networks in one of 40 bins,
        equally wide on the logarithmic axis. The lowest and the highest half percent of the scores are in the outermost
        bins; scores of 0 are in none. The axis is linear for a metric that has negative scores.
    """
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = _figure(columns, 1.6 * rows + 0.2)
    for place, (title, scores) in enumerate(panels, start=1):
        axis = figure.add_subplot(rows, columns, place)
        style = metric_style(str(scores.name))
        positive = not (scores < 0).any()
        found = scores[scores > 0] if positive else scores.dropna()
        if len(found):
            low, high = found.quantile([0.005, 0.995])
            # One score alone has bins around it.
            ends = (low, high) if low < high else (low - abs(low) / 10, low + abs(low) / 10)
            bins = np.geomspace(*ends, 41) if positive else np.linspace(*ends, 41)
            axis.hist(found.clip(low, high), bins=bins.tolist(), color=style.colour)
            axis.set_xscale("log" if positive else "linear")
            if positive and high < 10 * low:
                # There may be no power of ten to label.
                axis.xaxis.set_major_locator(MaxNLocator(2))
                axis.xaxis.set_major_formatter("{x:g}")
        axis.set(title=f"{title}\n{scores.count():,} of {len(scores):,} networks", xlabel=style.label)
        axis.set_ylim(bottom=0)
        axis.locator_params(axis="y", nbins=5, integer=True, min_n_ticks=1)
        axis.xaxis.set_minor_formatter(NullFormatter())
    figure.supylabel("networks", fontsize="medium")
    return figure


@matplotlib.rc_context(_STYLE)
def draw_batch_sizes(draws: pd.DataFrame) -> Figure:
    """Draw how the correlations depend on the batch size (Figure 4).

    Args:
        draws: rows of `epsinas.evaluation.runs.evaluate_table` of one metric, several draws for each dataset and batch
            size.

    Returns:
        One column of panels for each dataset: Spearman's rho above, Kendall's tau below. A line is the median over
        draws against the batch size, its band reaches from quartile to quartile, and a small dot is a draw. The
        correlation among all networks is in the metric's colour, the one among the 10 % best is lighter, with squares.
    """
    style = metric_style(draws["metric"].iloc[0])
    kinds: dict[str, dict[str, Any]] = {
        "global": {"label": "all networks", "color": style.colour, "linestyle": "-", "marker": "o"},
        "top10": {"label": "10 % best networks", "color": _lighter(style.colour), "linestyle": "--", "marker": "s"},
    }
    measures = {"spearman": r"Spearman's $\rho$", "kendall": r"Kendall's $\tau$"}
    sizes = sorted(draws["batch_size"].unique())
    figure, axes = _two_rows(draws["dataset"].nunique(), sharey="row")
    for (dataset, own), column in zip(draws.groupby("dataset", sort=False), axes.T, strict=True):
        for axis, (measure, name) in zip(column, measures.items(), strict=True):
            for kind, line in kinds.items():
                found = own.groupby("batch_size")[f"{measure}_{kind}"].quantile(np.array([0.25, 0.5, 0.75])).unstack()
                axis.fill_between(found.index, found[0.25], found[0.75], color=line["color"], **_BAND)
                axis.plot(own["batch_size"], own[f"{measure}_{kind}"], ".", color=line["color"], markersize=2)
                axis.plot(found.index, found[0.5], **line)
            axis.set(xlabel="images in a batch", ylabel=name)
            axis.label_outer()
        column[0].set_title(f"{title_of(str(dataset))}\n{own['networks'].max():,} networks")
        column[1].set_xscale("log", base=2)
        column[1].set_xticks(sizes, sizes, rotation=45)
        column[1].minorticks_off()
    band = Patch(facecolor="0.5", alpha=0.35, linewidth=0, label="quartiles of the draws")
    dot = Line2D([], [], color="0.3", marker=".", markersize=2, linestyle="", label="a draw")
    _legend(figure, [*axes[0, 0].get_legend_handles_labels()[0], band, dot])
    return figure


@matplotlib.rc_context(_STYLE)
def draw_weight_pairs(table: pd.DataFrame) -> Figure:
    """Draw the global Spearman's rho of every pair of weights as a heat map.

    Args:
        table: rows of `epsinas.evaluation.runs.evaluate_table`: datasets and pairs of weights, one draw.

    Returns:
        A panel for each dataset, the low weight below and the high weight beside it. A square is a pair; its number and
        its colour are the correlation, orange a positive and blue a negative one, the darker the farther from zero. A
        pair without a correlation is blank. The title says how many networks have a score.
    """
    weights = sorted({*table["weight_low"], *table["weight_high"]})
    count, squares = table["dataset"].nunique(), len(weights) - 1
    # Squares have room for their digits, and else the panels are in several rows.
    beside, least = 1.15, 0.23
    columns = min(count, max(1, int((TWO_COLUMNS - beside) / (least * squares))))
    width = ONE_COLUMN if count == 1 and squares * least + beside <= ONE_COLUMN else TWO_COLUMNS
    rows = -(-count // columns)
    square = min(0.34, (width - beside) / (columns * squares))
    figure = Figure(figsize=(width, rows * (max(square * squares, 1.3) + 0.9)), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[count:]:
        axis.set_visible(False)
    for axis, (dataset, own) in zip(axes, table.groupby("dataset", sort=False), strict=False):
        rho = own.pivot(index="weight_high", columns="weight_low", values="spearman_global")
        rho = rho.reindex(index=weights[:0:-1], columns=weights[:-1])
        colours = axis.pcolormesh(np.ma.masked_invalid(rho), vmin=-1, vmax=1, cmap=_CORRELATIONS)
        for (row, column), value in np.ndenumerate(rho):
            if np.isfinite(value):
                # Without the leading zero the digits fit into a square.
                digits = f"{value:.2f}".replace("0.", ".", 1)
                axis.text(column + 0.5, row + 0.5, digits, ha="center", va="center", fontsize=7)
        middle = np.arange(squares) + 0.5
        axis.set_xticks(middle, [_power(float(weight)) for weight in rho.columns], rotation=45)
        axis.set_yticks(middle, [_power(float(weight)) for weight in rho.index])
        scored = " to ".join(f"{number:,}" for number in sorted({own["archs"].min(), own["archs"].max()}))
        title = f"{scored} of {own['networks'].max():,}\nnetworks have a score"
        axis.set(title=f"{title_of(str(dataset))}\n{title}", xlabel="low weight", ylabel="high weight")
        axis.set(ylim=(squares, 0), aspect="equal")
        axis.spines[:].set_visible(False)
        axis.label_outer()
    figure.colorbar(colours, ax=list(axes), label=r"Spearman's $\rho$, all networks")
    return figure


@matplotlib.rc_context(_STYLE)
def draw_forest(table: pd.DataFrame, count: str = "scored", baseline: str = "parameters") -> Figure:
    """Draw the rank correlation of every metric with its interval: a row for each metric, a panel for each data set.

    Args:
        table: columns `dataset`, `metric`, `spearman` and its 95 % interval, `spearman_low` and `spearman_high`, and
            `count`; `space` where there are several. Rows are called by their `label`, or where there is no such
            column by their metric, with the `setting` and `precision` if the metric has several. In `ceiling`, if there
            is such a column, is the most that a metric can reach on the data set: how well the benchmark's own
            trainings agree.
        count: the column with the number of networks that a coefficient is over.
        baseline: the name of a metric whose coefficient is a broken line over all rows; none where the table has no
            such metric.

    Returns:
        Panels of one search space side by side, of several below one another. Rows are in the order of the coefficient,
        its mean over the panels, the highest above. A point is a coefficient, a bar its interval, the number on the
        right that of networks; points of scores from elsewhere are open. The dotted line is the ceiling.

    Raises:
        InputError: several rows in one panel have the same name.

    Example:
        >>> columns = {"spearman": [0.8, 0.7], "spearman_low": [0.79, 0.69], "spearman_high": [0.81, 0.71]}
        >>> rows = {"dataset": "cifar10", "metric": ["epsilon", "flops"], "scored": [9226, 15625]}
        >>> figure = draw_forest(pd.DataFrame(rows | columns), baseline="flops")
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['epsilon', 'FLOPs']
    """
    labels = table["label"] if "label" in table else _row_labels(table)
    table = table.assign(title=_panel_titles(table), label=labels)
    twice = table[table.duplicated(["title", "label"])]
    if len(twice):
        found = f"found several rows of {twice['label'].iloc[0]} on {twice['title'].iloc[0]}"
        raise InputError(f"table: {found}, expected one, or others in label, setting or precision")
    handles: list[Artist] = [Line2D([], [], color="0.3", marker="o", label="95 % interval")]
    if not all(metric_style(name).filled for name in table["metric"]):
        handles.append(Line2D([], [], color="0.3", marker="o", markerfacecolor="white", label="scores from elsewhere"))
    if (table["metric"] == baseline).any():
        handles.append(Line2D([], [], label=metric_style(baseline).label, **_BASELINE))
    if "ceiling" in table:
        handles.append(Line2D([], [], label="noise ceiling", **_CEILING))
    spaces = [own for _, own in table.groupby("space", sort=False)] if "space" in table else [table]
    columns, lengths = max(own["title"].nunique() for own in spaces), [own["label"].nunique() for own in spaces]
    figure = _figure(columns, 0.15 * sum(lengths) + 0.8 * len(spaces) + 0.4)
    _legend(figure, handles)
    ratios = [length + 1 for length in lengths]
    axes = figure.subplots(len(spaces), columns, squeeze=False, sharex=True, sharey="row", height_ratios=ratios)
    for row, own in zip(axes, spaces, strict=True):
        order = own.groupby("label", sort=False)["spearman"].mean().sort_values(ascending=False).index.tolist()
        panels = list(own.groupby("title", sort=False))
        for axis in row[len(panels) :]:
            axis.set_visible(False)
        for axis, (title, panel) in zip(row, panels, strict=False):
            _forest_panel(axis, panel, order, count, baseline)
            axis.set(
                title=str(title).replace(", ", ",\n"),
                xlabel=_MEASURES["spearman"],
                ylim=(len(order) - 0.4, -0.6),
            )
            axis.set_yticks(range(len(order)), order)
            axis.locator_params(axis="x", nbins=5)
            axis.tick_params(labelbottom=True)
    return figure


def _forest_panel(axis: Axes, panel: pd.DataFrame, order: list[str], count: str, baseline: str) -> None:
    """Draw the points, intervals and numbers of one panel, and the lines that they are compared with."""
    axis.grid(axis="y", color="0.92", linewidth=0.4)
    axis.axvline(0, color="0.6", linewidth=0.5, zorder=0.5)
    for value in panel.loc[panel["metric"] == baseline, "spearman"]:
        axis.axvline(value, zorder=0.5, **_BASELINE)
    for value in panel["ceiling"].dropna().unique() if "ceiling" in panel else ():
        axis.axvline(value, zorder=0.5, **_CEILING)
    for row in panel.to_dict("records"):
        place, style = order.index(row["label"]), metric_style(row["metric"])
        face = style.colour if style.filled else "white"
        point: dict[str, Any] = {
            "color": style.colour,
            "markerfacecolor": face,
            "markersize": 3,
            "markeredgewidth": 0.7,
        }
        axis.plot(row["spearman"], place, style.marker, **point)
        axis.plot([row["spearman_low"], row["spearman_high"]], [place, place], color=style.colour, zorder=1.5)
        axis.annotate(f"{row[count]:,}", (1, place), **_BESIDE)
    axis.annotate("networks", (1, 1), **_BESIDE | {"xycoords": "axes fraction", "xytext": (34, 7)})
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


@matplotlib.rc_context(_STYLE)
def draw_explanations(table: pd.DataFrame) -> Figure:
    """Draw what explains epsilon: its own rank correlation with performance, and what it leaves of epsilon's.

    Args:
        table: rows of one data set with `population`, `what`, `archs`, and with their 95 % intervals `spearman`, of
            what explains with the performance, and `epsilon_given`, of epsilon given it; epsilon's own row has no such.

    Returns:
        A panel for each population, with the number of networks on which epsilon is. A filled point is the correlation
        with the performance, an open one what remains of epsilon's; the dashed line is epsilon's own.

    Example:
        >>> ends = {"spearman_low": 0.7, "spearman_high": 0.9, "epsilon_given_low": 0.0, "epsilon_given_high": 0.2}
        >>> rows = {"what": ["epsilon", "p"], "spearman": [0.8, -0.9], "epsilon_given": [np.nan, 0.1]} | ends
        >>> figure = draw_explanations(pd.DataFrame(rows | {"population": "path", "archs": 1167}))
        >>> figure.axes[0].get_title()
        'path\\n1,167 networks'
    """
    order, style = list(table["what"].unique()), metric_style("epsilon")
    panels = list(table.groupby("population", sort=False))
    figure = _figure(len(panels), 0.17 * len(order) + 0.95)
    axes = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
    shift = 0.16
    for axis, (title, own) in zip(axes, panels, strict=True):
        axis.grid(axis="y", color="0.92", linewidth=0.4)
        axis.axvline(0, color="0.6", linewidth=0.5, zorder=0.5)
        itself = own[own["what"] == "epsilon"]
        for value in itself["spearman"]:
            axis.axvline(value, zorder=0.5, **_BASELINE)
        for row in own.to_dict("records"):
            place = order.index(row["what"])
            for measure, offset, face in (("spearman", -shift, style.colour), ("epsilon_given", shift, "white")):
                if np.isfinite(row[measure]):
                    ends = [row[f"{measure}_low"], row[f"{measure}_high"]]
                    axis.plot(ends, [place + offset] * 2, color=style.colour, linewidth=0.9)
                    look: dict[str, Any] = {"markerfacecolor": face, "markersize": 3, "markeredgewidth": 0.7}
                    axis.plot(row[measure], place + offset, "o", color=style.colour, **look)
        networks = itself["archs"].max() if len(itself) else own["archs"].max()
        axis.set(title=f"{title}\n{networks:,} networks", xlabel=_MEASURES["spearman"], xlim=(-1, 1))
        axis.set(ylim=(len(order) - 0.4, -0.6))
        axis.set_yticks(range(len(order)), order)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
    dot: dict[str, Any] = {"color": style.colour, "marker": "o", "markersize": 3, "linewidth": 0.9}
    handles = [
        Line2D([], [], label="with the performance", **dot),
        Line2D([], [], label="what it leaves of epsilon's", markerfacecolor="white", markeredgewidth=0.7, **dot),
        Line2D([], [], label="epsilon", **_BASELINE),
    ]
    _legend(figure, handles)
    return figure


def _row_labels(table: pd.DataFrame) -> list[str]:
    """Return how each row's metric is called, with its setting and precision where the table has several of them."""
    labels = pd.Series([metric_style(name).label for name in table["metric"]], index=table.index)
    for column in ("setting", "precision"):
        if column in table:
            several = table.groupby("metric")[column].transform("nunique") > 1
            labels = labels.where(~several, labels + ", " + table[column].fillna("").astype(str))
    return labels.tolist()


_BASELINE: dict[str, Any] = {"color": "0.4", "linestyle": (0, (4, 2)), "linewidth": 0.8}
_CEILING: dict[str, Any] = {"color": "black", "linestyle": ":", "linewidth": 1.0}
_BESIDE: dict[str, Any] = {
    "xycoords": ("axes fraction", "data"),
    "xytext": (34, 0),
    "textcoords": "offset points",
    "ha": "right",
    "va": "center",
    "fontsize": 7,
    "annotation_clip": False,
}
"""Numbers in a column on the right of a panel."""
_MEASURES = {"spearman": r"Spearman's $\rho$", "kendall": r"Kendall's $\tau$"}


def _panel_titles(table: pd.DataFrame) -> pd.Series:
    """Return the title of each row's panel: the data set, and the search space where there are several."""
    titles = table["dataset"].map(title_of)
    if "space" not in table or table["space"].nunique() < 2:
        return titles
    return table["space"].map(lambda name: SPACES[name].title) + ", " + titles


@matplotlib.rc_context(_STYLE)
def draw_curves(
    table: pd.DataFrame, x: str, y: str, by: str, labels: Mapping[str, str] = MappingProxyType({})
) -> Figure:
    """Draw a quantity against another one on a logarithmic axis, a line with its interval for each of several things.

    Args:
        table: columns `dataset`, `x`, `y`, `by`, and `{y}_low` and `{y}_high` if there are intervals; `space` where
            there are several.
        x: the name of a column, of positive numbers.
        y: the name of a column.
        by: the name of a column that tells the lines apart; metrics have their looks where it is `metric`.
        labels: by the name of a column, what its axis says, with the unit.

    Returns:
        A panel for each data set, three in a row, on one scale. A line is `y`, its band the interval.

    Example:
        >>> columns = {"networks": [100, 1000], "spearman": [0.7, 0.8], "metric": "epsilon", "dataset": "cifar10"}
        >>> draw_curves(pd.DataFrame(columns), "networks", "spearman", by="metric").axes[0].get_xscale()
        'log'
    """
    labels = {column: column for column in (x, y)} | _MEASURES | dict(labels)
    panels = list(table.groupby(_panel_titles(table), sort=False))
    names = list(table[by].unique())
    looks = [_line(metric_style(str(name))) if by == "metric" else _plain_line(names, name) for name in names]
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = _figure(columns, 1.9 * rows + 0.4)
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    for axis, (title, own) in zip(axes, panels, strict=False):
        for name, look in zip(names, looks, strict=True):
            curve = own[own[by] == name].sort_values(x)
            axis.plot(x, y, data=curve, **look)
            if f"{y}_low" in curve:
                # Lighter than elsewhere: there may be many on one another.
                axis.fill_between(x, f"{y}_low", f"{y}_high", data=curve, color=look["color"], **_BAND | {"alpha": 0.1})
        axis.set(title=title, xlabel=labels[x], ylabel=labels[y], xscale="log")
        axis.label_outer(remove_inner_ticks=False)
        axis.tick_params(labelbottom=True)
    _legend(figure, axes[0].get_legend_handles_labels()[0])
    return figure


def _plain_line(names: Sequence[object], name: object) -> dict[str, Any]:
    """Return how the line of something is drawn that is no metric."""
    place, colours, dashes = names.index(name), (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION), ("-", "--", "-.", ":")
    return {"label": str(name), "color": colours[place % 6], "linestyle": dashes[place % 4]}


def _figure(columns: int, height: float) -> Figure:
    """Make an empty figure for so many panels side by side, as wide as a column or two."""
    return Figure(figsize=(ONE_COLUMN if columns == 1 else TWO_COLUMNS, height), layout="constrained")


def _two_rows(columns: int, sharey: Literal["row", "col"]) -> tuple[Figure, np.ndarray]:
    """Make two rows of panels."""
    figure = _figure(columns, 3.9)
    return figure, figure.subplots(2, columns, squeeze=False, sharex=True, sharey=sharey)


def _legend(figure: Figure, handles: Sequence[Artist]) -> int:
    """Explain lines below all panels, in as many columns as their labels leave room for; return how many rows."""
    inches = 0.55 + 0.065 * max(len(str(handle.get_label())) for handle in handles)
    columns = min(len(handles), max(1, int(figure.get_figwidth() / inches)))
    figure.legend(handles=list(handles), loc="outside lower center", ncols=columns)
    return -(-len(handles) // columns)


def _lighter(colour: str) -> tuple[float, ...]:
    """Return a colour half way to white."""
    return tuple((np.array(to_rgb(colour)) + 1) / 2)


def _power(weight: float) -> str:
    """Print a weight, as a power of ten if it is one."""
    exponent = round(np.log10(weight))
    return f"$10^{{{exponent}}}$" if np.isclose(weight, 10.0**exponent, rtol=1e-9) else f"{weight:g}"


def _lay_out(figure: Figure) -> None:
    """Give everything its place, once for all formats."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


@matplotlib.rc_context(_STYLE)
def save(figure: Figure, paths: Iterable[str | Path]) -> None:
    """Write a figure to files, each in the format of its suffix; the same figure gives the same bytes."""
    if figure.get_layout_engine() is not None:
        _lay_out(figure)
    for path in map(Path, paths):
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix)
        with atomic(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:], metadata=metadata)
