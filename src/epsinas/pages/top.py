"""How good the top of every metric's ranking is, on its own coverage and on the networks that the metrics share."""

from typing import Any

import numpy as np
import pandas as pd

from epsinas.evaluation.coefficients import COMMON, OWN, shared_networks
from epsinas.evaluation.top import top_measures
from epsinas.paper.compared import Compared, statistics_request, statistics_table, without_origin
from epsinas.study.page import Page


def _rows(one: Compared, options: dict[str, Any], rng: np.random.Generator) -> pd.DataFrame:
    scores = one.scores[one.performance.notna()]
    shared = scores.loc[shared_networks(scores, one.performance, one.classes)].dropna(axis="columns")
    rows = []
    for coverage, table in {OWN: scores, COMMON: shared}.items():
        for name in table:
            own = table[name].dropna()
            if not own.empty:
                found = top_measures(own, one.performance.loc[own.index])
                rows.append({"metric": name, "coverage": coverage, "archs": len(own)} | found)
    return one.identified(pd.DataFrame(rows))


PAGE = Page(
    name="top",
    title="The top of the rankings",
    caption=(
        "How good the networks are that a metric puts first: precision and best rank among its first, nDCG, the "
        "accuracy that is lost by taking its first (regret), and τ with weight on the top. Compare on the common "
        "coverage, where all metrics choose from the same networks."
    ),
    request=statistics_request,
    table=statistics_table(_rows),
    shown=lambda table: without_origin(table).rename(columns={"coverage": "over"}),
)
