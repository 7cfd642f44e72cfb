"""Table 1: how metrics rank the networks of NAS-Bench-201, and of search spaces that are not in the paper."""

from collections.abc import Iterator

import pandas as pd

from epsinas.paper.cells import LedgerCell, identity_of, published_precision, six_cells
from epsinas.paper.ranking import comparing_request, comparing_tables
from epsinas.study.page import Page


def _cells(table: pd.DataFrame) -> Iterator[LedgerCell]:
    for row in published_precision(table).to_dict("records"):
        if row["space"] == "nas-bench-201":
            yield from six_cells(row, identity_of(row, row["metric"]))


PAGE = Page(
    name="table1",
    title="Rank correlation with accuracy, NAS-Bench-201",
    number=1,
    request=lambda plan: comparing_request(plan, "nas-bench-201"),
    table=comparing_tables,
    with_draws=True,
    cells=_cells,
)
