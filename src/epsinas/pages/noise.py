"""The noise in what is compared: between trainings, between numbers of epochs, and between batches of inputs."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from epsinas.evaluation.coefficients import FEWEST, with_interval
from epsinas.evaluation.dependence import attenuation_ceiling
from epsinas.evaluation.performance import by_seed, higher_better, measure_of, performance_of, trainings_of
from epsinas.paper.compared import Compared, compared_datasets, statistics_request
from epsinas.study.page import Page, Request, count_option
from epsinas.study.plan import Plan, Run
from epsinas.study.results import Results

_BATCHES = {
    "description": "How far scores on other batches rank otherwise.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "draws": count_option("Random batches.", 10, minimum=2),
        "networks": {"$ref": "#/$defs/networks"},
        "datasets": {"$ref": "#/$defs/datasets"},
    },
}

BEST = "best tenth"
"""The population of the networks whose performance is above its 90th percentile."""


def agreement_of_trainings(
    one: Compared, performance: pd.DataFrame, options: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield how well trainings of the same networks agree: those of two seeds, and shorter ones with the target.

    Args:
        one: the networks, whose `performance` is the target.
        performance: the performance table (see `epsinas.files.tables`).
        options: `split` and `epochs` of the target.
    """
    rows = performance[performance["dataset"] == one.dataset]
    seeds = by_seed(performance, one.dataset, **options)
    for first, second in combinations(seeds, 2):
        facts = {"kind": "seeds", "of": f"{first} and {second}", "trainings": trainings_of(seeds)}
        yield facts | {"first": seeds[first], "second": seeds[second]}
    measure = measure_of(rows[(rows["split"] == options["split"]) & (rows["epochs"] == options["epochs"])])
    for (split, epochs), shorter in rows.groupby(["split", "epochs"], sort=True):
        if measure is None or epochs >= options["epochs"] or measure_of(shorter) != measure:
            continue
        reached = higher_better(performance_of(performance, one.dataset, str(split), int(str(epochs))))
        facts = {"kind": "epochs", "of": f"{split}, {epochs} and {options['epochs']}", "trainings": np.nan}
        yield facts | {"first": reached, "second": one.performance}


def _agreement(one: Compared, pair: dict[str, Any], resamples: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return the rank correlation of both trainings in every population."""
    from epsinas.evaluation.resampling import resampled_correlations

    both = pd.DataFrame({"first": pair["first"], "second": pair["second"]}).reindex(one.networks.index).dropna()
    best = one.performance > one.performance.quantile(0.9)
    rows = []
    for population, members in (one.populations | {BEST: best}).items():
        own = both[members.loc[both.index]]
        if one.classes.loc[own.index].nunique() < FEWEST:
            continue
        found = resampled_correlations(own.T, one.classes.loc[own.index], resamples, rng, last=1)[:, 0, 0]
        row = {"kind": pair["kind"], "of": pair["of"], "population": population, "archs": len(own)}
        row |= with_interval("agreement", found)
        if np.isfinite(pair["trainings"]):
            row |= with_interval("ceiling", attenuation_ceiling(found, pair["trainings"]))
        rows.append(row)
    return rows


def agreement_of_batches(scores: pd.DataFrame, reached: pd.Series, sign: int) -> dict[str, Any]:
    """Say how far the scores of one metric on different batches rank the same networks alike.

    Args:
        scores: by network, a column for each batch, NaN for no score.
        reached: by network, higher is better.
        sign: of the metric.

    Returns:
        `archs`, the networks with a score on every batch; `agreement`, the mean of Spearman's rho over pairs of batches
        and the interval that 95 % of the pairs fall into; `spearman`, likewise of the scores with `reached`.

    Example:
        >>> scores = pd.DataFrame({0: [1.0, 2.0, 3.0], 1: [1.0, 3.0, 2.0]})
        >>> agreement_of_batches(scores, pd.Series([90.0, 91.0, 92.0]), 1)["agreement"]
        0.5
    """
    known = scores[reached.reindex(scores.index).notna()].dropna()
    ranks = known.assign(reached=reached.loc[known.index]).rank().corr().to_numpy()
    batches = scores.shape[1]
    pairs = ranks[np.triu_indices(batches, 1)]
    with_reached = sign * ranks[:batches, batches]
    return (
        {"archs": len(known)}
        | with_interval("agreement", np.append(pairs.mean(), pairs))
        | with_interval("spearman", np.append(with_reached.mean(), with_reached))
    )


def _runs(plan: Plan, space: str) -> list[Run]:
    section = plan.sections[space]
    options = section.ablation("batches")
    if not options or not section["performance"]:
        return []
    datasets = section.datasets_of(options)
    return plan.runs(space, networks=options["networks"], dataset=datasets, draws=options["draws"])


def _request(plan: Plan) -> Request | None:
    found = statistics_request(plan)
    return found | Request(runs=tuple(run for name in found.networks for run in _runs(plan, name))) if found else None


def _table(results: Results) -> pd.DataFrame:
    rng = results.rng()
    rows: list[dict[str, Any]] = []
    for one in compared_datasets(results):
        section, identity = results.section(one.space), {"space": one.space, "dataset": one.dataset}
        resamples = section["statistics"]["resamples"]
        for pair in agreement_of_trainings(one, results.performance(one.space), section["performance"]):
            rows += [identity | row for row in _agreement(one, pair, resamples, rng)]
        for run in _runs(results.plan, one.space):
            if run.dataset == one.dataset:
                scores = results.scores(run).pivot(index="index", columns="draw", values="score")
                facts = {"kind": "batches", "of": f"{run.draws} of {run.size}, {run.metric}", "population": "all"}
                sign = results.plan.metric(run).sign
                rows.append(identity | facts | agreement_of_batches(scores, one.performance, sign))
    return pd.DataFrame(rows, columns=_COLUMNS)


_COLUMNS = ["space", "dataset", "kind", "of", "population", "archs"]
_COLUMNS += [f"{name}{end}" for name in ("agreement", "ceiling", "spearman") for end in ("", "_low", "_high")]


PAGE = Page(
    name="noise",
    title="Noise: trainings, epochs and batches",
    caption=(
        "How well two measurements of the same networks agree: trainings with different seeds, shorter "
        "trainings, and scores on different batches. No metric can be expected to rank above the ceiling, which "
        "follows from how well two trainings agree."
    ),
    request=_request,
    table=_table,
    options={"ablations.batches": _BATCHES},
)
