"""Table 5: all pairs of weights on NAS-Bench-101."""

from epsinas.paper.cells import pair_of, sampled_cells
from epsinas.paper.pairs import grid_runs, tables_with_shares
from epsinas.paper.ranking import request_of, shown_rankings
from epsinas.study.page import Page

_UNDERFLOW = (
    "a network has no score where its outputs underflow; some devices also flush outputs below the normal numbers "
    "of single precision to 0"
)
"""Why counts may differ beyond the sample: such are the outputs of one to five networks in a hundred."""

PAGE = Page(
    name="table5",
    title="Pairs of weights, NAS-Bench-101",
    caption=(
        "How well epsilon orders the networks under each pair of constant weights. Small weights leave networks "
        "without a score; values over different numbers of networks do not compare."
    ),
    number=5,
    request=lambda plan: request_of(plan, "nas-bench-101", grid_runs),
    table=tables_with_shares,
    with_draws=True,
    shown=shown_rankings,
    cells=sampled_cells(pair_of, 5, on_counts=_UNDERFLOW),
)
