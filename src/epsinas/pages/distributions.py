"""How the scores of every search space and data set are distributed."""

from typing import TYPE_CHECKING

from epsinas.paper.scatter import panel_title
from epsinas.study.page import Page, Request
from epsinas.study.plan import Plan
from epsinas.study.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _request(plan: Plan) -> Request:
    return Request(runs=tuple(run for space in plan.sections for run in plan.main_runs(space)))


def _figure(results: Results) -> "Figure":
    from epsinas.paper.drawing import draw_distributions

    panels = []
    # The data sets of a metric are side by side.
    spaces, metrics = results.request.spaces, [run.metric for run in results.runs]
    for run in sorted(results.runs, key=lambda run: (spaces.index(run.space), metrics.index(run.metric))):
        metric = results.plan.metric(run)
        # As they are: `first_scores` turns those of which a lower one predicts a better network.
        scores = (metric.sign * results.first_scores(run)).rename(metric.name)
        panels.append((panel_title(run, several_spaces=True), scores))
    return draw_distributions(panels)


PAGE = Page(
    name="distributions",
    title="Distribution of the scores",
    caption=(
        "How many networks have which score, on a logarithmic axis; networks without a score are only in the "
        "numbers above a panel. A metric that crowds most networks into a few bars hardly tells them apart."
    ),
    request=_request,
    figure=_figure,
)
