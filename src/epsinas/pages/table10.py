"""Table 10: kinds of embedding for recurrent networks."""

from epsinas.engines.sequences.batches import EMBEDDINGS
from epsinas.paper.cells import SELECTED, sampled_cells
from epsinas.paper.ranking import ablated_datasets, ranking_tables, request_of
from epsinas.study.page import Page
from epsinas.study.plan import Plan, Run

_OPTION = {
    "description": "Table 10, kinds of embedding.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "kinds": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": list(EMBEDDINGS)},
            "default": list(EMBEDDINGS),
        },
        "networks": {"$ref": "#/$defs/networks"},
        "datasets": {"$ref": "#/$defs/datasets"},
    },
}


def _runs(plan: Plan, space: str) -> list[Run]:
    section = plan.sections[space]
    options = section.ablation("embeddings")
    if not options:
        return []
    features = {"draws": section["draws"], "metric": "epsilon"}
    return [
        run
        for dataset in ablated_datasets(plan, space, options)
        for kind in options["kinds"]
        for run in plan.runs(space, networks=options["networks"], dataset=dataset, inputs=kind, **features)
    ]


PAGE = Page(
    name="table10",
    title="Kinds of embedding, NAS-Bench-NLP",
    number=10,
    request=lambda plan: request_of(plan, "nas-bench-nlp", _runs),
    table=ranking_tables,
    with_draws=True,
    cells=sampled_cells(lambda row: row["inputs"].replace("_", " ").capitalize(), 10, SELECTED),
    options={"ablations.embeddings": _OPTION},
    admits=lambda space: space.family == "sequences",
)
