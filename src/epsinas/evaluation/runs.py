"""Tables: scores joined with performances."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from epsinas.errors import InputError
from epsinas.evaluation.intervals import prediction_interval
from epsinas.evaluation.ranking import RANGES, SIX, bootstrap, evaluate
from epsinas.metrics.rounding import LIMIT, limited_scores

TITLES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "digits": "Digits",
    "ptb": "PTB",
    "wikitext-2": "WikiText-2",
    "zipf": "Zipf",
}
"""How datasets are called in print; any other by its own name."""

_RUN = ["dataset", "inputs", "batch_size", "draw", "precision", "weight_low", "weight_high"]
"""Columns of a score table that identify a run."""


def performance_of(performance: pd.DataFrame, dataset: str, split: str, epochs: int) -> pd.Series:
    """Return one performance for each network, by index.

    Args:
        performance: the performance table (see `epsinas.files.tables`).
        dataset: which dataset.
        split: `valid` or `test`.
        epochs: of training.

    Returns:
        Accuracy in percent, or loss in nats where the table has no accuracy; the benchmark's mean over seeds
        (rows without a seed), or where it has none, the mean of the seeds' rows. The name of the series says which,
        `accuracy` or `loss`.

    Raises:
        InputError: the table has no such rows.
    """
    rows = performance.query("dataset == @dataset and split == @split and epochs == @epochs")
    if rows.empty:
        raise InputError(f"performance: found no rows for dataset {dataset}, split {split}, epochs {epochs}")
    measure = "accuracy" if "accuracy" in rows and rows["accuracy"].notna().any() else "loss"
    means = rows[rows["seed"].isna()]
    return (rows if means.empty else means).groupby("index")[measure].mean()


SPACE_TITLES = {"nas-bench-101": "NAS-Bench-101", "nas-bench-201": "NAS-Bench-201", "nas-bench-nlp": "NAS-Bench-NLP"}
"""How search spaces are called in print."""


def panel_title(space: str, dataset: str, several: bool) -> str:
    """Return the title of a dataset's panel, with the space where a figure has several."""
    title = TITLES.get(dataset, dataset)
    return f"{SPACE_TITLES[space]}, {title}" if several else title


def performance_label(measure: str, split: str) -> str:
    """Return the axis label of a performance: `accuracy` or `loss` of a split."""
    unit = {"accuracy": "accuracy (%)", "loss": "loss (nats)"}[measure]
    return f"{'validation' if split == 'valid' else split} {unit}"


def evaluate_table(scores: pd.DataFrame, performance: pd.DataFrame, split: str, epochs: int) -> pd.DataFrame:
    """Compute the six evaluation scores of every run in a score table.

    Args:
        scores: a score table with the columns that identify a run.
        performance: the performance table.
        split: as in `performance_of`.
        epochs: as in `performance_of`.

    Returns:
        A row for each run and pair of weights: `metric`, what identifies it, the fields of `Evaluation`, `scored`,
        the number of networks with a score, whether they have a performance or not, `median_score` of these, and of
        `limited_scores`, `rounding_limited`.
    """
    rows = []
    for identity, run in scores.groupby(_RUN, sort=False):
        reached = performance_of(performance, identity[0], split, epochs)
        found = evaluate(run["score"], reached.reindex(run["index"]), higher_is_better=bool(reached.name == "accuracy"))
        rows.append(
            {
                "metric": "epsilon",
                **dict(zip(_RUN, identity, strict=True)),
                **asdict(found),
                "scored": int(run["score"].notna().sum()),
                "median_score": run["score"].median(),
                "rounding_limited": limited_scores(run),
            }
        )
    return pd.DataFrame(rows)


def evaluate_draws(
    runs: Iterable[pd.DataFrame],
    performance: pd.DataFrame,
    split: str,
    epochs: int,
    resamples: int = 0,
    rng: np.random.Generator | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Evaluate runs on several random batches.

    Args:
        runs: score tables with the columns that identify a run, `draw` among them.
        performance: the performance table.
        split: as in `performance_of`.
        epochs: as in `performance_of`.
        resamples: of the networks, for intervals that say how far another sample of networks may land; 0 for none.
        rng: draws the resamples.

    Returns:
        Two tables: that of `with_intervals`, with the columns `{score}_sample_low` and `{score}_sample_high` of
        `epsinas.evaluation.ranking.bootstrap` if there are resamples; and every draw by itself, as from `evaluate_table`.
    """
    runs = list(runs)
    draws = pd.concat([evaluate_table(run, performance, split, epochs) for run in runs], ignore_index=True)
    table = with_intervals(draws)
    if resamples:
        intervals = _sample_intervals(runs, performance, split, epochs, resamples, rng)
        table = table.merge(intervals, on=_RUN, validate="one_to_one")
    return table, draws


def _sample_intervals(
    runs: Sequence[pd.DataFrame],
    performance: pd.DataFrame,
    split: str,
    epochs: int,
    resamples: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return bootstrap intervals for the first draw of every run and pair of weights, with what identifies it."""
    rows = []
    for run in runs:
        for identity, shown in run[run["draw"] == run["draw"].min()].groupby(_RUN, sort=False):
            reached = performance_of(performance, identity[0], split, epochs)
            rows.append(dict(zip(_RUN, identity, strict=True)) | sample_interval(shown, reached, resamples, rng))
    return pd.DataFrame(rows)


def sample_interval(
    run: pd.DataFrame, performance: pd.Series, resamples: int, rng: np.random.Generator
) -> dict[str, float]:
    """Say how far another sample of networks may land, by `epsinas.evaluation.ranking.bootstrap`.

    Args:
        run: `index` and `score` of each network.
        performance: what `performance_of` returns.
        resamples: of the networks.
        rng: draws them.

    Returns:
        `{score}_sample_low` and `{score}_sample_high` of each evaluation score.
    """
    reached = performance.reindex(run["index"])
    accurate = bool(performance.name == "accuracy")
    ends = bootstrap(run["score"], reached, resamples, rng, higher_is_better=accurate)
    return {f"{name}_sample_{end}": pair[at] for name, pair in ends.items() for at, end in enumerate(("low", "high"))}


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


def rounding_table(scores: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Say how far rounding limits scores, and what the limited ones are worth.

    Args:
        scores: runs over the same networks in several precisions, with the columns that identify a run.
        reference: the precision that the others are compared with.

    Returns:
        For each dataset, pair of weights and precision, on the first batch: `networks`, `scored`, `limited` (scores
        whose estimated error is above `epsinas.metrics.rounding.LIMIT`), `limited_share` of those scored, and of the relative
        difference from the reference's scores the median and the largest, among the scores that are limited
        (`limited_median`, `limited_largest`) and among the others (`others_median`, `others_largest`), where both
        precisions have a score and the reference's is not limited itself.
    """
    first = scores[scores["draw"] == 0]
    rows = []
    for pair, runs in first.groupby(["dataset", "weight_low", "weight_high"], sort=False):
        by_precision = {name: run.set_index("index") for name, run in runs.groupby("precision", sort=False)}
        exact = by_precision[reference]["score"].where(by_precision[reference]["error"] <= LIMIT)
        for precision, run in by_precision.items():
            limited = run["score"].notna() & (run["error"] > LIMIT)
            scored = int(run["score"].notna().sum())
            row = dict(zip(("dataset", "weight_low", "weight_high"), pair, strict=True))
            row |= {"precision": precision, "networks": len(run), "scored": scored, "limited": int(limited.sum())}
            row["limited_share"] = row["limited"] / scored if scored else np.nan
            difference = (run["score"] / exact - 1).abs()
            for name, among in (("limited", difference[limited]), ("others", difference[~limited])):
                row |= {f"{name}_median": among.median(), f"{name}_largest": among.max()}
            rows.append(row)
    return pd.DataFrame(rows)
