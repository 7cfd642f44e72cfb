"""Metrics combined by their mean rank, and how the best combination does on networks that did not choose it."""

from typing import Any

import numpy as np
import pandas as pd

from epsinas.evaluation.coefficients import shared_networks
from epsinas.evaluation.combination import combined_metrics
from epsinas.paper.compared import Compared, statistics_request, statistics_table
from epsinas.study.page import Page

_KEPT = {1: None, 2: None, 3: 30}
"""By the size of the combinations, how many of the best are shown, beside those that were chosen; None for all."""


def _rows(one: Compared, options: dict[str, Any], rng: np.random.Generator) -> pd.DataFrame:
    shared = shared_networks(one.scores, one.performance, one.classes)
    scores = one.scores.loc[shared].dropna(axis="columns")
    scores = scores.loc[:, scores.nunique() > 1]
    columns = {str(name): scores[name].rank() for name in scores}
    parts = []
    for size, kept in _KEPT.items():
        if len(columns) < size:
            continue
        performance, classes = one.performance.loc[shared], one.classes.loc[shared]
        table = combined_metrics(columns, performance, classes, size, options["splits"], rng)
        shown = (table["chosen"] > 0) | (table.index < (len(table) if kept is None else kept))
        facts: dict[str, Any] = {"space": one.space, "dataset": one.dataset, "size": size, "archs": len(shared)}
        parts.append(table[shown].assign(**facts)[[*facts, *table]])
    return pd.concat(parts) if parts else pd.DataFrame()


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Take the ten best of each size, and those that were chosen on a half."""
    best = table.groupby(["space", "dataset", "size"]).cumcount() < 10
    return table[best | (table["chosen"] > 0)]


PAGE = Page(
    name="combinations",
    title="Metrics combined by mean rank",
    caption=(
        "Metrics combined by their mean rank on the networks that they share, single ones, pairs and triples. "
        "The best were chosen on the networks that they are shown on; what those reach that are chosen on one "
        "half of the classes of networks, on the other half, says what choosing is worth."
    ),
    request=lambda plan: statistics_request(plan, metrics=2),
    table=statistics_table(_rows),
    shown=_shown,
)
