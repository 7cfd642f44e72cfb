"""Table 4: how metrics rank the recurrent networks of NAS-Bench-NLP."""

from epsinas.paper.cells import SELECTED, fullest_rows, printed_name, sampled_cells
from epsinas.paper.ranking import comparing_request, comparing_tables, shown_rankings
from epsinas.study.page import Page

_CELLS = sampled_cells(lambda row: printed_name(row["metric"]), 4, SELECTED)

PAGE = Page(
    name="table4",
    title="Rank correlation with the loss, NAS-Bench-NLP",
    caption=(
        "How well each metric orders recurrent networks by their loss, so that ρ and τ of a good metric are "
        "negative; on the common networks they are turned, and positive. Look at the intervals first: many of "
        "them hold 0."
    ),
    number=4,
    request=lambda plan: comparing_request(plan, "nas-bench-nlp"),
    table=comparing_tables,
    with_draws=True,
    shown=shown_rankings,
    cells=lambda table: _CELLS(fullest_rows(table)),
)
