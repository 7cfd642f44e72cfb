"""Runs: scores of networks joined with their performances, and what the ranking is worth."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from epsinas.evaluation.coefficients import shared_networks
from epsinas.evaluation.intervals import prediction_interval
from epsinas.evaluation.performance import higher_better, performance_of
from epsinas.evaluation.ranking import RANGES, SIX, bootstrap, evaluate
from epsinas.metrics.base import Metric
from epsinas.metrics.rounding import limited_scores

_IDENTITY = ["space", "metric", "dataset", "inputs", "stand_in", "batch_size", "draw", "precision", "setting"]
"""Columns of a score table that identify a ranking of networks."""


_MEASURED = [*SIX, "networks", "archs", "scored", "median_score", "rounding_limited"]
"""Columns that `evaluate_table` adds to what identifies a ranking."""


class Evaluated(NamedTuple):
    """The scores of a run, their metric, and what they are compared with.

    Attributes:
        metric: that was computed.
        scores: a score table with the columns that identify the run.
        performance: the performance table of its search space.
        split: of the performances, `valid` or `test`.
        epochs: of the training behind them.
        origin: where the scores come from.
    """

    metric: Metric
    scores: pd.DataFrame
    performance: pd.DataFrame
    split: str
    epochs: int
    origin: str = "computed"

    def rankings(self) -> list[tuple[dict[str, Any], pd.DataFrame]]:
        """Return every ranking of networks, of a draw and a setting, with what identifies it in a table."""
        groups = self.scores.groupby(_IDENTITY, sort=False)
        return [(self._identity(identity), ranking) for identity, ranking in groups]

    def _identity(self, values: Sequence[Any]) -> dict[str, Any]:
        *columns, setting = values
        named = dict(zip(_IDENTITY, columns, strict=False))
        return named | {"origin": self.origin} | self.metric.columns(setting)

    def reached(self, ranking: pd.DataFrame) -> pd.Series:
        """Return the performance of each network of a ranking, named after the measure."""
        found = performance_of(self.performance, ranking["dataset"].iloc[0], self.split, self.epochs)
        return found.reindex(ranking["index"])

    def signed(self, ranking: pd.DataFrame) -> pd.Series:
        """Return the scores of a ranking, turned so that a higher one predicts a better network."""
        return self.metric.sign * ranking["score"]


def evaluate_table(run: Evaluated) -> pd.DataFrame:
    """Compute the six measures of every ranking of a run.

    Returns:
        A row for each draw and setting: what identifies it, the fields of `Evaluation`, `scored`, the number of
        networks with a score, whether they have a performance or not, `median_score` of these, and of
        `limited_scores`, `rounding_limited`.
    """
    rows = []
    for identity, ranking in run.rankings():
        reached = run.reached(ranking)
        found = evaluate(run.signed(ranking), reached, higher_is_better=bool(reached.name == "accuracy"))
        facts = {
            "scored": int(ranking["score"].notna().sum()),
            "median_score": ranking["score"].median(),
            "rounding_limited": limited_scores(ranking),
        }
        rows.append(identity | asdict(found) | facts)
    return pd.DataFrame(rows)


SAME = 0.999
"""Metrics whose ranks correlate by more than this are one metric for all that a ranking can say."""


def common_rows(runs: Sequence[Evaluated], classes: pd.Series) -> list[dict[str, Any]]:
    """Correlate every ranking of the first draw among the networks that they share, for each data set.

    Args:
        runs: of one search space.
        classes: by network, a label for those that train alike.

    Returns:
        For each what identifies it; `common`, the number of the networks that all share which rank enough of them (see
        `epsinas.evaluation.coefficients.shared_networks`), 0 for a ranking without some of these; `spearman_common`,
        `kendall_common`; and `same_as`, the metrics whose Spearman's rho with this one is above SAME among them.
    """
    firsts: dict[str, list[tuple[dict[str, Any], pd.DataFrame]]] = {}
    for run in runs:
        first = run._replace(scores=run.scores[run.scores["draw"] == run.scores["draw"].min()])
        for identity, ranking in first.rankings():
            better = higher_better(run.reached(ranking))
            pair = pd.DataFrame({"score": run.signed(ranking).to_numpy(), "reached": better.to_numpy()})
            pair.index = pd.Index(ranking["index"])
            firsts.setdefault(identity["dataset"], []).append((identity, pair))
    return [row for rankings in firsts.values() for row in _among_shared(rankings, classes)]


def _among_shared(rankings: Sequence[tuple[dict[str, Any], pd.DataFrame]], classes: pd.Series) -> list[dict[str, Any]]:
    scores = pd.DataFrame({place: pair["score"] for place, (_, pair) in enumerate(rankings)})
    reached = pd.concat([pair["reached"] for _, pair in rankings])
    reached = reached[~reached.index.duplicated()].reindex(scores.index)
    shared = scores.loc[shared_networks(scores, reached, classes)].dropna(axis="columns")
    ranks = shared.loc[:, shared.nunique() > 1].rank()
    alike = ranks.corr() > SAME
    rows = []
    for place, (identity, _) in enumerate(rankings):
        own = shared[place] if place in shared else pd.Series(dtype=np.float64)
        found = evaluate(own, reached.loc[own.index]) if len(own) > 1 else None
        same: list[Any] = list(alike.index[alike[place]]) if place in alike else []
        names = [rankings[other][0]["metric"] for other in same]
        facts = {
            "common": len(own),
            "spearman_common": found.spearman_global if found else np.nan,
            "kendall_common": found.kendall_global if found else np.nan,
            "same_as": ", ".join(name for name in names if name != identity["metric"]),
        }
        rows.append(identity | facts)
    return rows


def evaluate_draws(
    runs: Sequence[Evaluated], resamples: int = 0, rng: np.random.Generator | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Evaluate runs on several random batches.

    Args:
        runs: of which the first draw of each is shown.
        resamples: of the networks, for intervals that say how far another sample of networks may land; 0 for none.
        rng: draws the resamples.

    Returns:
        Two tables: that of `with_intervals`, with the columns of `sample_interval` if there are resamples; and every
        draw by itself, as from `evaluate_table`.
    """
    draws = pd.concat([evaluate_table(run) for run in runs], ignore_index=True)
    # A metric's own columns may come later than another's.
    draws = draws[[*(name for name in draws if name not in _MEASURED), *_MEASURED]]
    table = with_intervals(draws)
    if resamples and rng is not None:
        intervals = sample_intervals(runs, resamples, rng)
        identity = [name for name in intervals if not str(name).endswith(("_sample_low", "_sample_high"))]
        table = table.merge(intervals, on=identity, validate="one_to_one")
    return table, draws


def sample_intervals(runs: Sequence[Evaluated], resamples: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return bootstrap intervals for the first draw of every run and setting, with what identifies it."""
    rows = []
    for run in runs:
        first = run._replace(scores=run.scores[run.scores["draw"] == run.scores["draw"].min()])
        for identity, ranking in first.rankings():
            rows.append(identity | sample_interval(run, ranking, resamples, rng))
    return pd.DataFrame(rows)


def sample_interval(
    run: Evaluated, ranking: pd.DataFrame, resamples: int, rng: np.random.Generator
) -> dict[str, float]:
    """Say how far another sample of networks may land, by `epsinas.evaluation.ranking.bootstrap`.

    Args:
        run: that the ranking is of.
        ranking: one of `Evaluated.rankings`.
        resamples: of the networks.
        rng: draws them.

    Returns:
        `{measure}_sample_low` and `{measure}_sample_high` of each of the six measures.
    """
    reached = run.reached(ranking)
    accurate = bool(reached.name == "accuracy")
    ends = bootstrap(run.signed(ranking), reached, resamples, rng, higher_is_better=accurate)
    return {f"{name}_sample_{end}": pair[at] for name, pair in ends.items() for at, end in enumerate(("low", "high"))}


def with_intervals(draws: pd.DataFrame) -> pd.DataFrame:
    """Show the first draw of every run, and where another random batch would land.

    Args:
        draws: rows of `evaluate_table`, which differ in `draw` or in another column that identifies a ranking.

    Returns:
        The rows with the lowest `draw` of each run, in the order of the argument, with the columns `{measure}_low`
        and `{measure}_high` of each of the six measures (see `prediction_interval`; empty where there is one draw) and
        `draws`, their number.
    """
    identity = [name for name in draws if name not in (*_MEASURED, "draw")]
    rows = []
    # Metrics that have no weights have none in these columns: they are groups like any other.
    for _, run in draws.groupby(identity, sort=False, dropna=False):
        shown = run.iloc[run["draw"].argmin()].to_dict()
        for name in SIX:
            shown[f"{name}_low"], shown[f"{name}_high"] = prediction_interval(run[name], bounds=RANGES[name])
        rows.append(shown | {"draws": run["draw"].nunique()})
    return pd.DataFrame(rows)
