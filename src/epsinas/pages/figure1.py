"""Figure 1: scores against accuracy on NAS-Bench-201, and on search spaces that are not in the paper."""

from epsinas.paper.scatter import scatter_figure, scatter_request
from epsinas.study.page import Page

PAGE = Page(
    name="figure1",
    title="Scores against accuracy, NAS-Bench-201",
    caption=(
        "A dot is a network, its score against its accuracy, the darker the more parameters it has. A metric "
        "that ranks well makes a band that rises, and where the dark dots are at its upper end, size ranks well, "
        "too."
    ),
    request=lambda plan: scatter_request(plan, "nas-bench-201"),
    figure=scatter_figure,
)
