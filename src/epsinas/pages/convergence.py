"""How many networks a rank correlation needs: what samples of them give."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epsinas.evaluation.coefficients import convergence
from epsinas.paper.compared import Compared, first_space, statistics_request, statistics_table, without_origin
from epsinas.study.page import Page
from epsinas.study.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZES = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
_DRAWS = 200


def _rows(one: Compared, options: dict[str, Any], rng: np.random.Generator) -> pd.DataFrame:
    shown = [*one.own, *(name for name in ("parameters", "naswot@published", "naswot") if name in one.scores)]
    return one.identified(convergence(one.scores[shown], one.performance, _SIZES, _DRAWS, rng))


def _figure(results: Results) -> "Figure":
    from epsinas.paper.drawing import draw_curves

    table = first_space(results.table())
    return draw_curves(table, "archs", "spearman", by="metric", labels={"archs": "networks"})


PAGE = Page(
    name="convergence",
    title="Rank correlations on samples of networks",
    caption=(
        "ρ on random samples of networks, mean and the interval that 95 % of the samples fall into, against "
        "their number. See how wide the interval is at the number of networks that a paper has evaluated its "
        "metric on."
    ),
    request=statistics_request,
    table=statistics_table(_rows),
    shown=without_origin,
    figure=_figure,
)
