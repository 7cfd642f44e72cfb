"""Table 6: all pairs of weights on NAS-Bench-201."""

from collections.abc import Iterator

import pandas as pd

from epsinas.paper.cells import (
    LedgerCell,
    Row,
    comparable_counts,
    identity_of,
    pair_of,
    published_precision,
    rounding_note,
    six_cells,
)
from epsinas.paper.pairs import grid_runs
from epsinas.paper.ranking import ranking_tables, request_of, shown_rankings
from epsinas.study.page import Page


def _cells(table: pd.DataFrame) -> Iterator[LedgerCell]:
    for row in published_precision(table).to_dict("records"):
        if row["space"] == "nas-bench-201":
            yield from comparable_counts(_row_cells(row), row["networks"], 6)


def _row_cells(row: Row) -> Iterator[LedgerCell]:
    identity = identity_of(row, pair_of(row))
    yield identity | {"column": "archs", "reproduced": row["archs"], "note": f"of {row['networks']} networks"}
    yield from six_cells(row, identity, rounding_note(row))


PAGE = Page(
    name="table6",
    title="Pairs of weights, NAS-Bench-201",
    caption=(
        "How well epsilon orders the networks under each pair of constant weights. Small weights leave networks "
        "without a score; values over different numbers of networks do not compare."
    ),
    number=6,
    request=lambda plan: request_of(plan, "nas-bench-201", grid_runs),
    table=ranking_tables,
    with_draws=True,
    shown=shown_rankings,
    cells=_cells,
)
