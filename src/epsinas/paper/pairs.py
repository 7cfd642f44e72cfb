"""What the pages of all pairs of weights have in common (Tables 5, 6, 7 and the heat map)."""

import pandas as pd

from epsinas.paper.cells import with_published_shares
from epsinas.paper.ranking import ranking_tables
from epsinas.study.plan import Plan, Run
from epsinas.study.results import Results


def grid_runs(plan: Plan, space: str) -> list[Run]:
    """Return the runs over a grid of weights, on every draw for the data sets that are to have intervals."""
    section = plan.sections[space]
    weights = section.ablation("weights")
    if not weights:
        return []
    found = []
    for dataset in section.datasets:
        repeated = weights["repeated"] is None or dataset in weights["repeated"]
        draws = section["draws"] if repeated else 1
        features = {"dataset": dataset, "draws": draws, "metric": "epsilon", "settings": "grid"}
        found += plan.runs(space, networks=weights["networks"], **features)
    return found


def wide_runs(plan: Plan, space: str) -> list[Run]:
    """Return the runs over the wider grid of the heat map."""
    section = plan.sections[space]
    wide = (section.ablation("weights") or {}).get("wide")
    if not wide:
        return []
    datasets = plan.sections[space].datasets_of(wide)
    features = {"dataset": datasets, "precision": wide["precision"], "metric": "epsilon", "settings": "wide"}
    return plan.runs(space, networks=wide["networks"], **features)


def tables_with_shares(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Evaluate the runs, with the printed shares of networks that have a score if the study compares."""
    table, draws = ranking_tables(results)
    if results.compares and results.page.number is not None:
        table = with_published_shares(table, results.page.number)
    return table, draws
