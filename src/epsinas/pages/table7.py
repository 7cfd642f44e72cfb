"""Table 7: all pairs of weights on NAS-Bench-NLP."""

from epsinas.paper.cells import SELECTED, pair_of, sampled_cells
from epsinas.paper.pairs import grid_runs, tables_with_shares
from epsinas.paper.ranking import request_of, shown_rankings
from epsinas.study.page import Page

PAGE = Page(
    name="table7",
    title="Pairs of weights, NAS-Bench-NLP",
    caption=(
        "How well epsilon orders recurrent networks by their loss under each pair of constant weights; good "
        "values of ρ and τ are negative. Large weights leave networks without a score; values over different "
        "numbers of networks do not compare."
    ),
    number=7,
    request=lambda plan: request_of(plan, "nas-bench-nlp", grid_runs),
    table=tables_with_shares,
    with_draws=True,
    shown=shown_rankings,
    cells=sampled_cells(pair_of, 7, SELECTED),
)
