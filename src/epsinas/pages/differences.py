"""The study's own metrics against every other one, on the networks that they share."""

from typing import Any

import numpy as np
import pandas as pd

from epsinas.evaluation.coefficients import differences
from epsinas.paper.compared import Compared, statistics_request, statistics_table
from epsinas.study.page import Page


def _rows(one: Compared, options: dict[str, Any], rng: np.random.Generator) -> pd.DataFrame:
    return one.identified(differences(one.scores, one.performance, one.classes, one.own, options["resamples"], rng))


PAGE = Page(
    name="differences",
    title="Paired differences between metrics",
    request=lambda plan: statistics_request(plan, metrics=2),
    table=statistics_table(_rows),
)
