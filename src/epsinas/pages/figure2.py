"""Figure 2: scores against performance on NAS-Bench-101 and NAS-Bench-NLP."""

from epsinas.paper.scatter import scatter_figure, scatter_request
from epsinas.study.page import Page

PAGE = Page(
    name="figure2",
    title="Scores against performance, NAS-Bench-101 and NAS-Bench-NLP",
    caption=(
        "A dot is a network, its score against its accuracy or its loss, the darker the more parameters it has. "
        "A metric that ranks well makes a band that rises with the accuracy, or falls with the loss."
    ),
    request=lambda plan: scatter_request(plan, "nas-bench-101", "nas-bench-nlp"),
    figure=scatter_figure,
)
