"""Table 2: networks that a score, a trained search or chance picks from the search space, and how well they do."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epsinas.evaluation.budgets import budgeted_evolution, budgeted_random_search, budgeted_reinforce
from epsinas.evaluation.intervals import repeated_mean_interval
from epsinas.evaluation.performance import guiding_accuracy, performances
from epsinas.evaluation.runs import Evaluated
from epsinas.evaluation.selection import select, select_optimal, select_random
from epsinas.evaluation.tabular import edit_neighbours
from epsinas.paper.cells import LedgerCell, Row, most_covering, printed_name, stand_in_of
from epsinas.paper.published import read_published
from epsinas.spaces import NasBench201
from epsinas.streams import stream
from epsinas.study.comparison import (
    COMPUTED,
    IMPORTED,
    by_metric,
    compared,
    comparison_request,
    costs,
    first_signed,
)
from epsinas.study.page import Page, Request, count_option
from epsinas.study.plan import TOGETHER, Plan
from epsinas.study.results import Results

Columns = Mapping[str, pd.Series | None]
"""By `{dataset}_{split}`, one accuracy for each network, or None where the data source has none."""

SPACE = "nas-bench-201"

TRAINED = ("REA", "RS", "REINFORCE")
"""The searches that are run on the tabular benchmark."""

TRAINED_BLOCK = "State-of-the-art"
ABSENT = "not in the data source"

_OPTION = {
    "description": "Table 2, one network from a random pool.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "runs": count_option("Number of pools, and of trained searches.", 500),
        "pool_sizes": {
            "description": "Networks in a pool, drawn with replacement.",
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "integer", "minimum": 1},
            "default": [1000, 100],
        },
        "trained": {
            "description": (
                "Searches (REA, RS, REINFORCE) that train networks within a simulated budget; needs "
                "nas-bench-201.training-cost.parquet."
            ),
            "type": "object",
            "additionalProperties": False,
            "required": ["dataset", "epochs", "budget_seconds"],
            "properties": {
                "dataset": {"description": "On which the searches train.", "type": "string"},
                "epochs": {
                    "description": "Of the training that is paid for; its accuracy guides the search.",
                    "type": "integer",
                    "minimum": 0,
                },
                "budget_seconds": {
                    "description": "Simulated time of training in each run.",
                    "type": "number",
                    "exclusiveMinimum": 0,
                },
            },
        },
    },
}

GRADIENT_METRICS = ("synflow", "grad_norm", "grasp", "snip", "fisher")
HALF = "cifar10-valid"
"""CIFAR-10 where half of the training images are left for validation: what NAS-Bench-201's searches see."""

_INTERCHANGED = (
    "the printed columns seem to be validation and test accuracy of networks trained on half of the training images, "
    "interchanged: in other rows validation is 0.3 above that test accuracy, and here printed below it by as much"
)
_PRINTED_ELSEWHERE = f"{_INTERCHANGED}; this is that test accuracy"
_NOT_THIS_TEST = f"{_INTERCHANGED}; this is the test accuracy of networks trained on all of them"


def baseline_rows(columns: Columns, pool_size: int, runs: int, seed: int) -> list[dict[str, Any]]:
    """Rows of the best and of a random network of each pool; see `epsinas.evaluation.selection`."""
    known = _known(columns)
    return [
        summarise(
            {"block": f"Baselines (N={pool_size})", "method": method, "origin": "recomputed"},
            columns,
            pick(known, pool_size, runs, stream(seed, "pools", pool_size)),
        )
        for method, pick in (("Optimal", select_optimal), ("Random", select_random))
    ]


def score_row(
    method: str, scores: Mapping[str, pd.Series], columns: Columns, pool_size: int, runs: int, seed: int
) -> dict[str, Any]:
    """Row of the network with the highest score of each pool.

    Args:
        method: name of the metric.
        scores: by dataset, one score for each network, NaN for none; a dataset's columns need its scores.
        columns: accuracies.
        pool_size: networks in a pool.
        runs: number of pools.
        seed: of the pools, which are the same for every dataset and method.

    Returns:
        What `summarise` gives; for each data set with scores, how many networks have one (`{dataset}_scored`) of how
        many (`{dataset}_networks`); `note` says so in words and names the data sets without scores.
    """
    picked: dict[str, NDArray[np.float64]] = {}
    notes, counts = [], {}
    for dataset in dict.fromkeys(name.rpartition("_")[0] for name in columns):
        own = {name: values for name, values in columns.items() if name.rpartition("_")[0] == dataset}
        if dataset not in scores:
            notes.append(f"{dataset}: no scores in the data source")
        elif known := _known(own):
            counts[f"{dataset}_scored"] = int(np.isfinite(scores[dataset]).sum())
            counts[f"{dataset}_networks"] = len(scores[dataset])
            notes.append(f"{dataset}: {counts[f'{dataset}_scored']} of {len(scores[dataset])} networks scored")
            picked |= select(scores[dataset], known, pool_size, runs, stream(seed, "pools", pool_size))
    row = summarise({"block": f"Trainless (N={pool_size})", "method": method}, columns, picked)
    return row | counts | {"note": "; ".join(notes)}


def computed_row(
    method: str,
    scores: Mapping[str, pd.Series],
    columns: Columns,
    seconds: float,
    pool_size: int,
    runs: int,
    seed: int,
) -> dict[str, Any]:
    """Row of a metric that the study computed; see `score_row`.

    Args:
        method: name of the metric.
        scores: as in `score_row`.
        columns: as in `score_row`.
        seconds: what scoring all networks of the first data set on one batch took, in seconds of one core.
        pool_size: as in `score_row`; the cost is `seconds` times its share of the networks.
        runs: as in `score_row`.
        seed: as in `score_row`.
    """
    networks = len(next(iter(scores.values())))
    return score_row(method, scores, columns, pool_size, runs, seed) | {
        "cost_hours": seconds / networks * pool_size / 3600,
        "cost_measured": True,
        "cost_origin": f"measured: scoring {next(iter(scores))} on one core, {seconds:.0f} s for {networks} networks",
    }


def compared_row(
    others: Sequence[Evaluated],
    scores: Mapping[str, pd.Series],
    columns: Columns,
    milliseconds: Mapping[str, float],
    pool_size: int,
    runs: int,
    seed: int,
) -> dict[str, Any]:
    """Row of a metric that the study's own are compared with; see `score_row`.

    Args:
        others: the metric on each data set.
        scores: as in `score_row`.
        columns: as in `score_row`.
        milliseconds: by metric, what a network took where some were scored.
        pool_size: as in `score_row`.
        runs: as in `score_row`.
        seed: as in `score_row`.
    """
    first = others[0]
    row = score_row(first.metric.name, scores, columns, pool_size, runs, seed)
    note = f"scores as others published them; {row['note']}" if first.origin == IMPORTED else row["note"]
    row |= {"note": note, "scores": first.origin, "stand_in": first.scores["stand_in"].iloc[0]}
    if first.metric.name not in milliseconds:
        return row
    each = milliseconds[first.metric.name]
    return row | {
        "cost_hours": each / 1000 * pool_size / 3600,
        "cost_measured": True,
        "cost_origin": f"measured: {each:.3g} ms a network on one core, but for passes that another metric had made",
    }


def trained_rows(
    space: NasBench201,
    architectures: Sequence[str],
    validation: pd.Series,
    cost_seconds: pd.Series,
    columns: Columns,
    budget_seconds: float,
    runs: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Rows of the searches that train networks for a fixed simulated time; see `epsinas.evaluation.budgets`.

    Args:
        space: the search space, of which `architectures` are all.
        architectures: one string for each network.
        validation: (networks,) the accuracy that guides the search.
        cost_seconds: (networks,) of the training behind `validation`.
        columns: accuracies of the chosen network.
        budget_seconds: 12,000 in NAS-Bench-201.
        runs: independent repetitions.
        seed: of the searches.

    Raises:
        InputError: not the whole space, or a network without validation accuracy or cost.
    """
    operations = np.array([space.parse(architecture) for architecture in architectures])
    rows = []
    for method in TRAINED:
        rng = stream(seed, "trained search", method)
        budget = (validation, cost_seconds, budget_seconds, runs, rng)
        if method == "REA":
            found = budgeted_evolution(validation, edit_neighbours(operations), *budget[1:])
        elif method == "RS":
            found = budgeted_random_search(*budget)
        else:
            found = budgeted_reinforce(validation, operations, *budget[1:])
        picked = {name: values[found.chosen] for name, values in _known(columns).items()}
        spent = found.seconds.mean() / 3600
        facts = {
            "block": TRAINED_BLOCK,
            "method": method,
            "cost_hours": budget_seconds / 3600,
            "cost_origin": f"the budget of simulated training; {spent:.2f} with the last training",
        }
        rows.append(summarise(facts, columns, picked))
    return rows


def quoted_rows(datasets: Sequence[str], present: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Rows of the paper's Table 2 that are not among the rows `present`, (block, method), as printed."""
    published = read_published().query("table == 2")
    names = {dataset.lower(): dataset for dataset in datasets}
    rows = []
    for (block, method), printed in published.groupby(["block", "row"], sort=False):
        if (block, method) in present:
            continue
        row = {"block": block, "method": method, "origin": "quoted", "note": "as printed in the paper"}
        for column, value, spread in printed[["column", "value", "spread"]].itertuples(index=False):
            dataset, _, split = column.rpartition("_")
            if column == "cost_hours":
                row |= {"cost_hours": float(value), "cost_origin": "quoted"}
            elif dataset in names:
                row[f"{names[dataset]}_{split}_mean"] = float(value)
                row[f"{names[dataset]}_{split}_sd"] = float(spread) if spread else np.nan
        rows.append(row)
    return rows


def summarise(facts: Mapping[str, Any], columns: Columns, picked: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
    """Make a row of what was picked in every run.

    Args:
        facts: what else the row says; `origin` is `recomputed` unless it is given.
        columns: which accuracies the table has; None where the data source has none.
        picked: for each known column (runs,) the accuracy of the picked network.

    Returns:
        `facts`, `runs`, mean and standard deviation (n - 1) of every column over runs, and `missing`: the columns
        that the data source does not have.
    """
    row = {"origin": "recomputed", **facts, "runs": max((len(values) for values in picked.values()), default=0)}
    for name in columns:
        values = picked.get(name)
        known = np.array([]) if values is None else values[np.isfinite(values)]
        row[f"{name}_mean"] = known.mean() if len(known) else np.nan
        row[f"{name}_sd"] = known.std(ddof=1) if len(known) > 1 else np.nan
    missing = [name for name in columns if not np.isfinite(row[f"{name}_mean"])]
    return row | {"missing": f"{ABSENT}: {', '.join(missing)}" if missing else ""}


def with_gains(rows: Sequence[dict[str, Any]], columns: Columns) -> list[dict[str, Any]]:
    """Add what each row's mean accuracies gain over a random network.

    Args:
        rows: of `summarise`; those of the baselines must be among them.
        columns: accuracies.

    Returns:
        The rows, with, for every column, `{column}_improvement`, 100 (accuracy - random) / random in percent (Yang,
        Esperança and Carlucci, ICLR 2020, Equation 1), and `{column}_gained`, (accuracy - random) / (optimal - random),
        1 where the best network of every pool is found. Random and optimal are those of the row's pool size; trained
        searches have those of the first.
    """
    baselines: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        if row["block"].startswith("Baselines") and row["origin"] == "recomputed":
            baselines.setdefault(row["block"].partition("(")[2], {})[row["method"]] = row
    first = next(iter(baselines.values()))
    found = []
    for row in rows:
        known, gains = baselines.get(row["block"].partition("(")[2], first), {}
        for name in columns:
            random, optimal = (known[method][f"{name}_mean"] for method in ("Random", "Optimal"))
            gain = row.get(f"{name}_mean", np.nan) - random
            gains[f"{name}_improvement"] = 100 * gain / random
            gains[f"{name}_gained"] = gain / (optimal - random) if optimal > random else np.nan
        found.append(row | gains)
    return found


def comparison_table(rows: Sequence[dict[str, Any]], columns: Columns) -> pd.DataFrame:
    """Join rows to the table, in the order of the paper's blocks and with the same columns for all."""
    order = [TRAINED_BLOCK, "Baselines", "Trainless (N=", "Trainless (all"]
    names = ["block", "method", "runs", "cost_hours", "cost_origin"]
    names += [f"{column}_{part}" for column in columns for part in ("mean", "sd", "improvement", "gained")]
    names += ["origin", "scores", "missing", "note", "cost_measured", "stand_in"]
    datasets = dict.fromkeys(column.rpartition("_")[0] for column in columns)
    names += [f"{dataset}_{count}" for dataset in datasets for count in ("scored", "networks")]
    table = pd.DataFrame(rows).reindex(columns=names)
    table["cost_measured"] = table["cost_measured"].eq(True)
    rank = table["block"].map(lambda block: next(i for i, start in enumerate(order) if block.startswith(start)))
    size = table["block"].str.extract(r"N=(\d+)")[0].astype(float).fillna(0)
    table = table.assign(_rank=rank, _size=-size).sort_values(["_rank", "_size"], kind="stable", ignore_index=True)
    return table.drop(columns=["_rank", "_size"]).astype(
        {name: "Int64" for name in table if name == "runs" or str(name).endswith(("_scored", "_networks"))}
    )


def _known(columns: Columns) -> dict[str, NDArray[np.float64]]:
    return {name: values.to_numpy(np.float64) for name, values in columns.items() if values is not None}


def _request(plan: Plan) -> Request | None:
    section = plan.sections.get(SPACE)
    if section is None or not section.options.get("selection") or not section["performance"]:
        return None
    selection = section["selection"]
    kinds = ["performance"]
    kinds += ["training-cost"] if "trained" in selection else []
    runs = (*plan.main_runs(SPACE), *plan.comparison_runs(SPACE))
    own = Request(
        runs=runs,
        networks=(SPACE,),
        data=tuple(f"{SPACE}.{kind}.parquet" for kind in kinds),
    )
    return own | comparison_request(plan, SPACE)


def _table(results: Results) -> pd.DataFrame:
    section = results.section(SPACE)
    selection, epochs = section["selection"], section["performance"]["epochs"]
    networks = results.networks(SPACE).set_index("index")
    performance = results.performance(SPACE)
    columns = performances(performance, section.datasets, ["valid", "test"], epochs, networks.index)
    half = performances(performance, [HALF], ["test"], epochs, networks.index)
    columns |= {name: values for name, values in half.items() if values is not None}
    others = by_metric(compared(results, SPACE))
    measured = [costs(results.scores(run)) for run in results.runs if run.metric == TOGETHER]
    milliseconds = dict(zip(measured[0]["metric"], measured[0]["milliseconds"], strict=True)) if measured else {}
    rows = []
    for size in selection["pool_sizes"]:
        pools = {"pool_size": size, "runs": selection["runs"], "seed": results.seed}
        rows += baseline_rows(columns, **pools)
        for runs_of_one in others:
            scores = {run.scores["dataset"].iloc[0]: first_signed(run, networks.index) for run in runs_of_one}
            rows.append(compared_row(runs_of_one, _on_half(scores), columns, milliseconds, **pools))
        for name in section.metrics:
            runs = [run for run in results.runs if run.metric == name]
            own = {run.dataset: results.first_scores(run).reindex(networks.index) for run in runs}
            seconds = results.scores(runs[0])["seconds"].sum() / runs[0].draws
            stand_in = results.plan.stand_in(runs[0])
            rows.append(
                computed_row(name, _on_half(own), columns, seconds, **pools)
                | {"stand_in": stand_in, "scores": COMPUTED}
            )
    if "trained" in selection:
        trained = selection["trained"]
        validation, _ = guiding_accuracy(performance, trained["dataset"], trained["epochs"], networks.index)
        rows += trained_rows(
            NasBench201(**section["skeleton"]),
            networks["architecture"].tolist(),
            validation,
            results.training_cost(SPACE).reindex(networks.index),
            columns,
            trained["budget_seconds"],
            selection["runs"],
            results.seed,
        )
    if results.compares:
        rows += quoted_rows(section.datasets, [(row["block"], row["method"]) for row in rows])
    return comparison_table(with_gains(rows, columns), columns)


def _on_half(scores: Mapping[str, pd.Series]) -> dict[str, pd.Series]:
    """Add CIFAR-10's scores for the networks trained on half of its images, which are the same networks."""
    return {**scores, **({HALF: scores["cifar10"]} if "cifar10" in scores else {})}


def _cells(table: pd.DataFrame) -> Iterator[LedgerCell]:
    measured = [name.removesuffix("_mean") for name in map(str, table) if name.endswith("_mean")]
    # Of published, shipped and computed scores of a metric, those of the most networks are set against the paper's.
    scored = [str(name) for name in table if str(name).endswith("_scored")]
    for row in most_covering(
        table.to_dict("records"), "method", ["block"], lambda row: sum(row[one] for one in scored)
    ):
        identity = {"block": row["block"], "row": printed_name(row["method"]), "stand_in": stand_in_of(row)}
        if row["origin"] == "quoted":
            for column in ["cost_hours", *map(str.lower, measured)]:
                yield identity | {"column": column, "verdict": "quoted", "note": "a result of other authors"}
            continue
        if np.isfinite(row["cost_hours"]):
            note = row["cost_origin"] + ("; a time, which depends on the machine" if row["cost_measured"] else "")
            yield identity | {"column": "cost_hours", "reproduced": row["cost_hours"], "note": note}
        for name in measured:
            yield identity | _accuracy_cell(row, name)
        if printed_name(row["method"]) in GRADIENT_METRICS and f"{HALF}_test" in measured:
            cell = identity | _accuracy_cell(row, f"{HALF}_test")
            yield cell | {"column": "cifar10_valid", "note": f"{cell['note']}; {_PRINTED_ELSEWHERE}"}


def _accuracy_cell(row: Row, column: str) -> LedgerCell:
    """Return the cell of an accuracy: its mean, and the interval for the mean of as many other runs."""
    mean, deviation = row[f"{column}_mean"], row[f"{column}_sd"]
    note = ABSENT
    if np.isfinite(mean):
        dataset = column.rpartition("_")[0]
        note = f"sd {deviation:.2f} over {row['runs']:.0f} runs"
        if np.isfinite(row.get(f"{dataset}_scored", np.nan)):
            scored, networks = row[f"{dataset}_scored"], row[f"{dataset}_networks"]
            note += f"; {dataset}: {scored:.0f} of {networks:.0f} networks scored"
        if (printed_name(row["method"]), column) in [(metric, "cifar10_test") for metric in GRADIENT_METRICS]:
            note += f"; {_NOT_THIS_TEST}"
    low, high = repeated_mean_interval(mean, deviation, max(int(row["runs"]), 1))
    return {"column": column.lower(), "reproduced": mean, "note": note, "interval_low": low, "interval_high": high}


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out what is said in other words, and of the numbers of scores all but the first data set's."""
    counts = [name for name in table if str(name).endswith(("_scored", "_networks"))]
    return table.drop(columns=["cost_measured", "cost_origin", "missing", "note", "origin", "stand_in", *counts[1:]])


PAGE = Page(
    name="table2",
    title="Networks picked from random pools, and by searches that train",
    caption=(
        "Accuracy (%) of the network that a method picks, mean and standard deviation over runs: the best by its "
        "score in a random pool of N networks, or what a search finds that trains. See how far a metric rises "
        "above Random of its pool towards Optimal, which no metric can pass."
    ),
    number=2,
    request=_request,
    table=_table,
    cells=_cells,
    shown=_shown,
    options={"selection": _OPTION},
    admits=lambda space: space.name == SPACE,
)
