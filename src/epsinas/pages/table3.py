"""Table 3: how metrics rank the networks of NAS-Bench-101."""

from epsinas.paper.cells import sampled_cells
from epsinas.paper.ranking import ranking_tables, request_of
from epsinas.study.page import Page
from epsinas.study.plan import Plan

PAGE = Page(
    name="table3",
    title="Rank correlation with accuracy, NAS-Bench-101",
    number=3,
    request=lambda plan: request_of(plan, "nas-bench-101", Plan.whole_runs),
    table=ranking_tables,
    with_draws=True,
    cells=sampled_cells(lambda row: row["metric"], 3),
)
