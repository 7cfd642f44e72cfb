"""What the pages that rank networks have in common."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from epsinas.evaluation.ranking import SIX
from epsinas.evaluation.runs import Evaluated, common_rows, evaluate_draws
from epsinas.paper.presentation import columns
from epsinas.study.comparison import compared, comparison_request, whole_in_further_precisions
from epsinas.study.page import Request
from epsinas.study.plan import TOGETHER, Plan, Run
from epsinas.study.results import Results

PAPER_SPACES = ("nas-bench-201", "nas-bench-101", "nas-bench-nlp")
"""The search spaces that have pages of their own in the paper; others are shown beside the first."""


shown_rankings = columns(
    *("space", "dataset", "metric", "origin", "inputs", "stand_in", "batch_size", "precision", "weight", "layer"),
    *("networks", "archs", *SIX, "common", "spearman_common", "same_as", "share", "published_share"),
)
"""What of a table of rankings people read; see `epsinas.study.page.Page.shown`."""


def shown_spaces(plan: Plan, home: str) -> list[str]:
    """Return the search spaces of a study, with performances, that the paper's page of the space `home` shows.

    That is the space itself; those that are not in the paper stand beside NAS-Bench-201's.
    """
    guests = [name for name in plan.sections if home == PAPER_SPACES[0] and name not in PAPER_SPACES]
    wanted = [name for name in (home, *guests) if name in plan.sections]
    return [name for name in wanted if plan.sections[name]["performance"]]


def request_of(plan: Plan, home: str, runs: Callable[[Plan, str], Sequence[Run]]) -> Request | None:
    """Return the request of the runs of every space that is shown, and of their performances; None without runs."""
    spaces = {name: tuple(runs(plan, name)) for name in shown_spaces(plan, home)}
    found = tuple(run for chosen in spaces.values() for run in chosen)
    data = tuple(f"{name}.performance.parquet" for name, chosen in spaces.items() if chosen)
    return Request(runs=found, data=data) if found else None


def comparing_request(plan: Plan, home: str) -> Request | None:
    """Return the request of the runs over all networks and of what their metrics are compared with."""
    found = request_of(plan, home, Plan.whole_runs)
    if found is not None:
        for name in shown_spaces(plan, home):
            found |= Request(networks=(name,)) | comparison_request(plan, name)
    return found


def ranking_tables(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Evaluate the runs of a page: a row for each, and every draw by itself (see `evaluate_draws`)."""
    return _evaluated_tables(results, _own_runs(results))


def _own_runs(results: Results) -> dict[str, list[Evaluated]]:
    """Return the runs of a page by one metric each, by space."""
    single = [run for run in results.runs if run.metric != TOGETHER]
    return {name: [results.evaluated(run) for run in single if run.space == name] for name in results.request.spaces}


def _evaluated_tables(results: Results, runs: dict[str, list[Evaluated]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = results.rng()
    tables = [evaluate_draws(own, results.section(name)["resamples"], rng) for name, own in runs.items()]
    table, draws = (pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True))
    return table, draws


def comparing_tables(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Do as `ranking_tables`, and evaluate the metrics that the study's own are compared with.

    Returns:
        Both tables; the first has, beside every ranking of the study's first precision, `common`, the number of
        networks that all rankings of its search space and data set cover, `spearman_common` and `kendall_common` among
        these, and `same_as`, other metrics that rank them alike (see `epsinas.evaluation.runs.common_rows`).
    """
    runs = _own_runs(results)
    table, draws = _evaluated_tables(results, runs)
    tables, common = [table], []
    for name, own in runs.items():
        others = compared(results, name)
        if shown := whole_in_further_precisions(results, name) + others:
            tables.append(evaluate_draws(shown)[0])
        first = results.section(name)["precisions"][0]
        classes = results.networks(name).set_index("index")["trained_as"]
        common += common_rows([run for run in own if (run.scores["precision"] == first).all()] + others, classes)
    table = pd.concat(tables, ignore_index=True)
    found = pd.DataFrame(common)
    shared = [column for column in found if column not in ("common", "spearman_common", "kendall_common", "same_as")]
    return table.merge(found, on=shared, how="left", validate="many_to_one"), draws


def kinds_option(description: str, kinds: Sequence[str], default: Sequence[str]) -> dict[str, Any]:
    """Return the options of an ablation of kinds of inputs, as a JSON schema."""
    return {
        "description": description,
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "kinds": {
                "type": "array",
                "minItems": 1,
                "uniqueItems": True,
                "items": {"enum": list(kinds)},
                "default": list(default),
            },
            "networks": {"$ref": "#/$defs/networks"},
            "datasets": {"$ref": "#/$defs/datasets"},
        },
    }


def kind_runs(plan: Plan, space: str, ablation: str) -> list[Run]:
    """Return the runs of an ablation of kinds of inputs (see `kinds_option`) on every draw."""
    section = plan.sections[space]
    options = section.ablation(ablation)
    if not options:
        return []
    found = []
    for dataset in plan.sections[space].datasets_of(options):
        for kind in options["kinds"]:
            # Without randomness all batches are the same.
            draws = 1 if kind in section.family.deterministic else section["draws"]
            features = {"dataset": dataset, "inputs": kind, "draws": draws, "metric": "epsilon"}
            found += plan.runs(space, networks=options["networks"], **features)
    return found
