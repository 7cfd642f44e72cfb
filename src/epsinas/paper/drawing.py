"""Figures of the paper, drawn with seaborn, and with matplotlib where the points or the intervals are at hand.

Every figure is as wide as a column of text, 3.4 inches, or wider, at most as a page, 7 inches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from epsinas.datasets.base import title as title_of
from epsinas.files.whole import atomic

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

_STYLE: dict[RcKeyType, Any] = {
    "font.size": 8,
    "axes.titlesize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "svg.fonttype": "none",
    "svg.hashsalt": "epsinas",
    "savefig.dpi": 200,
}

_BLUE, _ORANGE, _GREEN, _, _PURPLE, *_ = sns.color_palette("colorblind")
"""Colours that the colour-blind can tell apart; lines differ in their dashes, too."""

_BAND = {"alpha": 0.2, "linewidth": 0}
"""A band from quartile to quartile, in the colour of its line."""


def draw_scatter(rows: Mapping[str, Sequence[Mapping[str, pd.DataFrame]]], labels: Mapping[str, str]) -> Figure:
    """Draw scores against performance, a row of panels for each metric, one panel for each data set (Figures 1 and 2).

    Args:
        rows: by the title of a metric, for each search space, by title of a panel, tables with the columns
            `performance`, `score` and `parameters`.
        labels: by title of a panel, what the performance is.

    Returns:
        Panels side by side. A dot is a network, its colour log10 of its parameters, darker for more, with a scale for
        each search space; dots are drawn in the order of their parameters so that no size hides another by chance of
        the benchmark's order.
    """
    with matplotlib.rc_context(_STYLE):
        counts = [max(map(len, group)) for group in zip(*rows.values(), strict=True)]
        figure = _figure(2.3 * sum(counts) + 0.9 * len(counts), 2.5 * len(rows) + 0.2)
        axes = figure.subplots(len(rows), sum(counts), squeeze=False)
        for group, start in enumerate(np.cumsum([0, *counts[:-1]])):
            own = axes[:, start : start + counts[group]]
            tables = [panel for groups in rows.values() for panel in groups[group].values()]
            sizes = np.log10(pd.concat([table["parameters"] for table in tables]))
            limits = (sizes.min(), sizes.max()) if len(sizes) else (None, None)
            for row, groups in zip(own, rows.values(), strict=True):
                panels = groups[group]
                for axis in row[len(panels) :]:
                    axis.set_visible(False)
                for axis, (title, panel) in zip(row, panels.items(), strict=False):
                    dots = _scatter_panel(axis, panel, limits)
                    axis.set(title=f"{title}\n{len(panel):,} networks", xlabel=labels[title])
            figure.colorbar(dots, ax=list(own.ravel()), label="log$_{10}$ parameters")
        for axis, metric in zip(axes[:, 0], rows, strict=True):
            axis.set_ylabel(metric)
        return figure


def _scatter_panel(axis: Axes, panel: pd.DataFrame, limits: tuple[float | None, float | None]) -> PathCollection:
    panel = panel.sort_values("parameters", kind="stable")
    return axis.scatter(
        panel["performance"],
        panel["score"],
        c=np.log10(panel["parameters"]),
        s=3 if len(panel) > 1000 else 8,
        linewidths=0,
        cmap="viridis_r",
        rasterized=True,
        vmin=limits[0],
        vmax=limits[1],
    )


def draw_percentiles(rows: Mapping[str, Mapping[str, pd.DataFrame]], label: str) -> Figure:
    """Draw where networks come in the order of each metric, against performance (Figure 6).

    Args:
        rows: by the title of a metric, by that of a data set, tables with the columns `performance`, `score`, the
            percentage of networks that have no higher score, and `parameters`.
        label: what the performance is.

    Returns:
        A group of panels side by side for each metric, with one for each data set, three groups in a row; in brackets
        the number of networks with a score. A dot is a network, its colour log10 of its parameters, darker for more.
        The 5 % worst networks are left of the axis.
    """
    datasets = list(dict.fromkeys(name for panels in rows.values() for name in panels))
    tables = [table for panels in rows.values() for table in panels.values() if len(table)]
    sizes = np.log10(pd.concat([table["parameters"] for table in tables]))
    across = min(len(rows), 3)
    down = -(-len(rows) // across)
    with matplotlib.rc_context(_STYLE):
        # Laid out by hand: finding a layout for so many panels takes half a minute.
        height = 0.95 * down + 0.7
        figure = Figure(figsize=(7.0, height))
        room = {"left": 0.07, "right": 0.99, "top": 1 - 0.35 / height, "bottom": 0.5 / height}
        groups = figure.add_gridspec(down, across, **room, wspace=0.14, hspace=0.75)
        limits = {}
        for name in datasets:
            reached = pd.concat([panels[name]["performance"] for panels in rows.values() if name in panels])
            limits[name] = reached.quantile([0.05, 1.0]).to_list()
        for place, (metric, panels) in enumerate(rows.items()):
            inner = groups[place].subgridspec(1, len(datasets), wspace=0.15)
            for at, name in enumerate(datasets):
                axis = figure.add_subplot(inner[at])
                _scatter_panel(axis, panels[name], (sizes.min(), sizes.max())).set_sizes([1.5])
                low, high = limits[name]
                axis.set(xlim=(low, high + 0.03 * (high - low)), ylim=(0, 100), yticks=[0, 50, 100])
                axis.xaxis.set_major_locator(MaxNLocator(2, integer=True))
                axis.tick_params(labelsize=5.5, pad=1.5, length=2, labelleft=at == 0)
                if at == (len(datasets) - 1) // 2:
                    axis.annotate(
                        f"{metric} ({len(panels[name]):,})",
                        (0.5, 1.12 if place >= across else 1.34),
                        xycoords="axes fraction",
                        ha="center",
                        fontsize=7,
                    )
                if place < across:
                    axis.set_title(name, fontsize=6, pad=3)
        figure.supxlabel(f"{label}; colour: log$_{{10}}$ parameters, darker for more", fontsize=7.5)
        figure.supylabel("percentile of the score", fontsize=7.5)
        return figure


def draw_warm_ups(curves: pd.DataFrame, titles: Mapping[str, str], shown: Sequence[str]) -> Figure:
    """Draw the best test accuracy so far of searches that begin with the best by each metric (Figure 5).

    Args:
        curves: columns `dataset`, `search` (`evolution` or `random`), `metric` (empty without a warm-up), `trained`,
            `median`, `lower` and `upper`.
        titles: of metrics.
        shown: metrics that have colours of their own, the first of them with a band; others are grey.

    Returns:
        One column of panels for each data set: ageing evolution above, random search below, on one scale. A line is
        the median over rounds against the networks trained so far, the band reaches from quartile to quartile. The
        scale is that of the coloured lines after the first 3 % of the networks.
    """
    colours = dict(zip(shown, sns.color_palette("colorblind"), strict=False))
    with matplotlib.rc_context(_STYLE):
        figure, axes = _two_rows(curves["dataset"].nunique(), sharey="col")
        for (dataset, own), column in zip(curves.groupby("dataset", sort=False), axes.T, strict=True):
            for axis, algorithm in zip(column, _SEARCHES, strict=True):
                found = dict(list(own[own["search"] == algorithm].groupby("metric", sort=False)))
                others = [name for name in found if name and name not in colours]
                for place, name in enumerate(others):
                    label = "other metrics" if place == 0 else "_other"
                    axis.plot("trained", "median", data=found[name], color="0.8", linewidth=0.6, label=label)
                if "" in found:
                    axis.plot("trained", "median", data=found[""], color="black", linestyle="--", label="no warm-up")
                for place, name in enumerate(name for name in colours if name in found):
                    style = {"color": colours[name], "linestyle": ("-", "-.", ":")[place % 3]}
                    axis.plot("trained", "median", data=found[name], label=titles.get(name, name), **style)
                    if place == 0:
                        axis.fill_between("trained", "lower", "upper", data=found[name], color=colours[name], **_BAND)
            late = own[(own["trained"] > 0.03 * own["trained"].max()) & own["metric"].isin(["", *shown])]
            _frame_searches(column, str(dataset), late["median"].min(), own["median"].max())
        _explain_searches(figure, axes)
        return figure


def draw_distributions(panels: Sequence[tuple[str, pd.Series]]) -> Figure:
    """Draw how scores are distributed, one panel for each title, with how many of the networks have one.

    Args:
        panels: title, and one score for each network, NaN for none; the series bears the metric's title.

    Returns:
        At most three panels in a row. A bar is the number of networks in one of 40 bins, equally wide on the
        logarithmic axis. The lowest and the highest half percent of the scores are in the outermost bins; scores of 0
        are in none. The axis is linear for a metric that has negative scores.
    """
    with matplotlib.rc_context(_STYLE):
        columns = min(len(panels), 3)
        rows = -(-len(panels) // columns)
        figure = _figure(2.3 * columns, 1.8 * rows + 0.2)
        for place, (title, scores) in enumerate(panels, start=1):
            axis = figure.add_subplot(rows, columns, place)
            positive = not (scores < 0).any()
            found = scores[scores > 0] if positive else scores.dropna()
            low, high = found.quantile([0.005, 0.995])
            sns.histplot(found.clip(low, high), bins=40, log_scale=positive, color=_BLUE, alpha=1, linewidth=0, ax=axis)
            axis.set(title=f"{title}\n{scores.count():,} of {len(scores):,} networks", xlabel=scores.name, ylabel="")
            axis.set_ylim(bottom=0)
            axis.locator_params(axis="y", nbins=5, integer=True, min_n_ticks=1)
            axis.xaxis.set_minor_formatter(NullFormatter())
            if positive and high < 10 * low:
                # There may be no power of ten to label.
                axis.xaxis.set_major_locator(MaxNLocator(2))
                axis.xaxis.set_major_formatter("{x:g}")
        figure.supylabel("networks", fontsize="medium")
        return figure


def draw_search_curves(curves: pd.DataFrame) -> Figure:
    """Draw the best test accuracy so far of every search (Figure 3).

    Args:
        curves: columns `dataset`, `search` (a key of `epsinas.evaluation.searches.search_curves`), `trained` (networks
            trained so far, from 1), `median`, `lower` and `upper` (the quartiles over rounds).

    Returns:
        One column of panels for each dataset: ageing evolution above, random search below, on one scale. A line is a
        search's median over rounds against the networks trained so far, its band reaches from quartile to quartile;
        colour and dashes say whether the search warms up, moves, both or neither. The scale is that of the bands
        after the first 3 % of the networks, which can be as bad as chance.
    """
    kinds = {
        "": {"label": "plain", "color": _BLUE, "linestyle": "-"},
        "_warm_up": {"label": "warm-up", "color": _ORANGE, "linestyle": "--"},
        "_move": {"label": "move", "color": _GREEN, "linestyle": ":"},
        "_warm_up_move": {"label": "warm-up + move", "color": _PURPLE, "linestyle": "-."},
    }
    with matplotlib.rc_context(_STYLE):
        figure, axes = _two_rows(curves["dataset"].nunique(), sharey="col")
        for (dataset, own), column in zip(curves.groupby("dataset", sort=False), axes.T, strict=True):
            for axis, algorithm in zip(column, _SEARCHES, strict=True):
                for suffix, line in kinds.items():
                    curve = own[own["search"] == algorithm + suffix].sort_values("trained")
                    if not curve.empty:
                        axis.plot("trained", "median", data=curve, **line)
                        axis.fill_between("trained", "lower", "upper", data=curve, color=line["color"], **_BAND)
            late = own[own["trained"] > 0.03 * own["trained"].max()]
            _frame_searches(column, str(dataset), late["lower"].min(), late["upper"].max())
        _explain_searches(figure, axes)
        return figure


_SEARCHES = {"evolution": "ageing evolution", "random": "random search"}
"""What is above and below in the figures of searches."""


def _frame_searches(column: np.ndarray, dataset: str, low: float, high: float) -> None:
    """Give the two panels of a data set their scale, with a margin, and their titles."""
    margin = 0.05 * (high - low) or 1.0
    column[0].set(ylim=(low - margin, high + margin), title=title_of(dataset))
    column[1].set_xlabel("trained networks")


def _explain_searches(figure: Figure, axes: np.ndarray) -> None:
    """Name the rows, and the lines below them."""
    for axis, name in zip(axes[:, 0], _SEARCHES.values(), strict=True):
        axis.set_ylabel(f"{name}:\nbest test accuracy (%)")
    _legend(figure, axes)


def draw_batch_sizes(draws: pd.DataFrame) -> Figure:
    """Draw how the correlations depend on the batch size (Figure 4).

    Args:
        draws: rows of `epsinas.evaluation.runs.evaluate_table`, several draws for each dataset and batch size.

    Returns:
        One column of panels for each dataset: Spearman's rho above, Kendall's tau below. A line is the median over
        draws against the batch size, its band reaches from quartile to quartile; blue circles are the correlation
        among all networks, orange squares the one among the 10 % best.
    """
    kinds = {
        "global": {"label": "all networks", "color": _BLUE, "linestyle": "-", "marker": "o"},
        "top10": {"label": "10 % best networks", "color": _ORANGE, "linestyle": "--", "marker": "s"},
    }
    measures = {"spearman": r"Spearman's $\rho$", "kendall": r"Kendall's $\tau$"}
    median = {"estimator": "median", "errorbar": ("pi", 50), "err_kws": _BAND}
    sizes = sorted(draws["batch_size"].unique())
    with matplotlib.rc_context(_STYLE):
        figure, axes = _two_rows(draws["dataset"].nunique(), sharey="row")
        for (dataset, own), column in zip(draws.groupby("dataset", sort=False), axes.T, strict=True):
            for axis, (measure, name) in zip(column, measures.items(), strict=True):
                for kind, line in kinds.items():
                    sns.lineplot(own, x="batch_size", y=f"{measure}_{kind}", **median, **line, legend=False, ax=axis)
                axis.set(xlabel="batch size", ylabel=name)
                axis.label_outer()
            column[0].set_title(title_of(str(dataset)))
            column[1].set_xscale("log", base=2)
            column[1].set_xticks(sizes, sizes, rotation=45)
            column[1].minorticks_off()
        _legend(figure, axes)
        return figure


def draw_weight_pairs(table: pd.DataFrame) -> Figure:
    """Draw the global Spearman's rho of every pair of weights as a heat map.

    Args:
        table: rows of `epsinas.evaluation.runs.evaluate_table`: datasets and pairs of weights, one draw.

    Returns:
        A panel for each dataset, the low weight below and the high weight beside it. A square is a pair; its number and
        its colour are the correlation, red a positive and blue a negative one, the darker the farther from zero. A pair
        without a correlation is blank. The title says how many networks have a score.
    """
    with matplotlib.rc_context(_STYLE):
        weights = sorted({*table["weight_low"], *table["weight_high"]})
        count, squares = table["dataset"].nunique(), len(weights) - 1
        # Squares with room for the digits, unless the page ends first.
        square = min(0.34, 5.6 / (count * squares))
        figure = _figure(square * squares * count + 1.36, max(square * squares, 1.6) + 1.0)
        scale = {
            "vmin": -1,
            "vmax": 1,
            # Light enough for black digits everywhere.
            "cmap": sns.diverging_palette(250, 15, s=75, l=58, as_cmap=True),
            "cbar_kws": {"label": r"Spearman's $\rho$, all networks"},
            "annot_kws": {"color": "black", "fontsize": min(8.0, 22 * square)},
        }
        axes = figure.subplots(1, count, sharey=True, squeeze=False)[0]
        for axis, (dataset, own) in zip(axes, table.groupby("dataset", sort=False), strict=True):
            rho = own.pivot(index="weight_high", columns="weight_low", values="spearman_global")
            rho = rho.reindex(index=weights[:0:-1], columns=weights[:-1]).rename(index=_power, columns=_power)
            # Without the leading zero the digits fit into a square.
            digits = rho.map("{:.2f}".format).replace(r"0\.", ".", regex=True)
            sns.heatmap(rho, **scale, annot=digits, fmt="", square=True, cbar=axis is axes[-1], ax=axis)
            scored = " to ".join(f"{number:,}" for number in sorted({own["archs"].min(), own["archs"].max()}))
            title = f"{scored} of {own['networks'].max():,}\nnetworks have a score"
            axis.set(title=f"{title_of(str(dataset))}\n{title}", xlabel="low weight", ylabel="high weight")
            axis.tick_params(axis="x", rotation=45)
            axis.tick_params(axis="y", rotation=0)
            axis.label_outer()
        return figure


def _figure(width: float, height: float) -> Figure:
    """Make an empty figure at least as wide as a column of text and at most as wide as a page."""
    return Figure(figsize=(np.clip(width, 3.4, 7.0), height), layout="constrained")


def _two_rows(columns: int, sharey: Literal["row", "col"]) -> tuple[Figure, np.ndarray]:
    """Make two rows of panels."""
    figure = _figure(2.3 * columns + 0.4, 4.2)
    return figure, figure.subplots(2, columns, squeeze=False, sharex=True, sharey=sharey)


def _legend(figure: Figure, axes: np.ndarray) -> None:
    """Explain the lines of the first panel below all panels."""
    columns = 4 if axes.shape[1] > 1 else 2
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=columns)


def _power(weight: float) -> str:
    """Print a weight, as a power of ten if it is one."""
    exponent = round(np.log10(weight))
    return f"$10^{{{exponent}}}$" if np.isclose(weight, 10.0**exponent, rtol=1e-9) else f"{weight:g}"


def save(figure: Figure, paths: Iterable[str | Path]) -> None:
    """Write a figure to files, each in the format of its suffix; the same figure gives the same bytes."""
    for path in map(Path, paths):
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix)
        with matplotlib.rc_context(_STYLE), atomic(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:], metadata=metadata)
