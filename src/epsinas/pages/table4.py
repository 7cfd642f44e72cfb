"""Table 4: how metrics rank the recurrent networks of NAS-Bench-NLP."""

from epsinas.paper.cells import SELECTED, sampled_cells
from epsinas.paper.ranking import ranking_tables, request_of
from epsinas.study.page import Page
from epsinas.study.plan import Plan

PAGE = Page(
    name="table4",
    title="Rank correlation with the loss, NAS-Bench-NLP",
    number=4,
    request=lambda plan: request_of(plan, "nas-bench-nlp", Plan.whole_runs),
    table=ranking_tables,
    with_draws=True,
    cells=sampled_cells(lambda row: row["metric"], 4, SELECTED),
)
