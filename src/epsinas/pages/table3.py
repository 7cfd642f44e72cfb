"""Table 3: how metrics rank the networks of NAS-Bench-101."""

from epsinas.paper.cells import fullest_rows, printed_name, sampled_cells
from epsinas.paper.ranking import comparing_request, comparing_tables, shown_rankings
from epsinas.study.page import Page

_CELLS = sampled_cells(lambda row: printed_name(row["metric"]), 3)

PAGE = Page(
    name="table3",
    title="Rank correlation with accuracy, NAS-Bench-101",
    caption=(
        "How well each metric orders the networks by their accuracy; more is better in every column. Compare "
        "metrics by ρ on the common networks, and with the number of parameters, which costs nothing."
    ),
    number=3,
    request=lambda plan: comparing_request(plan, "nas-bench-101"),
    table=comparing_tables,
    with_draws=True,
    shown=shown_rankings,
    cells=lambda table: _CELLS(fullest_rows(table)),
)
