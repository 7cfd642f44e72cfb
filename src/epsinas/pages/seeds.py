"""How well trainings of the same networks with different seeds agree: the noise in what metrics are compared with."""

from itertools import combinations

import pandas as pd

from epsinas.evaluation.performance import measure_of
from epsinas.evaluation.ranking import evaluate
from epsinas.study.page import Page, Request
from epsinas.study.plan import Plan
from epsinas.study.results import Results

_TRAINING = ["dataset", "split", "epochs"]
_AGREEMENT = ["seed", "other_seed", "networks", "spearman", "kendall"]


def seed_agreement(performance: pd.DataFrame) -> pd.DataFrame:
    """Rank the networks by one seed's trainings and by another's.

    Args:
        performance: the performance table (see `epsinas.files.tables`).

    Returns:
        A row for each data set, split, number of epochs and pair of seeds: `networks` that both trained, and
        Spearman's rho and Kendall's tau-b between the two (`spearman`, `kendall`). No rows without a second seed.
    """
    rows = []
    for training, outcomes in performance.dropna(subset="seed").groupby(_TRAINING, sort=False):
        measure = measure_of(outcomes)
        if measure is None:
            continue
        by_seed = outcomes.pivot(index="index", columns="seed", values=measure)
        for pair in combinations(by_seed, 2):
            found = evaluate(*(by_seed[seed] for seed in pair))
            # The other measures of a ranking are not the same in both directions.
            rows.append([*training, *pair, found.archs, found.spearman_global, found.kendall_global])
    return pd.DataFrame(rows, columns=[*_TRAINING, *_AGREEMENT])


def _request(plan: Plan) -> Request | None:
    spaces = tuple(name for name, section in plan.sections.items() if section["performance"])
    data = tuple(f"{name}.performance.parquet" for name in spaces)
    return Request(networks=spaces, data=data) if spaces else None


def _table(results: Results) -> pd.DataFrame:
    tables = []
    for space in results.request.spaces:
        table = seed_agreement(results.performance(space))
        table.insert(0, "space", space)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


PAGE = Page(
    name="seeds",
    title="Agreement of trainings with different seeds",
    caption=(
        "How well two trainings of the same networks agree that differ in their seed alone. No metric can be "
        "expected to rank networks better than another training ranks them."
    ),
    request=_request,
    table=_table,
)
