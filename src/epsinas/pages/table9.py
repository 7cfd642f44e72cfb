"""Table 9: epsilon between random initialisations of full-width networks."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from epsinas.datasets.base import title
from epsinas.evaluation.intervals import prediction_interval
from epsinas.evaluation.ranking import RANGES, SIX
from epsinas.evaluation.runs import evaluate_table, sample_intervals
from epsinas.paper.cells import LedgerCell, identity_of, needs_whole_space, sampled_interval, six_cells
from epsinas.paper.published import read_published
from epsinas.paper.ranking import request_of
from epsinas.spaces.base import SPACES
from epsinas.study.page import Page, count_option
from epsinas.study.plan import Plan, Run
from epsinas.study.results import Results

NOTEBOOK = {"uniform": -0.02, "normal": 0.08, "kaiming_uniform": 0.07, "kaiming_normal": 0.07, "orthogonal": 0.07}
"""Global Spearman's rho of the authors' released notebook, which differs from the paper's Table 9."""

PRINTED = {
    "uniform": "Uniform",
    "normal": "Normal",
    "kaiming_uniform": "Kaiming uniform",
    "kaiming_normal": "Kaiming normal",
    "orthogonal": "Orthogonal",
}
"""How the paper calls the initialisations."""

_OPTION = {
    "description": "Table 9, random initialisations of full-width networks.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "names": {
            "description": "Of the initialisations; see epsinas.engines.images.initialisers.RANDOM.",
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": list(PRINTED)},
            "default": list(PRINTED),
        },
        "networks": {
            "description": "Size of the random sample of networks; null for all of them.",
            "type": ["integer", "null"],
            "minimum": 2,
            "default": 1000,
        },
        "draws": count_option("Repetitions with other weights and another batch.", 3),
        "datasets": {"$ref": "#/$defs/datasets"},
        "classes": count_option("Outputs of the classifier; 1 in the released code.", 1),
        "resamples": count_option(
            "Bootstrap resamples of the networks, for intervals over samples of them; 0 for none.", 1000, minimum=0
        ),
    },
}


def _runs(plan: Plan, space: str) -> list[Run]:
    options = plan.sections[space].ablation("initialisation")
    if not options:
        return []
    count = options["networks"] or plan.sections[space]["networks"]
    datasets = plan.sections[space].datasets_of(options)
    features = {"dataset": datasets, "draws": options["draws"], "metric": "random_pair", "precision": "single"}
    return plan.runs(space, networks=f"random-{count}", **features)


def _tables(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng, tables = results.rng(), []
    for run in results.runs:
        evaluated = results.evaluated(run)
        draws = evaluate_table(evaluated)
        if resamples := results.section(run.space)["ablations"]["initialisation"]["resamples"]:
            intervals = sample_intervals([evaluated], resamples, rng)
            identity = [name for name in intervals if not str(name).endswith(("_sample_low", "_sample_high"))]
            draws = draws.merge(intervals, on=identity, how="left")
        tables.append(draws)
    draws = pd.concat(tables, ignore_index=True)
    # The draws of an initialisation one after the other.
    place = draws.groupby(["dataset", "initialisation"], sort=False).ngroup()
    draws = draws.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)
    return initialisation_table(draws, results.compares), draws


def initialisation_table(draws: pd.DataFrame, printed: bool) -> pd.DataFrame:
    """Summarise the draws of every initialisation (Table 9).

    Args:
        draws: a row for each data set, initialisation and draw, with `networks`, `archs` and the six measures.
        printed: add what the paper and the released notebook say, and which of them the run supports.

    Returns:
        For each data set and initialisation `draws`, `networks`, `archs` (of the first draw) and of each measure the
        mean over draws, `{measure}_sd`, `{measure}_low` and `{measure}_high` (see `prediction_interval`), and the first
        draw's interval over samples of networks, if there is one. If `printed`: `paper` and `notebook`, their global
        Spearman's rho, and `supports`, the one whose number is nearer to the mean, empty for other data sets than
        theirs.
    """
    record = read_published().query("table == 9 and column == 'spearman_global'")
    known = record.set_index(["block", "row"])["value"].to_dict()
    rows = []
    for (dataset, name), run in draws.groupby(["dataset", "initialisation"], sort=False):
        dataset, name = str(dataset), str(name)
        row: dict[str, Any] = {"dataset": dataset, "initialisation": name, "draws": len(run)}
        row |= {"stand_in": run["stand_in"].iloc[0]} if "stand_in" in run else {}
        first = run.iloc[run["draw"].argmin()]
        row |= {column: int(first[column]) for column in ("networks", "archs")}
        for measure in SIX:
            low, high = prediction_interval(run[measure], bounds=RANGES[measure])
            row |= {
                measure: run[measure].mean(),
                f"{measure}_sd": run[measure].std(),
                f"{measure}_low": low,
                f"{measure}_high": high,
            }
        row |= {str(column): end for column, end in first.filter(like="_sample_").items()}
        key = (title(dataset), PRINTED.get(name))
        if printed and key in known:
            versions = {"paper": float(known[key]), "notebook": NOTEBOOK[name]}
            row |= versions | {"supports": nearer(row["spearman_global"], versions)}
        rows.append(row)
    return pd.DataFrame(rows)


def nearer(value: float, versions: Mapping[str, float]) -> str:
    """Return the version with the smallest distance to a value; "neither" for a tie or where the value is NaN."""
    distances = {version: abs(value - number) for version, number in versions.items()}
    smallest = min(distances.values())
    near = [version for version, distance in distances.items() if distance == smallest]
    return near[0] if len(near) == 1 else "neither"


def _cells(table: pd.DataFrame) -> Iterator[LedgerCell]:
    for row in table.to_dict("records"):
        identity = identity_of(row, PRINTED.get(row["initialisation"], row["initialisation"]))
        sampled = row["networks"] < SPACES["nas-bench-201"].size
        note = f"mean of {row['draws']} draws"
        if sampled:
            note += f" over a random sample of {row['networks']:,} networks; interval over draws and networks"
        for cell in six_cells(row, identity, note):
            cell |= sampled_interval(row, cell["column"]) if sampled else {}
            if cell["column"] == "spearman_global" and isinstance(row.get("supports"), str):
                cell["note"] += f"; the released notebook has {row['notebook']}; nearer to the {row['supports']}"
            whole_space_only = sampled and cell["column"] == "top64_top5"
            yield needs_whole_space(cell) if whole_space_only else cell
        cell = identity | {"column": "archs", "reproduced": row["archs"], "note": note}
        yield needs_whole_space(cell) if sampled else cell


PAGE = Page(
    name="table9",
    title="Epsilon between random initialisations",
    caption=(
        "How well epsilon orders the networks if two random initialisations take the place of the two constant "
        "weights. The distance to ρ of constant weights, in Table 1, is what constants bring; mind the number of "
        "networks."
    ),
    number=9,
    request=lambda plan: request_of(plan, "nas-bench-201", _runs),
    table=_tables,
    with_draws=True,
    cells=_cells,
    options={"ablations.initialisation": _OPTION},
    admits=lambda space: space.family == "images",
)
