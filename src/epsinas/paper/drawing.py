"""Figures of the paper, drawn with matplotlib."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from epsinas.datasets import title as title_of
from epsinas.files.whole import atomic

_STYLE = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "epsinas",
    "savefig.dpi": 200,
}


def scatter(
    groups: Sequence[Mapping[str, pd.DataFrame]], labels: Mapping[str, str], metrics: Mapping[str, str]
) -> Figure:
    """Draw score against performance, one panel for each dataset (Figures 1 and 2).

    Args:
        groups: for each search space, by title, tables with the columns `performance`, `score` and `parameters`.
        labels: by title, what the performance is.
        metrics: by title, what the score is.

    Returns:
        Panels side by side; colour is log10 of the parameters, with a scale for each group, darker for more, drawn in
        order of their number so that no size hides another by chance of the benchmark's order.
    """
    with matplotlib.rc_context(_STYLE):
        count = sum(map(len, groups))
        figure = Figure(figsize=(max(2.3 * count + 0.9 * len(groups), 3.4), 2.7), layout="constrained")
        axes = np.atleast_1d(figure.subplots(1, count))
        remaining, before = iter(axes), None
        for panels in groups:
            own = []
            sizes = np.log10(pd.concat([panel["parameters"] for panel in panels.values()]))
            limits = {"vmin": sizes.min(), "vmax": sizes.max()} if len(sizes) else {}
            for title, panel in panels.items():
                axis = next(remaining)
                own.append(axis)
                panel = panel.sort_values("parameters", kind="stable")
                dots = axis.scatter(
                    panel["performance"],
                    panel["score"],
                    c=np.log10(panel["parameters"]),
                    s=3 if len(panel) > 1000 else 8,
                    linewidths=0,
                    cmap="viridis_r",
                    rasterized=True,
                    **limits,
                )
                axis.set_title(f"{title}\n{len(panel):,} networks", fontsize=8)
                axis.set_xlabel(labels[title])
                if metrics[title] != before:
                    axis.set_ylabel(metrics[title])
                before = metrics[title]
            figure.colorbar(dots, ax=own, label="log$_{10}$ parameters")
        return figure


def distributions(panels: Mapping[str, pd.Series]) -> Figure:
    """Draw how scores are distributed, one panel for each title, with how many of the networks have one.

    The axis is logarithmic; the lowest and the highest half percent of the scores are in the outermost bins.

    Args:
        panels: by title, one score for each network, NaN for none.
    """
    with matplotlib.rc_context(_STYLE):
        columns = min(len(panels), 3)
        rows = -(-len(panels) // columns)
        figure = Figure(figsize=(max(2.3 * columns, 3.4), 1.8 * rows + 0.2), layout="constrained")
        axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
        for axis, (title, scores) in zip(axes, panels.items(), strict=False):
            found = scores[scores > 0]
            if len(found):
                low, high = found.quantile([0.005, 0.995])
                axis.hist(found.clip(low, high), bins=np.geomspace(low, high * 1.001, 41), color=_COLOURS["blue"])
                axis.set_xscale("log")
            axis.set_title(f"{title}\n{scores.count():,} of {len(scores):,} networks", fontsize=8)
            axis.set_xlabel("epsilon")
            axis.locator_params(axis="y", nbins=5)
        for axis in axes[::columns]:
            axis.set_ylabel("networks")
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        return figure


_COLOURS = {"blue": "#0072B2", "orange": "#E69F00", "green": "#009E73", "purple": "#CC79A7"}
"""Colours that the colour-blind can tell apart (Okabe and Ito, 2008)."""


def search_curves(curves: pd.DataFrame) -> Figure:
    """Draw the best test accuracy so far of every search (Figure 3).

    Args:
        curves: columns `dataset`, `search` (a key of `epsinas.evaluation.searches.search_curves`), `trained` (networks trained so
            far, from 1), `median`, `lower` and `upper` (the quartiles over rounds).

    Returns:
        One column of panels for each dataset: ageing evolution above, random search below, on one scale; lines are
        medians and bands reach from quartile to quartile.
    """
    kinds = {
        "": ("plain", "blue", "-"),
        "_warm_up": ("warm-up", "orange", "--"),
        "_move": ("move", "green", ":"),
        "_warm_up_move": ("warm-up + move", "purple", "-."),
    }
    algorithms = {"evolution": "ageing evolution", "random": "random search"}
    with matplotlib.rc_context(_STYLE):
        datasets = list(dict.fromkeys(curves["dataset"]))
        figure, axes = _grid(2, len(datasets), 4.2, sharex=True, sharey="col")
        for column, dataset in enumerate(datasets):
            own = curves[curves["dataset"] == dataset]
            for row, algorithm in enumerate(algorithms):
                for suffix, (label, colour, style) in kinds.items():
                    curve = own[own["search"] == algorithm + suffix].sort_values("trained")
                    if curve.empty:
                        continue
                    axis = axes[row, column]
                    axis.plot(curve["trained"], curve["median"], style, color=_COLOURS[colour], lw=1.2, label=label)
                    axis.fill_between(
                        curve["trained"], curve["lower"], curve["upper"], color=_COLOURS[colour], alpha=0.2, linewidth=0
                    )
            # The first networks can be as bad as chance; the differences are near the top.
            late = own[own["trained"] > 0.03 * own["trained"].max()]
            margin = 0.05 * (late["upper"].max() - late["lower"].min()) or 1.0
            axes[0, column].set_ylim(late["lower"].min() - margin, late["upper"].max() + margin)
            axes[0, column].set_title(title_of(dataset))
            axes[1, column].set_xlabel("trained networks")
        for row, algorithm in enumerate(algorithms.values()):
            axes[row, 0].set_ylabel(f"{algorithm}:\nbest test accuracy (%)")
        columns = 4 if axes.shape[1] > 1 else 2
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=columns, frameon=False)
        return figure


def batch_sizes(draws: pd.DataFrame) -> Figure:
    """Draw how the correlations depend on the batch size (Figure 4).

    Args:
        draws: rows of `epsinas.evaluation.runs.evaluate_table`, several draws for each dataset and batch size.

    Returns:
        One column of panels for each dataset: Spearman's rho above, Kendall's tau below, each among all networks and
        among the 10 % best; lines are medians over draws and bands reach from quartile to quartile.
    """
    kinds = {
        "global": ("all networks", "blue", "-", "o"),
        "top10": ("10 % best networks", "orange", "--", "s"),
    }
    measures = {"spearman": r"Spearman's $\rho$", "kendall": r"Kendall's $\tau$"}
    with matplotlib.rc_context(_STYLE):
        datasets = list(dict.fromkeys(draws["dataset"]))
        figure, axes = _grid(2, len(datasets), 4.2, sharex=True, sharey="row")
        for column, dataset in enumerate(datasets):
            own = draws[draws["dataset"] == dataset]
            for row, measure in enumerate(measures):
                axis = axes[row, column]
                for kind, (label, colour, style, marker) in kinds.items():
                    by_size = own.groupby("batch_size")[f"{measure}_{kind}"].quantile([0.25, 0.5, 0.75]).unstack()
                    axis.plot(
                        by_size.index,
                        by_size[0.5],
                        style,
                        marker=marker,
                        ms=3,
                        color=_COLOURS[colour],
                        lw=1.2,
                        label=label,
                    )
                    axis.fill_between(
                        by_size.index, by_size[0.25], by_size[0.75], color=_COLOURS[colour], alpha=0.2, linewidth=0
                    )
            sizes = sorted(own["batch_size"].unique())
            axes[1, column].set_xscale("log", base=2)
            axes[1, column].set_xticks(sizes, [str(size) for size in sizes], rotation=45)
            axes[1, column].minorticks_off()
            axes[1, column].set_xlabel("batch size")
            axes[0, column].set_title(title_of(dataset))
        for row, label in enumerate(measures.values()):
            axes[row, 0].set_ylabel(label)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
        return figure


def weight_pairs(table: pd.DataFrame) -> Figure:
    """Draw the global Spearman's rho of every pair of weights as a heat map.

    Args:
        table: rows of `epsinas.evaluation.runs.evaluate_table`: datasets and pairs of weights, one draw.

    Returns:
        A panel for each dataset, the low weight below and the high weight beside it; red is a positive correlation,
        blue a negative one. The title says how many networks have a score.
    """
    with matplotlib.rc_context(_STYLE):
        datasets = list(dict.fromkeys(table["dataset"]))
        weights = sorted({*table["weight_low"], *table["weight_high"]})
        # Squares with room for the digits, unless the page ends first.
        side = max(min(0.36 * len(weights), 5.8 / len(datasets)), 1.8)
        fontsize = min(8.0, 21 * side / len(weights))
        figure = Figure(figsize=(side * len(datasets) + 1.6, side + 0.9), layout="constrained")
        axes = figure.subplots(1, len(datasets), sharey=True, squeeze=False)[0]
        names = [_power(weight) for weight in weights]
        for axis, dataset in zip(axes, datasets, strict=True):
            own = table[table["dataset"] == dataset]
            rho = own.pivot(index="weight_high", columns="weight_low", values="spearman_global")
            rho = rho.reindex(index=weights[1:], columns=weights[:-1])
            image = axis.imshow(rho, cmap="RdBu_r", vmin=-1, vmax=1, origin="lower")
            for (row, column), value in np.ndenumerate(rho.to_numpy()):
                if np.isfinite(value):
                    # Without the leading zero the digits fit into a square.
                    text = f"{value:.2f}".replace("0.", ".")
                    colour = "white" if abs(value) > 0.6 else "black"
                    axis.text(column, row, text, ha="center", va="center", fontsize=fontsize, color=colour)
            axis.set_xticks(range(len(weights) - 1), names[:-1], rotation=45)
            axis.set_yticks(range(len(weights) - 1), names[1:])
            axis.set_xlabel("low weight")
            counts = sorted({own["archs"].min(), own["archs"].max()})
            scored = " to ".join(f"{count:,}" for count in counts)
            title = f"{scored} of {own['networks'].max():,} networks have a score"
            axis.set_title(f"{title_of(dataset)}\n{title}", fontsize=8)
            axis.spines[:].set_visible(False)
        axes[0].set_ylabel("high weight")
        figure.colorbar(image, ax=list(axes), label=r"Spearman's $\rho$, all networks")
        return figure


def _grid(rows: int, columns: int, height: float, **shared: object) -> tuple[Figure, np.ndarray]:
    """Make panels at most as wide as a page of text, 7 inches."""
    figure = Figure(figsize=(min(2.3 * columns + 0.4, 7.0) if columns > 1 else 3.4, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


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
