"""Tables: scores joined with performances."""

from collections.abc import Iterable
from dataclasses import asdict

import pandas as pd

from epsinas.errors import InputError
from epsinas.evaluation import RANGES, SIX, evaluate
from epsinas.intervals import prediction_interval

TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "digits": "Digits"}
"""How datasets are called in print; any other by its own name."""

_RUN = ["dataset", "inputs", "batch_size", "draw", "precision", "weight_low", "weight_high"]
"""Columns of a score table that identify a run."""


def performance_of(performance: pd.DataFrame, dataset: str, split: str, epochs: int) -> pd.Series:
    """Return one performance for each network, by index.

    Args:
        performance: the performance table (see `epsinas.schemas`).
        dataset: which dataset.
        split: `valid` or `test`.
        epochs: of training.

    Returns:
        Accuracy in percent, or loss in nats where the table has no accuracy; the benchmark's mean over seeds
        (rows without a seed), or where it has none, the mean of the seeds' rows.

    Raises:
        InputError: the table has no such rows.
    """
    rows = performance.query("dataset == @dataset and split == @split and epochs == @epochs")
    if rows.empty:
        raise InputError(f"performance: found no rows for dataset {dataset}, split {split}, epochs {epochs}")
    measure = "accuracy" if "accuracy" in rows and rows["accuracy"].notna().any() else "loss"
    means = rows[rows["seed"].isna()]
    return (rows if means.empty else means).groupby("index")[measure].mean()


def evaluate_table(scores: pd.DataFrame, performance: pd.DataFrame, split: str, epochs: int) -> pd.DataFrame:
    """Compute the six evaluation scores of every run in a score table.

    Args:
        scores: a score table with the columns that identify a run.
        performance: the performance table.
        split: as in `performance_of`.
        epochs: as in `performance_of`.

    Returns:
        A row for each run and pair of weights: `metric`, what identifies it, and the fields of `Evaluation`.
    """
    rows = []
    for identity, run in scores.groupby(_RUN, sort=False):
        reached = performance_of(performance, identity[0], split, epochs)
        found = evaluate(run["score"], reached.reindex(run["index"]))
        rows.append({"metric": "epsilon", **dict(zip(_RUN, identity, strict=True)), **asdict(found)})
    return pd.DataFrame(rows)


def evaluate_draws(
    runs: Iterable[pd.DataFrame], performance: pd.DataFrame, split: str, epochs: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Evaluate runs on several random batches.

    Args:
        runs: score tables with the columns that identify a run, `draw` among them.
        performance: the performance table.
        split: as in `performance_of`.
        epochs: as in `performance_of`.

    Returns:
        Two tables: that of `with_intervals`, and every draw by itself, as from `evaluate_table`.
    """
    draws = pd.concat([evaluate_table(run, performance, split, epochs) for run in runs], ignore_index=True)
    return with_intervals(draws), draws


def with_intervals(draws: pd.DataFrame) -> pd.DataFrame:
    """Show the first draw of every run, and where another random batch would land.

    Args:
        draws: rows of `evaluate_table`, which differ in `draw` or in another column that identifies a run.

    Returns:
        The rows with the lowest `draw` of each run, in the order of the argument, with the columns `{score}_low`
        and `{score}_high` of each evaluation score (see `prediction_interval`; empty where there is one draw) and
        `draws`, their number.
    """
    identity = ["metric", *(name for name in _RUN if name != "draw")]
    rows = []
    for _, run in draws.groupby(identity, sort=False):
        shown = run.loc[run["draw"].idxmin()].to_dict()
        for name in SIX:
            shown[f"{name}_low"], shown[f"{name}_high"] = prediction_interval(run[name], bounds=RANGES[name])
        rows.append(shown | {"draws": run["draw"].nunique()})
    return pd.DataFrame(rows)


def performances(
    performance: pd.DataFrame, datasets: Iterable[str], splits: Iterable[str], epochs: int, networks: pd.Index
) -> dict[str, pd.Series | None]:
    """Return the performances of every dataset and split, by `{dataset}_{split}`.

    Args:
        performance: the performance table.
        datasets: which datasets.
        splits: `valid`, `test` or both.
        epochs: of training.
        networks: the indices that are wanted, in order.

    Returns:
        For each dataset and split what `performance_of` gives, NaN for a network that is absent; None where the
        table has no such rows at all.
    """
    found: dict[str, pd.Series | None] = {}
    for dataset in datasets:
        for split in splits:
            try:
                found[f"{dataset}_{split}"] = performance_of(performance, dataset, split, epochs).reindex(networks)
            except InputError:
                found[f"{dataset}_{split}"] = None
    return found
