"""Metrics that give every network a score: what they are worth where they were found, and where they were not."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epsinas.errors import InputError, shown
from epsinas.evaluation.coefficients import COMMON, FEWEST, OWN, coefficients, partial_coefficients
from epsinas.metrics.base import find_metric
from epsinas.paper.compared import Compared, compared_datasets, first_space, statistics_request
from epsinas.study.page import Page, Request
from epsinas.study.plan import Plan
from epsinas.study.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OPTION = {
    "description": "What this benchmark is to the protocol of metrics for every network; null for no table.",
    "type": ["object", "null"],
    "additionalProperties": False,
    "default": None,
    "required": ["role", "frozen", "candidates"],
    "properties": {
        "role": {
            "description": "Formulas were found on development data; verdict data were not looked at before.",
            "enum": ["development", "verdict"],
        },
        "frozen": {"description": "The metric that was chosen.", "type": "string"},
        "candidates": {
            "description": "Those that it was chosen among, frozen as well.",
            "type": "array",
            "uniqueItems": True,
            "items": {"type": "string"},
        },
    },
}


def _request(plan: Plan) -> Request | None:
    for section in plan.sections.values():
        if options := section["every_network"]:
            compared = section["comparison"]["metrics"] if section["comparison"] else []
            known = [*section.metrics, *(find_metric(name).name for name in compared)]
            unknown = [name for name in (options["frozen"], *options["candidates"]) if name not in known]
            if unknown:
                found = f"found {shown(unknown[0])}, expected metrics of the section, {', '.join(known)}"
                raise InputError(f"config: {section.name}.every_network: {found}")
    return statistics_request(plan, asked=lambda section: bool(section["every_network"]))


def _table(results: Results) -> pd.DataFrame:
    rng = results.rng()
    rows = (_rows(one, results.section(one.space), rng) for one in compared_datasets(results))
    return pd.concat(rows, ignore_index=True)


def _rows(one: Compared, section: Any, rng: np.random.Generator) -> pd.DataFrame:
    """Return a row for each population and metric: rho on its own and the common networks, and given the size."""
    options, resamples = section["every_network"], section["statistics"]["resamples"]
    held = ["convolutions" if "convolutions" in one.counts else "layers", "parameters"]
    kinds = dict.fromkeys(options["candidates"], "candidate") | {options["frozen"]: "frozen"}
    parts = []
    for population, members in one.populations.items():
        networks = members.index[members & one.performance.notna()]
        if one.classes.loc[networks].nunique() < FEWEST:
            continue
        scores, classes, tried = one.scores.loc[networks], one.classes, one.reasons.notna()
        found = coefficients(scores, one.performance, classes, resamples, rng, (OWN, COMMON), tried)
        rho = ["spearman", "spearman_low", "spearman_high"]
        own = found[found["coverage"] == OWN].set_index("metric")[["networks", "archs", *rho]]
        common = found[found["coverage"] == COMMON].set_index("metric")[["archs", *rho]].add_suffix("_common")
        given = partial_coefficients(
            scores, one.performance, classes, one.counts[held], {"size": held}, resamples, rng
        ).set_index("metric")[["given_size", "given_size_low", "given_size_high"]]
        part = own.join(common).join(given).reset_index()
        part.insert(1, "population", population)
        part.insert(1, "kind", [kinds.get(str(one.facts[name]["metric"]), "other") for name in part["metric"]])
        parts.append(one.identified(part))
    return pd.concat(parts).assign(role=options["role"])


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Put the role and the kind first, and leave out where scores come from."""
    first = ["role", "space", "dataset", "population", "kind", "metric", "setting", "precision"]
    rest = [name for name in table if name not in (*first, "origin", "stand_in")]
    order = {"frozen": 0, "candidate": 1, "other": 2}
    groups = ["role", "space", "dataset", "population"]
    ranked = table.assign(_kind=table["kind"].map(order)).sort_values(
        [*groups, "_kind", "spearman"], ascending=[True] * 5 + [False], kind="stable"
    )
    return ranked[[*first, *rest]]


def _figure(results: Results) -> "Figure":
    from epsinas.paper.drawing import draw_forest

    # A metric has one row, of the first precision that its scores are in.
    table = results.table().query("population == 'all'").assign(precision="")
    table = table.drop_duplicates(["space", "dataset", "metric", "setting"])
    return draw_forest(pd.concat([first_space(part) for _, part in table.groupby("space", sort=False)]), count="archs")


PAGE = Page(
    name="every_network",
    title="Metrics for every network: development and verdict",
    caption=(
        "Rank correlations of the frozen metric, the candidates that it was chosen among and all other metrics with "
        "the trained performance, on the benchmark on which formulas were found (development) and on those that were "
        "not looked at before (verdict). Compare metrics on the common networks; what is left given the number of "
        "convolutions and parameters is more than size."
    ),
    request=_request,
    table=_table,
    shown=_shown,
    figure=_figure,
    options={"every_network": _OPTION},
)
