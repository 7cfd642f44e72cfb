"""Table 1: how metrics rank the networks of NAS-Bench-201, and of search spaces that are not in the paper."""

from collections.abc import Iterator

import pandas as pd

from epsinas.paper.cells import LedgerCell, identity_of, published_precision, six_cells
from epsinas.paper.ranking import ranking_tables, request_of
from epsinas.study.page import Page
from epsinas.study.plan import Plan


def _cells(table: pd.DataFrame) -> Iterator[LedgerCell]:
    for row in published_precision(table).to_dict("records"):
        if row["space"] == "nas-bench-201":
            yield from six_cells(row, identity_of(row, row["metric"]))


PAGE = Page(
    name="table1",
    title="Rank correlation with accuracy, NAS-Bench-201",
    number=1,
    request=lambda plan: request_of(plan, "nas-bench-201", Plan.whole_runs),
    table=ranking_tables,
    with_draws=True,
    cells=_cells,
)
