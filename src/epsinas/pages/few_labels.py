"""How well predictors rank networks that learn from a few trained ones, beside scores that need none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from epsinas.evaluation.performance import higher_better, performance_of
from epsinas.study.page import Page, count_option, request_of_trained
from epsinas.study.plan import Plan, Run
from epsinas.study.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OPTION = {
    "description": "Predictors that learn from a few trained networks, beside scores that need none; null for none.",
    "type": ["object", "null"],
    "default": None,
    "additionalProperties": False,
    "properties": {
        "networks": count_option(
            "How many, the first of a random order; some are labelled, the others ranked.", 1500, minimum=20
        ),
        "datasets": {"$ref": "#/$defs/datasets"},
        "weights": {
            "description": "Constant weights, the outputs under which are the features.",
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "number", "exclusiveMinimum": 0},
            "default": [1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0],
        },
        "batch_size": count_option("Inputs in a batch; of their outputs under a weight, 32 are taken.", 64, minimum=2),
        "labels": {
            "description": "Numbers of networks that are trained.",
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "integer", "minimum": 2},
            "default": [10, 20, 50, 100, 200, 500],
        },
        "repeats": count_option("Random choices of the networks that are trained.", 20),
    },
}

_OUTPUTS, _LAYERS, _COVARIANCE = "spectrum", "layerwise", "hidden_covariance"
"""The metrics whose settings are features."""

_SHOWN = {
    "parameters: score": "parameters",
    "expected_synflow: score": "SynFlow in the mean",
    "hidden_covariance: score": "hidden covariance",
    "architecture: forest": "architecture, forest",
    "layers: aggregator": "layers, aggregator",
    "outputs: ridge": "outputs, ridge",
    "outputs: forest": "outputs, forest",
    "outputs and architecture: forest": "outputs and architecture, forest",
}
"""The lines of the figure."""


class _Features(NamedTuple):
    """What predictors learn from: its name, values (networks, ...) and who may learn from them."""

    name: str
    values: np.ndarray
    predictors: tuple[str, ...]


def _runs(plan: Plan, space: str) -> list[Run]:
    section = plan.sections[space]
    options = section["few_labels"]
    features: dict[str, Any] = {
        "networks": f"random-{min(options['networks'], section['networks'])}",
        "dataset": section.datasets_of(options),
        "size": options["batch_size"],
    }
    runs = plan.runs(space, metric=_OUTPUTS, precision="extended", settings="weights", **features)
    if section.family.name == "images":
        runs += plan.runs(space, metric=_LAYERS, precision="single", settings="layers", **features)
        return runs + plan.runs(space, metric="expected_synflow", precision="single", settings="one", **features)
    return runs + plan.runs(space, metric=_COVARIANCE, precision="single", settings="layers", **features)


def _table(results: Results) -> pd.DataFrame:
    parts = []
    for space in results.request.networks:
        section = results.section(space)
        parts += [_curves(results, space, dataset) for dataset in section.datasets_of(section["few_labels"])]
    return pd.concat(parts, ignore_index=True)


def _curves(results: Results, space: str, dataset: str) -> pd.DataFrame:
    """Return the learning curves of all predictors and features, on the same choices of trained networks."""
    from epsinas.evaluation.few_labels import label_splits, learning_curve

    section = results.section(space)
    options, rows = section["few_labels"], section["performance"]
    runs = {run.metric: run for run in results.runs if (run.space, run.dataset) == (space, dataset)}
    reached = higher_better(performance_of(results.performance(space), dataset, **rows))
    networks = results.networks(space).set_index("index", drop=False)
    scores = {name: _scores(results, run) for name, run in runs.items()}
    networks = networks.loc[scores[_OUTPUTS].index]
    networks = networks[networks["connected"] & reached.reindex(networks.index).notna()]
    known = {name: table.reindex(networks.index) for name, table in scores.items()}
    splits = label_splits(networks["trained_as"], options["labels"], options["repeats"], results.rng())
    parts = []
    for features in _features(results, space, networks, known):
        for predictor in features.predictors:
            performance = reached.loc[networks.index].to_numpy()
            curve = learning_curve(features.values, performance, splits, _predictors()[predictor], results.seed)
            identity = {"space": space, "dataset": dataset, "features": features.name, "predictor": predictor}
            parts.append(curve.assign(**identity)[[*identity, *curve]])
    return pd.concat(parts)


def _scores(results: Results, run: Run) -> pd.DataFrame:
    """Return what a run's settings give, a column for each, by network; 0 where there is no score."""
    table = results.scores(run)
    found = table.pivot(index="index", columns="setting", values="score")
    return found[list(table["setting"].unique())].fillna(0.0)


def _features(
    results: Results, space: str, networks: pd.DataFrame, known: dict[str, pd.DataFrame]
) -> Iterator[_Features]:
    """Yield what predictors may learn from, single scores first."""
    learners = ("ridge", "forest")
    yield _Features("parameters", networks[["parameters"]].to_numpy(np.float64), ("score", "forest"))
    single = known["expected_synflow"] if "expected_synflow" in known else known[_COVARIANCE].iloc[:, :1]
    yield _Features("expected_synflow" if "expected_synflow" in known else _COVARIANCE, single.to_numpy(), ("score",))
    yield _Features("layers", _by_layer(known), ("aggregator", "forest"))
    outputs = known[_OUTPUTS].to_numpy()
    yield _Features("outputs", outputs, learners)
    encode: Callable[[str], tuple[int, ...]] | None = getattr(results.section(space).space(), "encoding", None)
    if encode:
        encoded = np.array([encode(one) for one in networks["architecture"]], np.float64)
        yield _Features("architecture", encoded, learners)
        yield _Features("outputs and architecture", np.hstack([outputs, encoded]), ("forest",))


def _by_layer(known: dict[str, pd.DataFrame]) -> np.ndarray:
    """Return the statistics of every layer, (networks, layers, statistics)."""
    if _LAYERS not in known:
        return known[_COVARIANCE].to_numpy()[:, :, None]
    from epsinas.metrics.layerwise import STATISTICS

    return known[_LAYERS].to_numpy().reshape(len(known[_LAYERS]), -1, len(STATISTICS))


def _predictors() -> dict[str, Any]:
    from epsinas.evaluation.few_labels import by_aggregator, by_forest, by_ridge, by_score

    return {"score": by_score, "ridge": by_ridge, "forest": by_forest, "aggregator": by_aggregator}


def _figure(results: Results) -> Figure:
    from epsinas.paper.drawing import draw_curves

    table = results.table()
    names = (table["features"] + ": " + table["predictor"]).map(_SHOWN)
    order = [line for line in _SHOWN.values() if line in set(names)]
    table = table.assign(line=pd.Categorical(names, order)).dropna(subset="line").sort_values("line", kind="stable")
    spaces = list(dict.fromkeys(results.table()["space"]))
    place = [spaces.index(space) for space in table["space"]]
    table = table.assign(line=table["line"].astype(str)).iloc[np.argsort(place, kind="stable")]
    return draw_curves(table, "labels", "spearman", by="line", labels={"labels": "trained networks"})


PAGE = Page(
    name="few_labels",
    title="Predictors that learn from a few trained networks",
    caption=(
        "ρ with the performance of predictors that learn from a few trained networks, on networks that train "
        "otherwise than these: mean and the interval that 95 % of the choices of trained networks fall into. See from "
        "how many on a predictor is worth more than a score that needs none, and whether outputs under constant "
        "weights tell it more than the architecture itself."
    ),
    request=lambda plan: request_of_trained(plan, _runs, asked=lambda section: section["few_labels"]),
    table=_table,
    figure=_figure,
    options={"few_labels": _OPTION},
)
