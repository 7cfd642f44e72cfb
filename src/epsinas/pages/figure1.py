"""Figure 1: scores against accuracy on NAS-Bench-201, and on search spaces that are not in the paper."""

from epsinas.paper.scatter import scatter_figure, scatter_request
from epsinas.study.page import Page

PAGE = Page(
    name="figure1",
    title="Scores against accuracy, NAS-Bench-201",
    request=lambda plan: scatter_request(plan, "nas-bench-201"),
    figure=scatter_figure,
)
