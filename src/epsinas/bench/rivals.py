"""The other metrics of a benchmark: everybody's scores that are inside the package."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from epsinas.evaluation.coefficients import counts_of, fullest
from epsinas.metrics.base import ALIASES, METRICS
from epsinas.sources import packaged

COUNTED = "counted"
"""The source of what is counted of a network rather than computed."""


class Rival(NamedTuple):
    """Another metric's scores.

    Attributes:
        name: a metric's, with its setting or precision where there are several.
        title: in print.
        source: who computed the scores.
        scores: float64 by the benchmark's index, higher for what is to be the better network, NaN for none.
    """

    name: str
    title: str
    source: str
    scores: pd.Series


def rivals(benchmark: str, dataset: str, networks: pd.DataFrame) -> list[Rival]:
    """Return the other metrics that have scores of a benchmark's networks on a data set.

    Counts, the scores of this project, and those of others; of a metric that several have, the scores that cover most
    (`epsinas.evaluation.coefficients.fullest`).

    Args:
        benchmark: its name.
        dataset: its name.
        networks: what `epsinas.sources.packaged.networks` returns.

    Example:
        >>> {one.name for one in rivals("nas-bench-101", "cifar10", packaged.networks("nas-bench-101"))} >= {
        ...     "parameters", "epsilon (single)", "epsilon (extended)", "expected_synflow", "naswot"
        ... }
        True
    """
    classes = networks.set_index("index")["trained_as"]
    found = [rival for rival in _all(benchmark, dataset, networks) if rival.scores.notna().any()]
    return [found[position] for position in fullest([(rival.name, rival.scores) for rival in found], classes)]


def _all(benchmark: str, dataset: str, networks: pd.DataFrame) -> Iterator[Rival]:
    counts = counts_of(networks.set_index("index"), dataset)
    for name in ("parameters", "flops", "convolutions"):
        if name in counts:
            yield Rival(name, METRICS[name].title, COUNTED, counts[name])
    stands = networks.set_index("index")["trained_as"]
    for kind, detail in (("constant-weight", "precision"), ("computed", "setting")):
        if f"{kind}-scores" not in packaged.kinds(benchmark):
            continue
        table = (packaged.computed_scores if kind == "computed" else packaged.constant_weight_scores)(benchmark)
        for (metric, setting), rows in _of(table, dataset).groupby(["metric", detail], sort=False):
            several = table.loc[table["metric"] == metric, detail].nunique() > 1
            scores = stands.map(rows.set_index("index")["score"])
            yield _rival(str(metric), str(setting) if several else "", "epsinas", scores)
    if "published-scores" in packaged.kinds(benchmark):
        table = packaged.published_scores(benchmark)
        for (metric, source), rows in _of(table, dataset).groupby(["metric", "source"], sort=False):
            scores = rows.set_index("index")["score"].reindex(stands.index)
            yield _rival(str(metric), "", str(source), scores)


def _of(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    return table[table["dataset"] == dataset]


def _rival(metric: str, detail: str, source: str, scores: pd.Series) -> Rival:
    """Turn a metric's scores as its definition says; those of metrics that are not ours are to be high."""
    name = ALIASES.get(metric, metric)
    title, sign = (METRICS[name].title, METRICS[name].sign) if name in METRICS else (name.replace("_", " "), 1)
    finite = sign * scores.where(np.isfinite(scores))
    suffix = f" ({detail})" if detail else ""
    return Rival(name + suffix, title + suffix, source, finite)
