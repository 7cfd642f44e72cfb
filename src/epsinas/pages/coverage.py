"""How many networks have a score, what the scores are like and what they cost, with or without performances."""

import pandas as pd

from epsinas.metrics.base import REASONS
from epsinas.metrics.rounding import limited_scores
from epsinas.paper.presentation import columns
from epsinas.study.page import Page, Request
from epsinas.study.plan import Plan
from epsinas.study.results import Results

QUANTILES = {"lowest": 0.0, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "highest": 1.0}
"""What `coverage` says about the distribution of scores."""


def coverage(scores: pd.DataFrame, columns: dict[str, object]) -> dict[str, object]:
    """Say how many networks of a run have a score, what the scores are like, and what they cost.

    Args:
        scores: of a run with one setting.
        columns: what the setting says.

    Returns:
        What identifies the run; `networks` tried, how many of them are `distinct` to the metric, how many are `scored`
        on the first batch, as a share in `coverage`, and for each of REASONS how many have none for it; of
        `limited_scores`, `rounding_limited`; the QUANTILES of the scores; and `milliseconds` of one core for each
        distinct network and batch.
    """
    first = scores[scores["draw"] == 0]
    found = first["score"].dropna()
    distinct = int((first["seconds"] > 0).sum())
    batches = scores["draw"].nunique()
    identity = ["space", "metric", "dataset", "inputs", "batch_size", "precision"]
    return {
        **{name: scores[name].iloc[0] for name in identity},
        **columns,
        "networks": len(first),
        "distinct": distinct,
        "scored": len(found),
        "coverage": len(found) / len(first),
        **{reason: int((first["reason"] == reason).sum()) for reason in REASONS},
        "rounding_limited": limited_scores(first),
        **{name: found.quantile(share) for name, share in QUANTILES.items()},
        "batches": batches,
        "milliseconds": 1e3 * scores["seconds"].sum() / (distinct * batches),
    }


def _request(plan: Plan) -> Request:
    return Request(runs=tuple(run for space in plan.sections for run in plan.whole_runs(space)))


def _table(results: Results) -> pd.DataFrame:
    rows = []
    for run in results.runs:
        scores = results.scores(run)
        rows.append(coverage(scores, results.plan.metric(run).columns(scores["setting"].iloc[0])))
    return pd.DataFrame(rows)


PAGE = Page(
    name="coverage",
    title="Networks with a score, and what scores cost",
    caption=(
        "How many of the networks tried have a score, and why the others have none: input and output are not "
        "connected, or the signals leave the range of the numbers. The quantiles say how the scores spread, and "
        "distinct networks are those that the metric can tell apart."
    ),
    request=_request,
    table=_table,
    shown=columns(
        *(
            "space",
            "dataset",
            "metric",
            "inputs",
            "batch_size",
            "precision",
            "weight",
            "networks",
            "distinct",
            "scored",
        ),
        *("coverage", *REASONS, "rounding_limited", "q05", "median", "q95", "milliseconds"),
    ),
)
