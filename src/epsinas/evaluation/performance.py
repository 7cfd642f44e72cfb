"""What the networks reach when they are trained."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from epsinas.errors import InputError

MEASURES = {"accuracy": "accuracy (%)", "loss": "loss (nats a word)"}
"""What a table of performances may have, and how it is called in print."""


def performance_of(performance: pd.DataFrame, dataset: str, split: str, epochs: int) -> pd.Series:
    """Return one performance for each network, by index.

    Args:
        performance: the performance table (see `epsinas.files.tables`).
        dataset: which data set.
        split: `valid` or `test`.
        epochs: of training.

    Returns:
        Accuracy in percent, or loss in nats a word where the table has no accuracy; the benchmark's mean over seeds
        (rows without a seed), or where it has none, the mean of the seeds' rows. The name of the series says which,
        `accuracy` or `loss`.

    Raises:
        InputError: the table has no such rows, or no training behind them succeeded.
    """
    wanted = {"dataset": dataset, "split": split, "epochs": epochs}
    rows = performance[np.logical_and.reduce([performance[name] == value for name, value in wanted.items()])]
    where = f"dataset {dataset}, split {split}, epochs {epochs}"
    if rows.empty:
        raise InputError(f"performance: found no rows for {where}")
    measure = measure_of(rows)
    if measure is None:
        raise InputError(f"performance: found no value for {where}, expected at least one training that succeeded")
    means = rows[rows["seed"].isna()]
    return (rows if means.empty else means).groupby("index")[measure].mean()


def higher_better(reached: pd.Series) -> pd.Series:
    """Return performances as `performance_of` gives them, losses with the opposite sign, so that higher is better.

    Example:
        >>> higher_better(pd.Series([4.5, 4.0], name="loss")).tolist()
        [-4.5, -4.0]
    """
    return reached if reached.name == "accuracy" else -reached


def by_seed(performance: pd.DataFrame, dataset: str, split: str, epochs: int) -> pd.DataFrame:
    """Return what each training of the networks reached: by network, a column for each seed, NaN for none.

    Accuracy in percent, or loss in nats where the table has no accuracy. No columns with fewer than two seeds.
    """
    rows = performance.query("dataset == @dataset and split == @split and epochs == @epochs").dropna(subset="seed")
    measure = measure_of(rows)
    if measure is None or rows["seed"].nunique() < 2:
        return pd.DataFrame()
    return rows.pivot(index="index", columns="seed", values=measure)


def trainings_of(seeds: pd.DataFrame) -> float:
    """Return how many trainings a network has in the mean, of those that `by_seed` gives."""
    trained = seeds.notna().sum(axis=1)
    return float(trained[trained > 0].mean())


def measure_of(rows: pd.DataFrame) -> str | None:
    """Return which of MEASURES rows of a performance table have, accuracy first; None where every training failed."""
    return next((name for name in MEASURES if name in rows and rows[name].notna().any()), None)


def performance_label(measure: str, split: str) -> str:
    """Return the axis label of a performance: `accuracy` or `loss` of a split."""
    return f"{'validation' if split == 'valid' else split} {MEASURES[measure]}"


def performances(
    performance: pd.DataFrame, datasets: Iterable[str], splits: Iterable[str], epochs: int, networks: pd.Index
) -> dict[str, pd.Series | None]:
    """Return the performances of every data set and split, by `{dataset}_{split}`.

    Args:
        performance: the performance table.
        datasets: which data sets.
        splits: `valid`, `test` or both.
        epochs: of training.
        networks: the indices that are wanted, in order.

    Returns:
        For each data set and split what `performance_of` gives, NaN for a network that is absent; None where the
        table has no such values at all.
    """
    found: dict[str, pd.Series | None] = {}
    for dataset in datasets:
        for split in splits:
            try:
                found[f"{dataset}_{split}"] = performance_of(performance, dataset, split, epochs).reindex(networks)
            except InputError:
                found[f"{dataset}_{split}"] = None
    return found


def guiding_accuracy(performance: pd.DataFrame, dataset: str, epochs: int, networks: pd.Index) -> tuple[pd.Series, str]:
    """Return the accuracy that guides a search, (networks,), and its split.

    The validation accuracy, or the test accuracy where the table has no other.

    Raises:
        InputError: the table has neither.
    """
    splits = performance.query("dataset == @dataset and epochs == @epochs")["split"].unique()
    split = "valid" if "valid" in splits else "test"
    return performance_of(performance, dataset, split, epochs).reindex(networks), split
