"""Why epsilon works: what of its rank correlation simpler things explain, and what the low weight has to do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epsinas.evaluation.performance import higher_better, performance_of
from epsinas.study.config import Section
from epsinas.study.page import Page, count_option, request_of_trained
from epsinas.study.plan import Plan, Run
from epsinas.study.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OPTION = {
    "description": "What of epsilon's rank correlation with accuracy simpler things explain; null for none of it.",
    "type": ["object", "null"],
    "default": None,
    "additionalProperties": False,
    "properties": {
        "networks": {
            "description": "How many, the first of a random order; null for all.",
            "type": ["integer", "null"],
            "minimum": 20,
            "default": 2000,
        },
        "datasets": {"$ref": "#/$defs/datasets"},
        "batch_size": count_option("Images in a batch.", 256, minimum=2),
        "resamples": count_option("Of classes of networks that train alike, for intervals.", 2000),
    },
}

_SETTINGS = {
    "activity": "one",
    "dormancy": "one",
    "kernel_agreement": "one",
    "brightness": "weights",
    "reference_epsilon": "references",
}
"""By metric that may explain epsilon, its settings."""

POPULATIONS = {
    "path": "single",
    "path, no pooling": "single",
    "path, pooling": "single",
    "no path": "extended",
    "connected": "extended",
}
"""Networks by whether skip connections and pooling alone join the input of the cell to its output, by a path without
any pooling edge or with some, and the precision of epsilon on them."""


def _asked(section: Section) -> bool:
    # A pair of weights that is chosen by data set has no settings before the choice.
    return bool(section.options.get("why_epsilon")) and section["weights"] != "auto"


def _runs(plan: Plan, space: str) -> list[Run]:
    section = plan.sections[space]
    options = section["why_epsilon"]
    count = options["networks"]
    common: dict[str, Any] = {
        "networks": None if count is None else f"random-{min(count, section['networks'])}",
        "dataset": section.datasets_of(options),
        "size": options["batch_size"],
    }
    runs = plan.runs(space, metric="epsilon", precision=["single", "extended"], settings="pair", **common)
    for name, settings in _SETTINGS.items():
        runs += plan.runs(space, metric=name, precision="single", settings=settings, **common)
    return runs


def _table(results: Results) -> pd.DataFrame:
    rng, parts = results.rng(), []
    for space in results.request.networks:
        section = results.section(space)
        for dataset in section.datasets_of(section["why_epsilon"]):
            parts.append(_explained_on(results, space, dataset, rng))
    return pd.concat(parts, ignore_index=True)


def _explained_on(results: Results, space: str, dataset: str, rng: np.random.Generator) -> pd.DataFrame:
    """Return what explains epsilon on one data set, in each population."""
    from epsinas.evaluation.explanation import explained

    section = results.section(space)
    reached = higher_better(performance_of(results.performance(space), dataset, **section["performance"]))
    scores, explanations = _scores(results, space, dataset)
    networks = results.networks(space).set_index("index").loc[explanations.index]
    pooling = [section.space().poolings(one) for one in networks["architecture"]]  # type: ignore[attr-defined]
    edges, mean = pd.DataFrame(pooling, index=networks.index).T.to_numpy()
    free = networks["parameter_free"]
    explanations = explanations.assign(
        pooling_edges=np.where(free, edges, np.nan),
        poolings=mean,
        convolutions=networks["convolutions"],
        parameter_free=free.astype(np.float64),
    )
    members = {
        "path": free,
        "path, no pooling": free & (edges == 0),
        "path, pooling": free & (edges > 0),
        "no path": networks["connected"] & ~free,
        "connected": networks["connected"],
    }
    # What only networks with a path have does not say why epsilon ranks both kinds as it does.
    of_both = explanations.columns[explanations[members["no path"]].notna().any()]
    parts = []
    for population, precision in POPULATIONS.items():
        own = networks.index[members[population]]
        score = scores[precision].loc[own]
        columns = of_both if population == "connected" else explanations.columns
        table = explained(
            score,
            # Epsilon explains itself: its own rho is a row, on all of its networks.
            pd.concat([score.rename("epsilon"), explanations.loc[own, columns]], axis=1),
            reached,
            networks["trained_as"],
            section["why_epsilon"]["resamples"],
            rng,
        )
        identity = {"space": space, "dataset": dataset, "population": population, "precision": precision}
        parts.append(table.assign(**identity)[[*identity, *table]])
    found = pd.concat(parts)
    return found[found["spearman"].notna()].rename(columns=lambda name: name.replace("score", "epsilon"))


def _scores(results: Results, space: str, dataset: str) -> tuple[dict[str, pd.Series], pd.DataFrame]:
    """Return epsilon in both precisions, and by network a column for each metric that may explain it, as it is."""
    scores, columns = {}, {}
    for run in results.runs:
        if (run.space, run.dataset) != (space, dataset):
            continue
        for setting, rows in results.scores(run).groupby("setting", sort=False):
            values = rows.set_index("index")["score"]
            if run.metric == "epsilon":
                scores[run.precision] = values
            else:
                named = _SETTINGS[run.metric] != "one"
                columns[f"{run.metric} {str(setting).rpartition(',')[2]}" if named else run.metric] = values
    return scores, pd.DataFrame(columns)


_LABELS = {
    "epsilon": "epsilon",
    "activity": "share of active inputs",
    "dormancy": "dormancy",
    "kernel_agreement": "kernel agreement",
    "pooling_edges": "pooling edges",
    "poolings": "poolings a path",
    "convolutions": "convolutions",
    "parameter_free": "has a path",
    "reference_epsilon without_convolutions": "low: own paths only",
    "reference_epsilon brightness": "low: brightness",
    "reference_epsilon all_pooling": "low: all pooling",
    "reference_epsilon all_skips": "low: all skips",
    "reference_epsilon deepest": "high: deepest network",
}
"""What explains epsilon, in print."""


_PANELS = {"path": "a path of skips and pooling", "no path": "no such path", "connected": "all connected"}
"""The populations of the figure."""


def _labelled(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with what explains epsilon as people read it."""
    return table.assign(what=[_LABELS.get(what) or _of_weight(what) for what in table["what"]])


def _of_weight(what: str) -> str:
    """Return what brightness under a weight, which is in its name, is called in print."""
    return f"brightness, weight {float(what.rpartition(' ')[2]):g}"


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    kept = ["space", "dataset", "population", "what", "archs", "median"]
    measures = ["spearman", "with_epsilon", "epsilon_given", "epsilon_share", "difference"]
    return _labelled(table)[[*kept, *(f"{name}{end}" for name in measures for end in ("", "_low", "_high"))]]


def _figure(results: Results) -> Figure:
    from epsinas.paper.drawing import draw_explanations

    table = _labelled(results.table())
    first = table[(table["space"] == table["space"].iloc[0]) & (table["dataset"] == table["dataset"].iloc[0])]
    return draw_explanations(first.assign(population=first["population"].map(_PANELS)).dropna(subset="population"))


PAGE = Page(
    name="why_epsilon",
    title="Why epsilon works",
    caption=(
        "ρ with accuracy of what may explain epsilon, its ρ with epsilon, and epsilon's ρ with accuracy given it, on "
        "networks with a path of skip connections and pooling, on those without, and on both. See what leaves nothing "
        "of epsilon, and how networks with and without such a path are shifted against each other."
    ),
    request=lambda plan: request_of_trained(plan, _runs, _asked),
    table=_table,
    figure=_figure,
    shown=_shown,
    options={"why_epsilon": _OPTION},
    admits=lambda space: hasattr(space, "poolings"),
)
