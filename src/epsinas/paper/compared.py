"""What the pages of statistics are made of: scores of all metrics side by side, with what they are compared with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from epsinas.evaluation.coefficients import counts_of, fullest
from epsinas.evaluation.dependence import attenuation_ceiling
from epsinas.evaluation.performance import by_seed, higher_better, performance_of, trainings_of
from epsinas.paper.cells import printed_name
from epsinas.paper.style import metric_style
from epsinas.study.comparison import compared, comparison_request, whole_in_further_precisions
from epsinas.study.config import Section
from epsinas.study.page import Request, count_option
from epsinas.study.plan import TOGETHER, Plan, Run
from epsinas.study.results import Results

STATISTICS = {
    "description": "Intervals of rank correlations, and what depends on them; null for none of these pages.",
    "type": ["object", "null"],
    "additionalProperties": False,
    "default": {},
    "properties": {
        "resamples": count_option("Of classes of networks that train alike, for intervals.", 2000),
        "splits": count_option("Halvings of these classes, to choose on one half and evaluate on the other.", 20),
    },
}
"""What a section of a study says of the pages of statistics, as a JSON schema."""


@dataclass(frozen=True)
class Compared:
    """The metrics on the networks of a search space, for one data set.

    Attributes:
        space: name of the search space.
        dataset: name of the data set.
        scores: by network, a column for each metric, a higher score predicting a better network, NaN for none. A metric
            with several settings or in another precision than the first has these in the name of its column; of several
            sources of a metric's scores there is the one with the most networks.
        performance: by network, higher is better, NaN for those that were not trained.
        networks: by network, what `epsinas.study.networks.describe` says.
        reasons: by column of `scores`, by network, why there is no score; NaN for a network that was not tried.
        facts: by column of `scores`, `metric`, `setting`, `precision`, `origin` and `stand_in`.
        own: the columns of the study's own metrics in their first precision.
        ceiling: the most that a metric can correlate with the performance (`ceiling_of`), NaN where it is not known.
    """

    space: str
    dataset: str
    scores: pd.DataFrame
    performance: pd.Series
    networks: pd.DataFrame
    reasons: pd.DataFrame
    facts: dict[str, dict[str, Any]]
    own: list[str]
    ceiling: float

    @property
    def classes(self) -> pd.Series:
        """By network, the one that stands for all that train like it."""
        return self.networks["trained_as"]

    @property
    def counts(self) -> pd.DataFrame:
        """By network, what size it has: parameters, operations, convolutions and so on, those that the space counts."""
        return counts_of(self.networks, self.dataset)

    @property
    def populations(self) -> dict[str, pd.Series]:
        """By name, which networks belong to each population that is not the whole."""
        everything = pd.Series(True, self.networks.index)
        parts = {str(name): column for name, column in self.networks.select_dtypes(bool).items() if not column.all()}
        return {"all": everything} | parts

    def why_missing(self, name: str, networks: pd.Index) -> str:
        """Say for how many of these networks a metric, a column of `scores`, has no score for which reason."""
        missing = self.scores.loc[networks, name].isna()
        reasons = self.reasons.loc[networks, name][missing].fillna("not tried")
        return "; ".join(f"{count} {reason}" for reason, count in reasons.value_counts().items())

    def identified(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table by `metric`, which is a column of `scores`, with what identifies its rows."""
        facts = pd.DataFrame([self.facts[name] for name in table["metric"]], index=table.index)
        identity = pd.DataFrame({"space": self.space, "dataset": self.dataset}, index=table.index)
        return pd.concat([identity, facts, table.drop(columns="metric")], axis=1)


def statistics_request(
    plan: Plan, metrics: int = 1, asked: Callable[[Section], bool] = lambda section: True
) -> Request | None:
    """Return the request of every space that is asked for and has performances, statistics and so many metrics."""
    found = Request()
    for name, section in plan.sections.items():
        others = section["comparison"]["metrics"] if section["comparison"] else []
        enough = len(section.metrics) + len(others) >= metrics
        if section["performance"] and section["statistics"] is not None and enough and asked(section):
            data = (f"{name}.performance.parquet",)
            found |= Request(runs=tuple(plan.whole_runs(name)), networks=(name,), data=data)
            found |= comparison_request(plan, name)
    return found if found.networks else None


def compared_datasets(results: Results) -> Iterator[Compared]:
    """Yield what each data set of every requested search space has."""
    for space in results.request.networks:
        if results.section(space)["performance"]:
            yield from _compared_in(results, space)


def statistics_table(
    rows: Callable[[Compared, dict[str, Any], np.random.Generator], pd.DataFrame],
) -> Callable[[Results], pd.DataFrame]:
    """Return what makes a page's table of one function of a data set, the section's options and a generator."""

    def table(results: Results) -> pd.DataFrame:
        rng = results.rng()
        parts = [rows(one, results.section(one.space)["statistics"], rng) for one in compared_datasets(results)]
        return pd.concat(parts, ignore_index=True)

    return table


def without_origin(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of statistics as people read it: `statistics` and Table 1 say where scores come from."""
    return table.drop(columns=["origin", "stand_in"])


def _compared_in(results: Results, space: str) -> Iterator[Compared]:
    section, networks = results.section(space), results.networks(space).set_index("index", drop=False)
    first = section["precisions"][0]
    runs: list[Run] = [run for run in results.runs if run.space == space and run.metric != TOGETHER]
    found = [results.evaluated(run) for run in runs]
    found += whole_in_further_precisions(results, space) + compared(results, space)
    for dataset in section.datasets:
        columns: dict[str, pd.Series] = {}
        reasons: dict[str, pd.Series] = {}
        facts: dict[str, dict[str, Any]] = {}
        reached = performance_of(results.performance(space), dataset, **section["performance"])
        for run in found:
            if run.scores["dataset"].iloc[0] != dataset:
                continue
            settings = run.scores["setting"].unique()
            for identity, ranking in run.rankings():
                if identity["draw"] != run.scores["draw"].min():
                    continue
                setting = ranking["setting"].iloc[0] if len(settings) > 1 else ""
                precision = identity["precision"] if identity["precision"] != first else ""
                name = " ".join(filter(None, [run.metric.name, setting, precision]))
                own = ranking.set_index("index")
                scores = run.signed(own).reindex(networks.index)
                if scores.notna().sum() > (columns[name].notna().sum() if name in columns else 0):
                    columns[name] = scores
                    # What has neither a score nor a reason was not tried.
                    reasons[name] = own["reason"].where(own["score"].notna() | (own["reason"] != ""))
                    kept = {key: identity[key] for key in ("metric", "precision", "origin", "stand_in")}
                    facts[name] = kept | {"setting": setting}
        taken = _fullest(columns, networks["trained_as"])
        table = pd.DataFrame({name: columns[name] for name in taken}, networks.index)
        own_metrics = [name for name in section.metrics if name in taken]
        why = pd.DataFrame({name: reasons[name] for name in taken}, networks.index)
        ceiling = ceiling_of(results.performance(space), dataset, **section["performance"])
        performance = higher_better(reached).reindex(networks.index)
        yield Compared(space, dataset, table, performance, networks, why, facts, own_metrics, ceiling)


def ceiling_of(performance: pd.DataFrame, dataset: str, split: str, epochs: int) -> float:
    """Return the noise ceiling of a data set's performances, from its trainings with several seeds.

    The mean of Spearman's rho over pairs of seeds, as `attenuation_ceiling` takes it; NaN with fewer than two seeds.
    """
    seeds = by_seed(performance, dataset, split, epochs)
    if seeds.empty:
        return np.nan
    agreement = seeds.corr(method="spearman").to_numpy()[np.triu_indices(seeds.shape[1], 1)].mean()
    return float(attenuation_ceiling(agreement, trainings_of(seeds)))


def first_space(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table's first search space, with `label`: a metric's name, from whatever source."""
    own = table[table["space"] == table["space"].iloc[0]]
    first = own["precision"].iloc[0]
    parts = (
        [metric_style(printed_name(name)).label for name in own["metric"]],
        [_setting_text(setting) for setting in own["setting"]],
        own["precision"],
    )
    labels = [
        " ".join(filter(None, [label, setting, precision if precision != first else ""]))
        for label, setting, precision in zip(*parts, strict=True)
    ]
    return own.assign(label=labels)


def _setting_text(setting: Any) -> str:
    """Return a setting of a table that was read from a file, where numbers beside empty fields became fractions."""
    if pd.isna(setting):
        return ""
    return f"{setting:g}" if isinstance(setting, float) else str(setting)


def _fullest(columns: dict[str, pd.Series], classes: pd.Series) -> list[str]:
    """Return of every metric, as the paper calls it, the source that covers most (`fullest`)."""
    names = list(columns)
    parts = (name.partition(" ") for name in names)
    metrics = [(printed_name(metric), rest) for metric, _, rest in parts]
    return [names[position] for position in fullest(zip(metrics, columns.values(), strict=True), classes)]
