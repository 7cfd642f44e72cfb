"""The study's own metrics against every other one, on the networks that they share."""

from typing import Any

import numpy as np
import pandas as pd

from epsinas.evaluation.coefficients import differences
from epsinas.paper.compared import Compared, statistics_request, statistics_table
from epsinas.paper.presentation import columns
from epsinas.study.page import Page


def _rows(one: Compared, options: dict[str, Any], rng: np.random.Generator) -> pd.DataFrame:
    return one.identified(differences(one.scores, one.performance, one.classes, one.own, options["resamples"], rng))


PAGE = Page(
    name="differences",
    title="Paired differences between metrics",
    caption=(
        "By how much ρ of the study's metrics is above that of another metric, on the networks that both score, "
        "with the paired interval of 95 %. Where the interval holds 0, these networks do not tell which of the "
        "two is better."
    ),
    request=lambda plan: statistics_request(plan, metrics=2),
    table=statistics_table(_rows),
    shown=columns(
        *("space", "dataset", "metric", "setting", "precision", "other", "archs", "difference", "spearman"),
        *("spearman_other", "between", "steiger_z", "steiger_p"),
    ),
)
