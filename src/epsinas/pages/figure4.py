"""Figure 4: how the rank correlation depends on the size of the batch."""

from typing import TYPE_CHECKING

from epsinas.paper.ranking import ranking_tables, request_of, shown_rankings
from epsinas.study.page import Page
from epsinas.study.plan import Plan, Run
from epsinas.study.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OPTION = {
    "description": "Figure 4, the size of the batch.",
    "type": "object",
    "additionalProperties": False,
    "required": ["sizes"],
    "properties": {
        "sizes": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "integer", "minimum": 2},
        },
        "draws": {
            "description": "Random batches of each size; null for as many as the section's draws.",
            "type": ["integer", "null"],
            "minimum": 1,
            "default": None,
        },
        "networks": {"$ref": "#/$defs/networks"},
    },
}


def _runs(plan: Plan, space: str) -> list[Run]:
    section = plan.sections[space]
    options = section.ablation("batch_size")
    if not options:
        return []
    draws = options["draws"] or section["draws"]
    return plan.runs(space, networks=options["networks"], metric="epsilon", size=options["sizes"], draws=draws)


def _figure(results: Results) -> "Figure":
    from epsinas.paper.drawing import draw_batch_sizes

    return draw_batch_sizes(results.table(draws=True))


PAGE = Page(
    name="figure4",
    title="Rank correlation against the size of the batch",
    caption=(
        "Rank correlation against the size of the batch, median and quartiles over random batches. Where the "
        "lines level off, a larger batch gains nothing; the paper takes 256."
    ),
    request=lambda plan: request_of(plan, "nas-bench-201", _runs),
    table=ranking_tables,
    with_draws=True,
    shown=shown_rankings,
    figure=_figure,
    options={"ablations.batch_size": _OPTION},
)
