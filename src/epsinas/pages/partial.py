"""What metrics know beside the size of the networks: partial rank correlations, and correlations with the sizes."""

from typing import Any

import numpy as np
import pandas as pd

from epsinas.evaluation.coefficients import held_fixed, partial_coefficients
from epsinas.paper.compared import Compared, statistics_request, statistics_table, without_origin
from epsinas.study.page import Page


def _rows(one: Compared, options: dict[str, Any], rng: np.random.Generator) -> pd.DataFrame:
    counts, resamples = one.counts, options["resamples"]
    given = held_fixed(counts)
    table = partial_coefficients(one.scores, one.performance, one.classes, counts, given, resamples, rng)
    return one.identified(table)


PAGE = Page(
    name="partial",
    title="Rank correlations given the size of the networks",
    caption=(
        "ρ of every metric with the performance given the size of the networks, and ρ of the metric with each of "
        "the sizes. A metric whose ρ is gone given parameters or FLOPs knows the size of a network and little "
        "else."
    ),
    request=statistics_request,
    table=statistics_table(_rows),
    shown=without_origin,
)
