"""Figure 6: scores of other metrics against accuracy, NAS-Bench-201."""

from typing import TYPE_CHECKING

import pandas as pd

from epsinas.datasets.base import title
from epsinas.evaluation.performance import performance_label
from epsinas.study.comparison import by_metric, compared, comparison_request, first_signed
from epsinas.study.page import Page, Request
from epsinas.study.plan import Plan
from epsinas.study.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPACE = "nas-bench-201"


def _request(plan: Plan) -> Request | None:
    section = plan.sections.get(SPACE)
    if section is None or not section["comparison"] or not section["performance"]:
        return None
    return comparison_request(plan, SPACE)


def _figure(results: Results) -> "Figure":
    from epsinas.paper.drawing import draw_percentiles

    networks = results.networks(SPACE).set_index("index")
    rows = {}
    for metric in by_metric(compared(results, SPACE, imported=False)):
        panels = {}
        for run in metric:
            reached = run.reached(run.rankings()[0][1])
            scores = first_signed(run, networks.index).rank(pct=True)
            table = {"performance": reached.groupby(level=0).first(), "score": 100 * scores}
            panels[title(run.scores["dataset"].iloc[0])] = pd.DataFrame(table | {"parameters": networks["parameters"]})
        rows[metric[0].metric.name] = {name: panel.dropna() for name, panel in panels.items()}
    label = performance_label("accuracy", results.section(SPACE)["performance"]["split"])
    return draw_percentiles(rows, label)


PAGE = Page(
    name="figure6",
    title="Other metrics against accuracy, NAS-Bench-201",
    caption=(
        "A dot is a network: how many percent of the networks have no higher score, against its accuracy, the "
        "darker the more parameters it has. A metric that ranks well fills the diagonal; a flat line is a score "
        "that many networks share."
    ),
    request=_request,
    figure=_figure,
)
