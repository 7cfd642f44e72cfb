"""Rank correlations of all metrics with their intervals: on which networks, and why others have no score."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epsinas.evaluation.coefficients import COMMON, COVERAGES, FIRST, LAST, OWN, coefficients
from epsinas.paper.compared import STATISTICS, Compared, first_space, statistics_request, statistics_table
from epsinas.study.page import Page
from epsinas.study.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _rows(one: Compared, options: dict[str, Any], rng: np.random.Generator) -> pd.DataFrame:
    parts = []
    for population, members in one.populations.items():
        networks = members.index[members]
        coverages = COVERAGES if population == "all" else (OWN,)
        scores = one.scores.loc[networks]
        resamples, tried = options["resamples"], one.reasons.notna()
        table = coefficients(scores, one.performance, one.classes, resamples, rng, coverages, tried)
        table.insert(1, "population", population)
        table["why"] = [one.why_missing(name, networks) for name in table["metric"]]
        parts.append(one.identified(table.assign(ceiling=one.ceiling)))
    return pd.concat(parts)


def _figure(results: Results) -> "Figure":
    from epsinas.paper.drawing import draw_forest

    table = results.table().query("population == 'all' and coverage == @OWN")
    return draw_forest(first_space(table), count="archs")


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Put the coverages side by side: own, common, and all, those without a score last or first."""
    identity = ["space", "dataset", "metric", "setting", "precision", "population", "networks", "scored"]
    rho = ["spearman", "spearman_low", "spearman_high"]
    found = table[table["coverage"] == OWN][[*identity, *rho, "kendall", "kendall_low", "kendall_high", "why"]]
    for coverage, kept in {COMMON: ["archs", *rho], LAST: rho[:1], FIRST: rho[:1]}.items():
        names = {name: name.replace("spearman", f"spearman_{coverage}").replace("archs", coverage) for name in kept}
        other = table[table["coverage"] == coverage][[*identity, *kept]].rename(columns=names)
        found = found.merge(other, on=identity, how="left", validate="one_to_one")
    first = [*identity[:3], *identity[4:6]]
    last = ["setting", "networks", "scored", "kendall", "kendall_low", "kendall_high", "why"]
    return found[[*first, *(name for name in found if name not in (*first, *last)), *last]]


PAGE = Page(
    name="statistics",
    title="Rank correlations with intervals, on every coverage",
    caption=(
        "Rank correlations of every metric with the trained performance and their intervals of 95 %, over the "
        "networks that it scores (own), those that most metrics share (common), and all, with those without a "
        "score ranked last or first. Compare metrics on the common coverage; how far last and first are apart "
        "says what the missing scores leave open."
    ),
    request=statistics_request,
    table=statistics_table(_rows),
    shown=_shown,
    figure=_figure,
    options={"statistics": STATISTICS},
)
