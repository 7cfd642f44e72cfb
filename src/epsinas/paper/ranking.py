"""What the pages that rank networks have in common."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from epsinas.evaluation.runs import evaluate_draws
from epsinas.study.page import Request
from epsinas.study.plan import Plan, Run
from epsinas.study.results import Results

PAPER_SPACES = ("nas-bench-201", "nas-bench-101", "nas-bench-nlp")
"""The search spaces that have pages of their own in the paper; others are shown beside the first."""


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


def ranking_tables(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Evaluate the runs of a page: a row for each, and every draw by itself (see `evaluate_draws`)."""
    rng, tables = results.rng(), []
    for name in results.request.spaces:
        runs = [results.evaluated(run) for run in results.runs if run.space == name]
        tables.append(evaluate_draws(runs, results.section(name)["resamples"], rng))
    table, draws = (pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True))
    return table, draws


def ablated_datasets(plan: Plan, space: str, options: Any) -> list[str]:
    """Return the data sets that an ablation is made on: those that it names, or all."""
    return options["datasets"] or plan.sections[space].datasets


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
    for dataset in ablated_datasets(plan, space, options):
        for kind in options["kinds"]:
            # Without randomness all batches are the same.
            draws = 1 if kind in section.family.deterministic else section["draws"]
            features = {"dataset": dataset, "inputs": kind, "draws": draws, "metric": "epsilon"}
            found += plan.runs(space, networks=options["networks"], **features)
    return found
