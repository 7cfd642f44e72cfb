"""Table 10: kinds of embedding for recurrent networks."""

from functools import partial

from epsinas.engines.sequences.batches import EMBEDDINGS
from epsinas.paper.cells import SELECTED, sampled_cells
from epsinas.paper.ranking import kind_runs, kinds_option, ranking_tables, request_of, shown_rankings
from epsinas.study.page import Page

PAGE = Page(
    name="table10",
    title="Kinds of embedding, NAS-Bench-NLP",
    caption=(
        "How well epsilon orders recurrent networks by their loss with each kind of embedding; good values of ρ "
        "and τ are negative. Kinds whose intervals overlap do as well as each other."
    ),
    number=10,
    request=lambda plan: request_of(plan, "nas-bench-nlp", partial(kind_runs, ablation="embeddings")),
    table=ranking_tables,
    with_draws=True,
    shown=shown_rankings,
    cells=sampled_cells(lambda row: row["inputs"].replace("_", " ").capitalize(), 10, SELECTED),
    options={"ablations.embeddings": kinds_option("Table 10, kinds of embedding.", EMBEDDINGS, EMBEDDINGS)},
    admits=lambda space: space.family == "sequences",
)
