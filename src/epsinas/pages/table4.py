"""Table 4: how metrics rank the recurrent networks of NAS-Bench-NLP."""

from epsinas.paper.cells import SELECTED, sampled_cells
from epsinas.paper.ranking import comparing_request, comparing_tables
from epsinas.study.page import Page

PAGE = Page(
    name="table4",
    title="Rank correlation with the loss, NAS-Bench-NLP",
    number=4,
    request=lambda plan: comparing_request(plan, "nas-bench-nlp"),
    table=comparing_tables,
    with_draws=True,
    cells=sampled_cells(lambda row: row["metric"], 4, SELECTED),
)
