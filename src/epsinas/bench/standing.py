"""What a metric of one's own is worth on a benchmark, and where it stands among the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from epsinas.bench.given import ABSENT, INFINITE, UNDEFINED, read_scores_by_network
from epsinas.bench.rivals import Rival, rivals
from epsinas.datasets.base import title as title_of
from epsinas.errors import InputError
from epsinas.evaluation.coefficients import (
    COMMON,
    FIRST,
    LAST,
    OWN,
    SHARING,
    coefficients,
    counts_of,
    differences,
    held_fixed,
    partial_coefficients,
    shared_networks,
)
from epsinas.evaluation.performance import MEASURES, higher_better, performance_of
from epsinas.evaluation.ranking import SIX, evaluate
from epsinas.evaluation.top import top_measures
from epsinas.sources import packaged
from epsinas.spaces.base import SPACES, space

FEWEST = 5
"""Networks with a score and a performance below which a ranking says nothing."""

YOURS = "yours"
"""What the metric is called that is ranked."""


@dataclass(frozen=True, repr=False)
class Standing:
    """What a metric is worth on a benchmark; printing it gives everything as text.

    In all tables a higher score is to predict a better network (lower ones were turned, and so were losses), `spearman`
    is rho and `kendall` tau-b, and `_low` and `_high` are the ends of 95 % intervals: of rho by resampling whole
    classes of networks that train alike, of tau by leaving out one class at a time.
    """

    benchmark: str
    """Its name."""
    dataset: str
    """Whose images or tokens the networks were trained on."""
    split: str
    """`valid` or `test`."""
    epochs: int
    """Of training."""
    measure: str
    """`accuracy` (percent) or `loss` (nats)."""
    higher_is_better: bool
    """Whether a higher score was to predict a better network, as it was given."""
    resamples: int
    """Of whole classes of networks."""
    seed: int
    """Of the resamples."""
    scores: pd.Series
    """The scores as they were given, by the benchmark's index, NaN for none."""
    sampled: bool
    """Whether the scores are of a sample, fewer than half of the networks: then all but `coverage` is over these."""
    elsewhere: int
    """Scores of networks of the search space that the package has no performance of."""
    coverage: pd.DataFrame
    """A row for each population: `population`, `networks` that were trained, `scored`, those without a score by reason
    (`absent`, `nan`, `infinite`), and `spearman` and `kendall` over those with one."""
    coefficients: pd.DataFrame
    """A row for each `coverage`: the `own` networks; all (of a sample: those that were given) with those without a
    score ranked `last`, or `first`; and `common`, the networks that most metrics share. `archs` is how many there
    are."""
    measures: pd.DataFrame
    """The six measures of `epsinas.evaluate` over the networks with a score: `measure`, `value`."""
    partial: pd.DataFrame
    """Partial Spearman's rho given the size of the networks: `given`, `spearman`."""
    counts: pd.DataFrame
    """Spearman's rho of the scores with what is counted of the networks: `count`, `spearman`."""
    top: pd.DataFrame
    """How good the top of the ranking is (`epsinas.evaluation.top.top_measures`): `measure`, its value over the
    networks with a score (`own`) and over all (of a sample: those that were given), the others ranked last (`all`),
    and that of chance (`random`)."""
    others: pd.DataFrame
    """A row for each other metric: `metric`, `title`, `source`, `scored`, `archs`, the networks that both are compared
    on, whether these are those that most metrics share (`common`), `place` among these, `spearman` of this metric and
    `spearman_other`, their `difference`, Steiger's `steiger_z` and `steiger_p`, and `between`, rho of the two."""
    place: int | None
    """The place of this metric among those on the common networks; None where it has too few of them."""

    def __str__(self) -> str:
        from epsinas.bench.text import as_text

        return as_text(self)

    def __repr__(self) -> str:
        return str(self)

    @property
    def title(self) -> str:
        """The benchmark and what the networks reach on it, in print."""
        split = "validation" if self.split == "valid" else self.split
        on = f"{SPACES[self.benchmark].title}, {title_of(self.dataset)}"
        return f"{on}, {split} {MEASURES[self.measure]} after {self.epochs} epochs"


def rank(
    scores: Any,
    benchmark: str = "nas-bench-201",
    dataset: str | None = None,
    *,
    split: str | None = None,
    epochs: int | None = None,
    higher_is_better: bool = True,
    resamples: int = 2000,
    seed: int = 0,
) -> Standing:
    """Evaluate a metric of one's own on a benchmark, and compare it with the others.

    Needs no download and no workflow: accuracies and the other metrics' scores are inside the package. NAS-Bench-201
    and 2,000 resamples take some seconds.

    Args:
        scores: the path of a CSV file, or a data frame, with the columns `architecture` and `score`; or a mapping or
            series of scores by architecture. Architectures are strings of the benchmark or its indices; of
            NAS-Bench-201 also NASLib's six numbers, of NAS-Bench-101 also the benchmark's hashes. NaN, infinite and
            missing scores count as none.
        benchmark: `nas-bench-201`, `nas-bench-101` or `nas-bench-nlp`.
        dataset: such as `cifar10` or `ptb`; the benchmark's first where it is not given.
        split: `valid` or `test`; test where there is one.
        epochs: of training; the most that there are.
        higher_is_better: whether a higher score is to predict a better network.
        resamples: of whole classes of networks that train alike, for the intervals, 0 or more.
        seed: of the resamples.

    Returns:
        Data frames, and a text where it is printed.

    Raises:
        InputError: the benchmark has no such performances, an architecture or score is wrong (the message names its
            line), fewer than five networks have a score, or all have the same.

    Example:
        The number of parameters as a metric, of every 25th network.

        >>> from epsinas.sources.packaged import networks
        >>> table = networks("nas-bench-201").iloc[::25]
        >>> found = rank(dict(zip(table["architecture"], table["parameters"])), resamples=100)
        >>> found.coverage[["population", "networks", "scored"]].head(2).to_numpy().tolist()
        [['all', 15625, 625], ['connected', 15284, 611]]
    """
    if resamples < 0:
        raise InputError(f"resamples: found {resamples}, expected 0 or more")
    target = _target(benchmark, dataset, split, epochs)
    known = packaged.networks(benchmark)
    given = read_scores_by_network(scores, space(benchmark), known)
    reached = performance_of(packaged.performance(benchmark), **target).reindex(given.scores.index)
    measure = str(reached.name)
    ranked = _Ranked(
        given.scores if higher_is_better else -given.scores,
        given.reasons,
        higher_better(reached),
        known.set_index("index"),
        resamples,
        seed,
    )
    ranked.check()
    # The half of the training images that `cifar10-valid` leaves out changes no inputs.
    inputs = target["dataset"].removesuffix("-valid")
    compared = {rival.name: rival for rival in rivals(benchmark, inputs, known)}
    everyone = pd.DataFrame({YOURS: ranked.scores} | {name: rival.scores for name, rival in compared.items()})
    # Most of the time is spent on resamples, which do not hold the interpreter.
    with ThreadPoolExecutor() as pool:
        differing = pool.submit(ranked.compared, everyone)
        sized = pool.submit(ranked.beside, counts_of(known.set_index("index"), inputs))
        coverage = pool.submit(ranked.by_population)
        whole = pool.submit(ranked.coefficients, everyone)
    partial, counts = sized.result()
    others, place = _placed(differing.result(), compared)
    return Standing(
        benchmark=benchmark,
        **target,
        measure=measure,
        higher_is_better=higher_is_better,
        resamples=resamples,
        seed=seed,
        scores=given.scores,
        sampled=ranked.sampled,
        elsewhere=given.elsewhere,
        coverage=coverage.result(),
        coefficients=whole.result(),
        measures=ranked.six(),
        partial=partial,
        counts=counts,
        top=ranked.top(),
        others=others,
        place=place,
    )


@dataclass(frozen=True)
class _Ranked:
    """Scores, why there are none, and performances by network, both higher for the better ones; what is known of the
    networks; resamples."""

    scores: pd.Series
    reasons: pd.Series
    reached: pd.Series
    facts: pd.DataFrame
    resamples: int
    seed: int

    def check(self) -> None:
        """Check that there is something to rank."""
        known = self.scores[self.scores.notna() & self.reached.notna()]
        if len(known) < FEWEST:
            given = f"{self.scores.notna().sum()} networks with a score, {len(known)} of them trained"
            raise InputError(f"scores: found {given}, expected at least {FEWEST}")
        if known.nunique() == 1:
            raise InputError(f"scores: found {known.iloc[0]:g} for all {len(known)} networks, expected different ones")
        if self.reached[known.index].nunique() == 1:
            raise InputError(f"scores: found {len(known)} networks that perform alike, expected some that do not")

    @property
    def sampled(self) -> bool:
        """Whether fewer than half of the networks were given, so that the others were hardly left out for a reason."""
        return bool((self.reasons[self.reached.notna()] != ABSENT).mean() < SHARING)

    @property
    def performance(self) -> pd.Series:
        """What the networks reach, NaN for those that a sample does not have."""
        return self.reached.where(self.reasons != ABSENT) if self.sampled else self.reached

    def _with(self, scores: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
        return scores, self.performance, self.facts["trained_as"]

    def _resampling(self) -> tuple[int, np.random.Generator]:
        """The same resamples for every table."""
        return self.resamples, np.random.default_rng(self.seed)

    def _correlated(self, members: Any, coverages: Sequence[str] = (OWN,)) -> pd.DataFrame:
        table = pd.DataFrame({YOURS: self.scores})[members]
        return coefficients(*self._with(table), *self._resampling(), coverages)

    def coefficients(self, everyone: pd.DataFrame) -> pd.DataFrame:
        """Return `Standing.coefficients`."""
        found = self._correlated(slice(None), (OWN, LAST, FIRST))
        shared = shared_networks(*self._with(everyone))
        if len(shared) and self.scores[shared].notna().all():
            common = self._correlated(self.scores.index.isin(shared)).assign(coverage=COMMON)
            found = pd.concat([found, common], ignore_index=True)
        return found.drop(columns="metric")

    def by_population(self) -> pd.DataFrame:
        """Return `Standing.coverage`."""
        trained = self.reached.notna()
        sets = {"all": trained} | {
            name: trained & column for name, column in self.facts.items() if column.dtype == bool
        }
        sets["distinct"] = trained & (self.facts["trained_as"] == self.facts.index)
        rows = []
        for population, members in sets.items():
            if population != "all" and members.sum() == trained.sum():
                continue
            counted = self.reasons[members].value_counts()
            row = {"population": population, "networks": int(members.sum()), "scored": int(counted.get("", 0))}
            row |= {reason: int(counted.get(reason, 0)) for reason in (ABSENT, UNDEFINED, INFINITE)}
            found = self._correlated(members).iloc[0] if row["scored"] else pd.Series(dtype=np.float64)
            rows.append(row | found.reindex(_COEFFICIENTS).to_dict())
        return pd.DataFrame(rows)

    def beside(self, counts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return `Standing.partial` and `Standing.counts`."""
        given = held_fixed(counts)
        table = pd.DataFrame({YOURS: self.scores})
        row = partial_coefficients(*self._with(table), counts, given, *self._resampling()).iloc[0]

        def long(column: str, prefix: str, names: Iterable[str]) -> pd.DataFrame:
            ends = {name: [row[f"{prefix}_{name}{end}"] for end in ("", "_low", "_high")] for name in names}
            table = pd.DataFrame.from_dict(ends, orient="index", columns=["spearman", "spearman_low", "spearman_high"])
            return table.rename_axis(column).reset_index()

        return long("given", "given", given), long("count", "with", map(str, counts))

    def six(self) -> pd.DataFrame:
        """Return `Standing.measures`."""
        found = evaluate(self.scores, self.reached)
        return pd.DataFrame({"measure": SIX, "value": [getattr(found, name) for name in SIX]})

    def top(self) -> pd.DataFrame:
        """Return `Standing.top`; of equal scores the measures are those of an order by chance."""
        reached = self.performance.dropna()
        scores = self.scores[reached.index]
        known = scores.dropna()
        columns = {
            "own": top_measures(known, reached[known.index]),
            "all": top_measures(scores.fillna(known.min() - 1), reached),
            "random": top_measures(np.zeros(len(reached)), reached) | {"weighted_kendall": 0.0},
        }
        return pd.DataFrame(columns).rename_axis("measure").reset_index()

    def compared(self, everyone: pd.DataFrame) -> pd.DataFrame:
        """Return the differences to all others: to those of wide coverage on what they share, to the rest in pairs."""
        return differences(*self._with(everyone), [YOURS], *self._resampling()).drop(columns="metric")


_COEFFICIENTS = [f"{name}{end}" for name in ("spearman", "kendall") for end in ("", "_low", "_high")]


def _target(benchmark: str, dataset: str | None, split: str | None, epochs: int | None) -> dict[str, Any]:
    """Return which performances of a benchmark are meant, by default the first data set's after the whole training."""
    holdings = packaged.holdings(benchmark)
    if holdings is None:
        known = ", ".join(name for name in SPACES.names if packaged.holdings(name))
        raise InputError(f"benchmark: found {benchmark!r}, expected one of {known}")
    left = holdings.performance
    target: dict[str, Any] = {}
    for field, wanted in (("dataset", dataset), ("split", split), ("epochs", epochs)):
        options = list(dict.fromkeys(getattr(one, field) for one in left))
        preferred = {
            "dataset": options[0],
            "split": "test" if "test" in options else options[0],
            "epochs": max(options),
        }
        target[field] = preferred[field] if wanted is None else wanted
        left = tuple(one for one in left if getattr(one, field) == target[field])
        if not left:
            so_far = ", ".join([benchmark, *(str(target[name]) for name in list(target)[:-1])])
            raise InputError(f"{field}: found {wanted!r}, expected for {so_far}: {', '.join(map(str, options))}")
    return target


def _placed(others: pd.DataFrame, by_name: Mapping[str, Rival]) -> tuple[pd.DataFrame, int | None]:
    """Return `Standing.others`, the common networks' metrics first and by place, and the place of the one ranked."""
    known = [by_name[name] for name in others["other"]]
    table = pd.DataFrame(
        {
            "metric": others["other"],
            "title": [rival.title for rival in known],
            "source": [rival.source for rival in known],
            "scored": [int(rival.scores.count()) for rival in known],
        }
    ).join(others.drop(columns="other"))
    common, better = table["common"].astype(bool), table["spearman_other"] > table["spearman"]
    places = table["spearman_other"].where(common).rank(ascending=False, method="min")
    # Those that are not better stand behind the one that is ranked.
    table.insert(4, "place", (places + ~better).astype("Int64"))
    table = table.sort_values(["common", "spearman_other"], ascending=False, ignore_index=True)
    placed = common.any() and table["spearman"][table["common"]].notna().all()
    return table, 1 + int((common & better).sum()) if placed else None
