"""Tables: scores joined with performances."""

from dataclasses import asdict

import pandas as pd

from epsinas.errors import InputError
from epsinas.evaluation import evaluate

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
