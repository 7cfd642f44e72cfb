"""Networks that a score, a trained search or chance picks, and how well they do (Table 2, Figure 3)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epsinas.errors import InputError
from epsinas.evaluation.budgets import budgeted_evolution, budgeted_random_search, budgeted_reinforce
from epsinas.evaluation.runs import performance_of
from epsinas.evaluation.searches import search_curves
from epsinas.evaluation.selection import select, select_optimal, select_random
from epsinas.evaluation.tabular import edit_neighbours
from epsinas.paper.published import read_published
from epsinas.spaces import NasBench201

Columns = Mapping[str, pd.Series | None]
"""By `{dataset}_{split}`, one accuracy for each network, or None where the data source has none."""

TRAINED = ("REA", "RS", "REINFORCE")
"""The searches that are run on the tabular benchmark."""

TRAINED_BLOCK = "State-of-the-art"
ABSENT = "not in the data source"


def baseline_rows(columns: Columns, pool_size: int, runs: int, seed: int) -> list[dict]:
    """Rows of the best and of a random network of each pool; see `epsinas.evaluation.selection`."""
    known = _known(columns)
    return [
        summarise(
            {"block": f"Baselines (N={pool_size})", "method": method, "origin": "recomputed"},
            columns,
            pick(known, pool_size, runs, np.random.default_rng(seed)),
        )
        for method, pick in (("Optimal", select_optimal), ("Random", select_random))
    ]


def score_row(
    method: str, scores: Mapping[str, pd.Series], columns: Columns, pool_size: int, runs: int, seed: int
) -> dict:
    """Row of the network with the highest score of each pool.

    Args:
        method: name of the metric.
        scores: by dataset, one score for each network, NaN for none; a dataset's columns need its scores.
        columns: accuracies.
        pool_size: networks in a pool.
        runs: number of pools.
        seed: of the pools, which are the same for every dataset and method.

    Returns:
        What `summarise` gives; its `note` names the datasets without scores and counts the networks with one.
    """
    picked: dict[str, NDArray[np.float64]] = {}
    notes = []
    for dataset in dict.fromkeys(name.rpartition("_")[0] for name in columns):
        own = {name: values for name, values in columns.items() if name.rpartition("_")[0] == dataset}
        if dataset not in scores:
            notes.append(f"{dataset}: no scores in the data source")
        elif known := _known(own):
            notes.append(f"{dataset}: {np.isfinite(scores[dataset]).sum()} of {len(scores[dataset])} networks scored")
            picked |= select(scores[dataset], known, pool_size, runs, np.random.default_rng(seed))
    return summarise({"block": f"Trainless (N={pool_size})", "method": method}, columns, picked) | {
        "note": "; ".join(notes)
    }


def epsilon_row(
    scores: Mapping[str, pd.Series], columns: Columns, seconds: float, pool_size: int, runs: int, seed: int
) -> dict:
    """Row of the epsilon metric; see `score_row`.

    Args:
        scores: as in `score_row`.
        columns: as in `score_row`.
        seconds: what scoring all networks of the first dataset took, in seconds of one core.
        pool_size: as in `score_row`; the cost is `seconds` times its share of the networks.
        runs: as in `score_row`.
        seed: as in `score_row`.
    """
    networks = len(next(iter(scores.values())))
    return score_row("epsilon", scores, columns, pool_size, runs, seed) | {
        "cost_hours": seconds / networks * pool_size / 3600,
        "cost_origin": f"measured: scoring jobs of {next(iter(scores))} on one core, start-up included, "
        f"{seconds:.0f} s for {networks} networks",
    }


def published_row(
    metric: str, scores: Mapping[str, pd.Series], columns: Columns, pool_size: int, runs: int, seed: int
) -> dict:
    """Row of a metric by the scores that others published for it; see `score_row`."""
    row = score_row(metric, scores, columns, pool_size, runs, seed)
    return row | {"note": f"scores as others published them; {row['note']}"}


def trained_rows(
    space: NasBench201,
    architectures: Sequence[str],
    validation: pd.Series,
    cost_seconds: pd.Series,
    columns: Columns,
    budget_seconds: float,
    runs: int,
    seed: int,
) -> list[dict]:
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
        rng = np.random.default_rng([seed, TRAINED.index(method)])
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


def quoted_rows(datasets: Sequence[str], present: Sequence[tuple[str, str]]) -> list[dict]:
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


def summarise(facts: Mapping, columns: Columns, picked: Mapping[str, NDArray[np.float64]]) -> dict:
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


def comparison_table(rows: Sequence[dict], columns: Columns) -> pd.DataFrame:
    """Join rows to the table, in the order of the paper's blocks and with the same columns for all."""
    order = [TRAINED_BLOCK, "Baselines", "Trainless (N=", "Trainless (all"]
    names = ["block", "method", "runs", "cost_hours", "cost_origin"]
    names += [f"{column}_{part}" for column in columns for part in ("mean", "sd")]
    names += ["origin", "missing", "note"]
    table = pd.DataFrame(rows).reindex(columns=names)
    rank = table["block"].map(lambda block: next(i for i, start in enumerate(order) if block.startswith(start)))
    size = table["block"].str.extract(r"N=(\d+)")[0].astype(float).fillna(0)
    table = table.assign(_rank=rank, _size=-size).sort_values(["_rank", "_size"], kind="stable", ignore_index=True)
    return table.drop(columns=["_rank", "_size"]).astype({"runs": "Int64"})


def published_scores(scores: pd.DataFrame, metric: str, networks: pd.Index) -> dict[str, pd.Series]:
    """Return by dataset the scores that others published for a metric, NaN where a network has none.

    Raises:
        InputError: the table has no such metric.
    """
    rows = scores[scores["metric"] == metric]
    if rows.empty:
        raise InputError(
            f"published scores: found no metric {metric}, the table has {', '.join(scores['metric'].unique())}"
        )
    return {
        str(dataset): own.set_index("index")["score"].reindex(networks)
        for dataset, own in rows.groupby("dataset", observed=True)
    }


def guiding_accuracy(performance: pd.DataFrame, dataset: str, epochs: int, networks: pd.Index) -> tuple[pd.Series, str]:
    """Return the accuracy that guides a search, (networks,), and its split.

    The validation accuracy, or the test accuracy where the table has no other.

    Raises:
        InputError: the table has neither.
    """
    splits = performance.query("dataset == @dataset and epochs == @epochs")["split"].unique()
    split = "valid" if "valid" in splits else "test"
    return performance_of(performance, dataset, split, epochs).reindex(networks), split


def search_table(
    space: NasBench201,
    architectures: Sequence[str],
    scores: pd.Series,
    performance: pd.DataFrame,
    dataset: str,
    epochs: int,
    seed: int,
    *,
    random_warm_up: str,
    **settings: int,
) -> pd.DataFrame:
    """Run the six searches of Figure 3 on one dataset.

    Args:
        space: the search space, of which `architectures` are all.
        architectures: one string for each network.
        scores: (networks,), NaN for none, by the benchmark's index.
        performance: the performance table; the validation accuracy guides the search, or where there is none the
            test accuracy.
        dataset: which dataset.
        epochs: of training.
        seed: of the searches.
        random_warm_up: `first`: in random search with warm-up as many networks as evolution's population come from
            the warm-up pool, as in the paper's text; `all`: every one does, as in the released code.
        settings: `rounds`, `trained`, `population`, `tournament` and `warm_up_pool` of
            `epsinas.evaluation.searches.search_curves`.

    Returns:
        `dataset`, `search`, `trained`, `lower`, `median`, `upper` (quartiles of the best test accuracy so far, over
        rounds) and `guide`, the split that guided the search.

    Raises:
        InputError: not the whole space, or a network without accuracy.
    """
    guide, split = guiding_accuracy(performance, dataset, epochs, scores.index)
    curves = search_curves(
        guide,
        performance_of(performance, dataset, "test", epochs).reindex(scores.index),
        scores,
        edit_neighbours(np.array([space.parse(architecture) for architecture in architectures])),
        np.random.default_rng(seed),
        random_warm_up=settings["population"] if random_warm_up == "first" else settings["trained"],
        **settings,
    )
    tables = []
    for name, curve in curves.items():
        lower, median, upper = np.percentile(curve, [25, 50, 75], axis=0)
        steps = {"trained": np.arange(1, len(median) + 1), "lower": lower, "median": median, "upper": upper}
        tables.append(pd.DataFrame({"dataset": dataset, "search": name, **steps, "guide": split}))
    return pd.concat(tables, ignore_index=True)


def _known(columns: Columns) -> dict[str, NDArray[np.float64]]:
    return {name: values.to_numpy(np.float64) for name, values in columns.items() if values is not None}
