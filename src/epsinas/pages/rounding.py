"""How far rounding limits the scores of recurrent networks."""

import numpy as np
import pandas as pd

from epsinas.metrics.base import LIMIT
from epsinas.metrics.epsilon import METRIC
from epsinas.study.page import Page, Request
from epsinas.study.plan import Plan, Run
from epsinas.study.results import Results


def _runs(plan: Plan) -> list[Run]:
    spaces = [name for name, section in plan.sections.items() if section.family.estimates_rounding]
    return [run for name in spaces for run in plan.whole_runs(name) if run.metric == METRIC.name]


def _request(plan: Plan) -> Request | None:
    runs = _runs(plan)
    return Request(runs=tuple(runs)) if runs else None


def _table(results: Results) -> pd.DataFrame:
    tables = []
    for space in results.request.spaces:
        scores = pd.concat([results.scores(run) for run in results.runs if run.space == space])
        tables.append(rounding_table(scores, results.section(space)["precisions"][-1]))
    return pd.concat(tables, ignore_index=True)


def rounding_table(scores: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Say how far rounding limits scores, and what the limited ones are worth.

    Args:
        scores: runs over the same networks in several precisions, with the columns that identify a run.
        reference: the precision that the others are compared with.

    Returns:
        For each data set, pair of weights and precision, on the first batch: `networks`, `scored`, `limited` (scores
        whose estimated error is above `epsinas.metrics.base.LIMIT`), `limited_share` of those scored, and of the
        relative difference from the reference's scores the median and the largest, among the scores that are limited
        (`limited_median`, `limited_largest`) and among the others (`others_median`, `others_largest`), where both
        precisions have a score and the reference's is not limited itself.
    """
    first = scores[scores["draw"] == 0]
    rows = []
    for (dataset, setting), runs in first.groupby(["dataset", "setting"], sort=False):
        by_precision = {name: run.set_index("index") for name, run in runs.groupby("precision", sort=False)}
        exact = by_precision[reference]["score"].where(by_precision[reference]["error"] <= LIMIT)
        for precision, run in by_precision.items():
            limited = run["score"].notna() & (run["error"] > LIMIT)
            scored, number = int(run["score"].notna().sum()), int(limited.sum())
            row = {"dataset": dataset, **METRIC.columns(str(setting))}
            row |= {"precision": precision, "networks": len(run), "scored": scored, "limited": number}
            row["limited_share"] = number / scored if scored else np.nan
            difference = (run["score"] / exact - 1).abs()
            for name, among in (("limited", difference[limited]), ("others", difference[~limited])):
                row |= {f"{name}_median": among.median(), f"{name}_largest": among.max()}
            rows.append(row)
    return pd.DataFrame(rows)


PAGE = Page(
    name="rounding",
    title="Scores that rounding limits",
    caption=(
        "How many scores of recurrent networks have an estimated rounding error above a thousandth of their "
        "value, in each precision. The estimate is right where limited scores differ far more from those of the "
        "highest precision than the others do."
    ),
    request=_request,
    table=_table,
)
