"""Table 1: how metrics rank the networks of NAS-Bench-201, and of search spaces that are not in the paper."""

from collections.abc import Iterator

import pandas as pd

from epsinas.paper.cells import (
    LedgerCell,
    fullest_rows,
    identity_of,
    needs_whole_space,
    printed_name,
    six_cells,
)
from epsinas.paper.ranking import comparing_request, comparing_tables, shown_rankings
from epsinas.study.page import Page


def _cells(table: pd.DataFrame) -> Iterator[LedgerCell]:
    for row in fullest_rows(table).query("space == 'nas-bench-201'").to_dict("records"):
        identity = identity_of(row, printed_name(row["metric"]))
        whole = row["archs"] >= _WHOLE or row["metric"] == "epsilon"
        note = "" if whole else f"over {row['archs']:,} of {row['networks']:,} networks"
        for cell in six_cells(row, identity, "; ".join(filter(None, [note, _SOURCES.get(row["origin"], "")]))):
            counted = cell["column"] == "top64_top5" and not whole
            yield cell if not counted else needs_whole_space(cell)


_WHOLE = 9_000
"""Networks from which on a count among the best is compared: others published scores of 9,445."""

_SOURCES = {"shipped": "scores of the package", "imported": "scores as others published them"}


PAGE = Page(
    name="table1",
    title="Rank correlation with accuracy, NAS-Bench-201",
    caption=(
        "How well each metric orders the networks by their accuracy; more is better in every column. Compare "
        "metrics by ρ on the common networks, since each one's own ρ is over the networks that it scores."
    ),
    number=1,
    request=lambda plan: comparing_request(plan, "nas-bench-201"),
    table=comparing_tables,
    with_draws=True,
    shown=shown_rankings,
    cells=_cells,
)
