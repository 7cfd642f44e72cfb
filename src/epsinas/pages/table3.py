"""Table 3: how metrics rank the networks of NAS-Bench-101."""

from epsinas.paper.cells import sampled_cells
from epsinas.paper.ranking import comparing_request, comparing_tables
from epsinas.study.page import Page

PAGE = Page(
    name="table3",
    title="Rank correlation with accuracy, NAS-Bench-101",
    number=3,
    request=lambda plan: comparing_request(plan, "nas-bench-101"),
    table=comparing_tables,
    with_draws=True,
    cells=sampled_cells(lambda row: row["metric"], 3),
)
