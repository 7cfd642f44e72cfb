"""Figures of the paper, drawn with matplotlib."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from epsinas.schemas import atomic

TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "digits": "Digits"}
"""How datasets are called in figures; any other by its own name."""

_STYLE = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "epsinas",
    "savefig.dpi": 200,
}


def scatter(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw score against test accuracy, one panel for each dataset (Figure 1).

    Args:
        panels: by dataset, tables with the columns `performance` (percent), `score` and `parameters`.

    Returns:
        A figure one column of text wide for each panel up to three; colour is log10 of the parameters, darker
        for more, drawn in order of their number so that no size hides another by chance of the benchmark's order.
    """
    with matplotlib.rc_context(_STYLE):
        width = max(2.4 * len(panels) + 0.9, 3.4)
        figure = Figure(figsize=(width, 2.6), layout="constrained")
        axes = np.atleast_1d(figure.subplots(1, len(panels)))
        sizes = np.log10(pd.concat([panel["parameters"] for panel in panels.values()]))
        limits = {"vmin": sizes.min(), "vmax": sizes.max()} if len(sizes) else {}
        for axis, (dataset, panel) in zip(axes, panels.items(), strict=True):
            panel = panel.sort_values("parameters", kind="stable")
            dots = axis.scatter(
                panel["performance"],
                panel["score"],
                c=np.log10(panel["parameters"]),
                s=3,
                linewidths=0,
                cmap="viridis_r",
                rasterized=True,
                **limits,
            )
            axis.set_title(f"{TITLES.get(dataset, dataset)} ({len(panel):,} networks)")
            axis.set_xlabel("test accuracy (%)")
        axes[0].set_ylabel("epsilon")
        figure.colorbar(dots, ax=list(axes), label="log$_{10}$ parameters")
        return figure


def save(figure: Figure, paths: Iterable[str | Path]) -> None:
    """Write a figure to files, each in the format of its suffix; the same figure gives the same bytes."""
    for path in map(Path, paths):
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix)
        with matplotlib.rc_context(_STYLE), atomic(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:], metadata=metadata)
