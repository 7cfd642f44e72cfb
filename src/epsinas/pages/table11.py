"""Table 11: real and synthetic images."""

from collections.abc import Iterator
from functools import partial

import pandas as pd

from epsinas.engines.images.batches import DETERMINISTIC, SYNTHETIC
from epsinas.paper.cells import LedgerCell, comparable_counts, identity_of, published_precision, six_cells
from epsinas.paper.ranking import kind_runs, kinds_option, ranking_tables, request_of, shown_rankings
from epsinas.study.page import Page

_PRINTED = {
    "real": "Real data",
    "grey_scale": "Grey scale",
    "random_normal": "Random normal",
    "random_uniform": "Random uniform",
    "random_uniform_positive": "Random uniform (+)",
}
"""How the paper calls the kinds of images."""


def _cells(table: pd.DataFrame) -> Iterator[LedgerCell]:
    for row in published_precision(table).to_dict("records"):
        if row["space"] == "nas-bench-201":
            note = "the same for every batch" if row["inputs"] in DETERMINISTIC else ""
            identity = identity_of(row, _PRINTED.get(row["inputs"], row["inputs"]))
            yield from comparable_counts(six_cells(row, identity, note), row["networks"], 11)


PAGE = Page(
    name="table11",
    title="Real and synthetic images, NAS-Bench-201",
    caption=(
        "How well epsilon orders the networks by its scores on real and on synthetic images. Where ρ hardly "
        "changes, the metric sees the network and not the data."
    ),
    number=11,
    request=lambda plan: request_of(plan, "nas-bench-201", partial(kind_runs, ablation="inputs")),
    table=ranking_tables,
    with_draws=True,
    shown=shown_rankings,
    cells=_cells,
    options={
        "ablations.inputs": kinds_option("Table 11, real and synthetic images.", ["real", *SYNTHETIC], list(_PRINTED))
    },
    admits=lambda space: space.family == "images",
)
