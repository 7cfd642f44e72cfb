"""Table 11: real and synthetic images."""

from collections.abc import Iterator

import pandas as pd

from epsinas.engines.images.batches import DETERMINISTIC, SYNTHETIC
from epsinas.paper.cells import LedgerCell, comparable_counts, identity_of, published_precision, six_cells
from epsinas.paper.ranking import ablated_datasets, ranking_tables, request_of
from epsinas.study.page import Page
from epsinas.study.plan import Plan, Run

_PRINTED = {
    "real": "Real data",
    "grey_scale": "Grey scale",
    "random_normal": "Random normal",
    "random_uniform": "Random uniform",
    "random_uniform_positive": "Random uniform (+)",
}
"""How the paper calls the kinds of images."""

_OPTION = {
    "description": "Table 11, real and synthetic images.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "kinds": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": ["real", *SYNTHETIC]},
            "default": list(_PRINTED),
        },
        "networks": {"$ref": "#/$defs/networks"},
        "datasets": {"$ref": "#/$defs/datasets"},
    },
}


def _runs(plan: Plan, space: str) -> list[Run]:
    section = plan.sections[space]
    options = section.ablation("inputs")
    if not options:
        return []
    found = []
    for dataset in ablated_datasets(plan, space, options):
        for kind in options["kinds"]:
            # Without randomness all batches are the same.
            draws = 1 if kind in DETERMINISTIC else section["draws"]
            features = {"dataset": dataset, "inputs": kind, "draws": draws, "metric": "epsilon"}
            found += plan.runs(space, networks=options["networks"], **features)
    return found


def _cells(table: pd.DataFrame) -> Iterator[LedgerCell]:
    for row in published_precision(table).to_dict("records"):
        if row["space"] == "nas-bench-201":
            note = "the same for every batch" if row["inputs"] in DETERMINISTIC else ""
            identity = identity_of(row, _PRINTED.get(row["inputs"], row["inputs"]))
            yield from comparable_counts(six_cells(row, identity, note), row["networks"], 11)


PAGE = Page(
    name="table11",
    title="Real and synthetic images, NAS-Bench-201",
    number=11,
    request=lambda plan: request_of(plan, "nas-bench-201", _runs),
    table=ranking_tables,
    with_draws=True,
    cells=_cells,
    options={"ablations.inputs": _OPTION},
    admits=lambda space: space.family == "images",
)
