"""Rank correlations of all metrics with their intervals: on which networks, and why others have no score."""

from typing import Any

import numpy as np
import pandas as pd

from epsinas.evaluation.coefficients import COVERAGES, OWN, coefficients
from epsinas.paper.compared import STATISTICS, Compared, statistics_request, statistics_table
from epsinas.study.page import Page


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
        parts.append(one.identified(table))
    return pd.concat(parts)


PAGE = Page(
    name="statistics",
    title="Rank correlations with intervals, on every coverage",
    request=statistics_request,
    table=statistics_table(_rows),
    options={"statistics": STATISTICS},
)
