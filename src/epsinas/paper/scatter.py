"""What the scatter figures have in common (Figures 1 and 2)."""

from typing import TYPE_CHECKING

import pandas as pd

from epsinas.datasets.base import title
from epsinas.evaluation.performance import performance_label, performance_of
from epsinas.metrics.base import Metric
from epsinas.paper.ranking import shown_spaces
from epsinas.spaces.base import SPACES
from epsinas.study.page import Request
from epsinas.study.plan import Plan, Run
from epsinas.study.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def scatter_request(plan: Plan, *homes: str) -> Request | None:
    """Request the main runs, networks and performances of the spaces that the figure shows."""
    spaces = tuple(name for home in homes for name in shown_spaces(plan, home))
    if not spaces:
        return None
    return Request(
        runs=tuple(run for name in spaces for run in plan.main_runs(name)),
        networks=spaces,
        data=tuple(f"{name}.performance.parquet" for name in spaces),
    )


def panel_title(run: Run, several_spaces: bool) -> str:
    """Return the title of a run's panel: the data set, and the space where a figure has several."""
    return f"{SPACES[run.space].title}, {title(run.dataset)}" if several_spaces else title(run.dataset)


def _score_label(metric: Metric) -> str:
    """Return what the axis of a metric's scores says."""
    return f"{metric.title}\n({'higher' if metric.sign > 0 else 'lower'} predicts better)"


def scatter_figure(results: Results) -> "Figure":
    """Draw the scores of every run against performance: a row of panels for each metric, a group for each space."""
    from epsinas.paper.drawing import draw_scatter

    spaces = results.request.networks
    metrics = dict.fromkeys(_score_label(results.plan.metric(run)) for run in results.runs)
    rows: dict[str, list[dict[str, pd.DataFrame]]] = {metric: [{} for _ in spaces] for metric in metrics}
    labels = {}
    for run in results.runs:
        options = results.section(run.space)["performance"]
        reached = performance_of(results.performance(run.space), run.dataset, **options)
        name = panel_title(run, len(spaces) > 1)
        labels[name] = performance_label(str(reached.name), options["split"])
        if reached.name == "loss":
            labels[name] += ",\nlower is better"
        metric = results.plan.metric(run)
        parameters = results.networks(run.space).set_index("index")["parameters"]
        panel = {"performance": reached, "score": metric.sign * results.first_scores(run), "parameters": parameters}
        rows[_score_label(metric)][spaces.index(run.space)][name] = pd.DataFrame(panel).dropna()
    return draw_scatter(rows, labels)
