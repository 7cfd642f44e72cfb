"""Other metrics beside a study's own, whose scores it computes, takes from the package, counts or imports."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from epsinas.datasets.base import title as title_of
from epsinas.errors import InputError
from epsinas.evaluation.runs import Evaluated
from epsinas.metrics.base import ALIASES, METRICS, Metric, Scored, find_metric, metric_title
from epsinas.metrics.subject import Conditions, Subject
from epsinas.spaces.base import SPACES
from epsinas.study.networks import scored_as
from epsinas.study.page import Request
from epsinas.study.plan import TOGETHER, Plan
from epsinas.study.results import Results

COMPUTED, SHIPPED, COUNTED, IMPORTED = "computed", "shipped", "counted", "imported"
"""Where scores come from: this run, the package, the networks' description, and other people."""


def comparison_request(plan: Plan, space: str) -> Request:
    """Return the files that the functions below take; nothing where the study compares no metrics of the space."""
    options = plan.sections[space]["comparison"]
    if not options:
        return Request()
    kinds = [kind for kind, option in _KINDS.items() if options[option]]
    return Request(
        runs=() if options["shipped"] else tuple(plan.comparison_runs(space)),
        networks=(space,),
        data=(f"{space}.performance.parquet", *(f"{space}.{kind}-scores.parquet" for kind in kinds)),
        files=tuple(options["scores"].values()),
    )


_KINDS = {"computed": "shipped", "constant-weight": "shipped", "published": "published"}
"""By kind of scores, the option that asks for them."""

_NO_INPUTS = {"inputs": "", "batch_size": 0, "stand_in": ""}
"""What identifies scores that come from no inputs of the study."""


def compared(results: Results, space: str, imported: bool = True) -> list[Evaluated]:
    """Return the scores of the metrics of a space's comparison, one metric and data set at a time.

    Scores by networks with random weights are on the data sets that have them; where a study or the package has them on
    others only, those on the first of these stand in, and say so.

    Args:
        results: of the study.
        space: the search space.
        imported: whether scores from elsewhere are among them.
    """
    return _evaluated(results, space, lambda dataset: _scores_on(results, space, dataset, imported))


def whole_in_further_precisions(results: Results, space: str) -> list[Evaluated]:
    """Return the package's scores of all networks by the study's own metrics, where the study itself scores a sample.

    Those are in the precisions beyond the first; on one data set at a time.
    """
    return _evaluated(results, space, lambda dataset: _by_constant_weights(results, space, dataset))


_Found = Iterator[tuple[Metric, pd.DataFrame, dict[str, Any]]]
"""Metrics, scores with `index`, `setting`, `draw`, `score`, `reason`, and what identifies them."""


def _evaluated(results: Results, space: str, scores_on: Callable[[str], _Found]) -> list[Evaluated]:
    section = results.section(space)
    if not section["comparison"]:
        return []
    found = []
    for dataset in section.datasets:
        for metric, scores, columns in scores_on(dataset):
            facts: dict[str, Any] = {"space": space, "dataset": dataset, "precision": "single"} | _NO_INPUTS | columns
            origin = facts.pop("origin")
            table = scores.assign(metric=metric.name, error=np.nan, **facts)
            rows = section["performance"]
            found.append(Evaluated(metric, table, results.performance(space), **rows, origin=origin))
    return found


def by_metric(found: list[Evaluated]) -> list[list[Evaluated]]:
    """Return what `compared` gives, the data sets of each metric side by side."""
    groups: dict[str, list[Evaluated]] = {}
    for one in found:
        groups.setdefault(one.metric.name, []).append(one)
    return list(groups.values())


def first_signed(run: Evaluated, networks: pd.Index) -> pd.Series:
    """Return the scores of the first ranking, (networks,) by index, turned so that a higher one predicts a better."""
    first = run.rankings()[0][1]
    return pd.Series(run.signed(first).to_numpy(), index=pd.Index(first["index"])).reindex(networks)


def costs(scores: pd.DataFrame) -> pd.DataFrame:
    """Return what the metrics of a score table cost, of one core.

    Returns:
        `metric`, `networks` that were scored and not given the score of another, `batch_size`, and `milliseconds` for
        each of them and each batch, all settings together. Metrics that share a pass are in the order in which they
        were computed: the first of them bears it.
    """
    scored = scores[scores["seconds"] > 0]
    rows = []
    for metric, own in scored.groupby("metric", sort=False):
        single = own.groupby(["index", "draw"])["seconds"].sum()
        rows.append(
            {
                "metric": metric,
                "networks": own["index"].nunique(),
                "batch_size": own["batch_size"].iloc[0],
                "milliseconds": 1e3 * single.mean(),
            }
        )
    return pd.DataFrame(rows, columns=["metric", "networks", "batch_size", "milliseconds"])


def _scores_on(results: Results, space: str, dataset: str, imported: bool) -> _Found:
    section = results.section(space)
    networks = results.networks(space)
    yield from _by_random_weights(results, space, dataset)
    for name in section["comparison"]["metrics"]:
        metric = find_metric(name)
        if metric.cost == "nothing":
            yield metric, _rows(networks["index"], _counted(results, space, metric, dataset)), {"origin": COUNTED}
    for source, table in (results.imported_scores(space) if imported else {}).items():
        own = table[table["dataset"].isin([dataset, ""])]
        for name, rows in own.groupby("metric", sort=False):
            found = rows.set_index("index")["score"].reindex(networks["index"]).to_numpy()
            yield _imported(str(name), source), _rows(networks["index"], found), {"origin": IMPORTED}


def _by_constant_weights(results: Results, space: str, dataset: str) -> _Found:
    section, known = results.section(space), SPACES[space]
    usual = section["weights"] == list(known.weights) and section.space() == known()
    if not section["comparison"]["shipped"] or section["further_networks"] is None or not usual:
        return
    networks, table = results.networks(space), results.constant_weight_scores(space)
    for (name, precision), rows in table[table["dataset"] == dataset].groupby(["metric", "precision"], sort=False):
        if name not in section.metrics or precision not in section["precisions"][1:]:
            continue
        metric = section.metrics[str(name)]
        (setting,) = next(iter(metric.settings.values()))(section.options)
        scores = _spread(rows.assign(reason=""), networks["trained_as"])[0]
        # Where nothing fades, outputs have no other reason to be the same for all inputs.
        missing = np.where(networks["connected"], "constant", "disconnected")
        reasons = np.where(np.isnan(scores), missing, "")
        facts = {"inputs": rows["inputs"].iloc[0], "batch_size": _BATCH, "precision": precision, "origin": SHIPPED}
        stand_in = section.family.stand_in(section.options, dataset, facts["inputs"])
        yield metric, _rows(networks["index"], scores, reasons, setting), facts | {"stand_in": stand_in}


_BATCH = 256
"""Inputs behind the package's scores under constant weights."""


def _by_random_weights(results: Results, space: str, dataset: str) -> _Found:
    section = results.section(space)
    networks, options = results.networks(space), section["comparison"]
    if options["shipped"]:
        table = results.computed_scores(space)
        known = table["dataset"].unique()
        source = dataset if dataset in known else known[0]
        table = table[table["dataset"] == source].assign(draw=0, reason="")
        facts = {"inputs": table["inputs"].iloc[0], "origin": SHIPPED}
    else:
        runs = {run.dataset: run for run in results.runs if run.space == space and run.metric == TOGETHER}
        if not runs:
            return
        source = dataset if dataset in runs else next(iter(runs))
        table = results.scores(runs[source])
        facts = {"inputs": runs[source].inputs, "origin": COMPUTED}
    stand_in = section.family.stand_in(section.options, source, facts["inputs"])
    if source != dataset:
        stand_in = f"{stand_in or 'images'} of {title_of(source)}'s networks"
    columns = facts | {"batch_size": options["batch_size"], "stand_in": stand_in}
    for metric, settings in section.together:
        own = table[(table["metric"] == metric.name) & table["setting"].isin(settings)]
        stands = scored_as(networks, metric)
        scores = [
            _rows(networks["index"], *_spread(rows, stands), setting=str(setting), draw=int(str(draw)))
            for (setting, draw), rows in own.groupby(["setting", "draw"], sort=False)
        ]
        if scores:
            yield metric, pd.concat(scores, ignore_index=True), columns


def _spread(rows: pd.DataFrame, stands: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the score and the reason of every network, those of the one that was scored in its place."""
    by_index = rows.set_index("index")[["score", "reason"]].reindex(stands)
    return by_index["score"].to_numpy(), by_index["reason"].fillna("").to_numpy()


def _rows(index: pd.Series, scores: np.ndarray, reasons: Any = "", setting: str = "", draw: int = 0) -> pd.DataFrame:
    # Others publish minus infinity where there is no score.
    reasons = np.where(np.isinf(scores), "overflow", reasons)
    scores = np.where(np.isfinite(scores), scores, np.nan)
    facts = {"setting": setting, "draw": draw, "score": scores, "reason": reasons, "seconds": 0.0}
    return pd.DataFrame({"index": index.to_numpy(), **facts})


def _counted(results: Results, space: str, metric: Metric, dataset: str) -> np.ndarray:
    """Return what the networks' description counts, or what the metric gives without any inputs."""
    networks = results.networks(space)
    for column in (metric.name, f"{metric.name}_{dataset}"):
        if column in networks:
            return networks[column].to_numpy(np.float64)
    return _without_inputs(results, space, metric.name)


@cache
def _without_inputs(results: Results, space: str, metric: str) -> np.ndarray:
    """Return the scores of a metric that takes no inputs, the same on every data set."""
    networks = results.networks(space)
    conditions = Conditions(results.section(space).space(), None, seed=results.seed)
    pairs = zip(networks["index"], networks["architecture"], strict=True)
    return np.array([find_metric(metric).score(Subject(conditions, text, index), "").score for index, text in pairs])


def _imported(name: str, source: str) -> Metric:
    """Return what is known of a metric whose scores were computed elsewhere: its sign is that of ours of the name."""

    own, full = ALIASES.get(name, name), f"{name}@{source}"

    def score(subject: Subject, setting: str) -> Scored:
        raise InputError(f"metric {full}: found scores from elsewhere, which cannot be computed here")

    if own not in METRICS:
        return Metric(full, metric_title(full), source, score)
    facts: dict[str, Any] = {"name": full, "title": metric_title(full)}
    return dataclasses.replace(METRICS[own], **facts, score=score, columns=lambda one: {})
