"""What metrics cost: milliseconds a network, in one run on one machine."""

import pandas as pd

from epsinas.study.comparison import costs
from epsinas.study.page import Page, Request
from epsinas.study.plan import TOGETHER, Plan
from epsinas.study.results import Results


def _request(plan: Plan) -> Request | None:
    spaces = [name for name in plan.sections if plan.comparison_runs(name)]
    runs = tuple(run for name in spaces for run in (*plan.main_runs(name), *plan.comparison_runs(name)))
    return Request(runs=runs) if runs else None


def _table(results: Results) -> pd.DataFrame:
    tables = []
    for run in results.runs:
        table = costs(results.scores(run))
        table.insert(0, "space", run.space)
        table.insert(1, "dataset", run.dataset)
        table["together"] = run.metric == TOGETHER
        metrics = {metric.name: metric for metric in results.plan.metrics(run)}
        table["needs"] = [" and ".join(metrics[name].needs) for name in table["metric"]]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


PAGE = Page(
    name="cost",
    title="What metrics cost",
    caption=(
        "What a metric takes on one core for a network and a batch, all of its settings together, on the machine "
        "of this run. Metrics that are computed together share passes, and the first of them bears a pass."
    ),
    request=_request,
    table=_table,
)
