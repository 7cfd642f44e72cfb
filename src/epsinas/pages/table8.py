"""Table 8: the weights that are chosen without labels, beside the published ones."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from epsinas.datasets.base import title
from epsinas.paper.cells import LedgerCell, block_of, identity_of
from epsinas.paper.published import read_published
from epsinas.spaces.base import SPACES
from epsinas.study.page import Page, Request
from epsinas.study.plan import Plan
from epsinas.study.results import Results


def published_weights(space: str, dataset: str) -> tuple[float, ...]:
    """Return the pair that the paper's Table 8 prints for a search space and a data set; empty where it has none."""
    rows = read_published().query("table == 8").set_index(["block", "row", "column"])["value"]
    keys = [(SPACES[space].title, title(dataset), f"weight_{end}") for end in ("low", "high")]
    return tuple(float(rows[key]) for key in keys) if all(key in rows.index for key in keys) else ()


def compare_weights(space: str, dataset: str, table: pd.DataFrame, used: Sequence[float] | None) -> dict[str, Any]:
    """Put the automatic choice for a data set beside the published one and the study's (a row of Table 8).

    Args:
        space: name of the search space.
        dataset: name of the data set.
        table: what `epsinas.weights.choose_weights` returned.
        used: the study's weights; None where it takes the automatic choice.

    Returns:
        `space`, `dataset`, and `low` and `high` of the pairs `automatic`, `published` and `used`; with the number of
        random networks (of `networks`) that have a score under each (`archs`). None where there is no such pair.
    """
    pairs = {
        "automatic": tuple(table.loc[table["chosen"], ["weight_low", "weight_high"]].to_numpy().ravel()),
        "published": published_weights(space, dataset),
    }
    pairs["used"] = tuple(used) if used else pairs["automatic"]
    archs = table.set_index(["weight_low", "weight_high"])["archs"].to_dict()
    row: dict[str, Any] = {"space": space, "dataset": dataset, "networks": table["networks"].iloc[0]}
    for name, pair in pairs.items():
        row[f"{name}_low"], row[f"{name}_high"] = pair or (None, None)
        row[f"{name}_archs"] = archs.get(pair)
    return row


def _request(plan: Plan) -> Request:
    choices = [(name, dataset) for name, section in plan.sections.items() for dataset in section.datasets]
    return Request(weights=tuple(choices))


def _table(results: Results) -> pd.DataFrame:
    rows = []
    for space, dataset in results.request.weights:
        used = results.section(space)["weights"]
        chosen = results.chosen_weights(space, dataset)
        row = compare_weights(space, dataset, chosen, None if used == "auto" else used)
        section = results.section(space)
        rows.append(row | {"stand_in": section.family.stand_in(section.options, dataset, section.inputs)})
    return pd.DataFrame(rows)


def _cells(table: pd.DataFrame) -> Iterator[LedgerCell]:
    for row in table.to_dict("records"):
        identity = identity_of(row, block_of(row)) | {"block": SPACES[row["space"]].title}
        note = f"the released rule; {row['automatic_archs']:.0f} of {row['networks']} random networks have a score"
        if np.isfinite(row["published_archs"]):
            note += f", {row['published_archs']:.0f} under the published pair"
        for end in ("low", "high"):
            yield identity | {"column": f"weight_{end}", "reproduced": row[f"automatic_{end}"], "note": note}


PAGE = Page(
    name="table8",
    title="Weights that are chosen without labels",
    caption=(
        "The pair of weights that is chosen without labels on a few random networks, beside the published pair "
        "and that of this study. The numbers of networks with a score say what each pair costs in coverage."
    ),
    number=8,
    request=_request,
    table=_table,
    cells=_cells,
)
