"""Rank correlations of many metrics with trained performance: on which networks, how sure, and beside what.

Everything here takes tables by network: `scores`, a column for each metric, a higher score predicting a better network
and NaN where there is none; `performance`, higher is better, NaN where a network was not trained; and `classes`, a
label for each network that those have in common that train alike, by which networks are resampled and left out.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epsinas.evaluation.dependence import partial_correlation, steiger
from epsinas.evaluation.intervals import percentile_interval

OWN, COMMON, LAST, FIRST = "own", "common", "last", "first"
"""The networks that a coefficient is over: those with a score, those that the metrics share, or all networks, those
without a score ranked below or above all others."""

COVERAGES = (OWN, COMMON, LAST, FIRST)

FEWEST = 10
"""Networks that train differently below which a correlation says nothing."""

SHARING = 0.5
"""Share of the classes of networks that a metric must score to have a say in which networks the metrics share."""


def shared_networks(scores: pd.DataFrame, performance: pd.Series, classes: pd.Series) -> pd.Index:
    """Return the networks that the metrics share: those with a performance and a score by each.

    Metrics that score fewer than SHARING of the classes of networks that train alike have no say, or there would be
    none left to compare the others on. (A fifth of NAS-Bench-201's 5,260 classes are half of its networks.)

    Example:
        >>> scores = pd.DataFrame({"a": [1, 2, np.nan, 4], "b": [1, 2, 3, 4], "rare": [1, 1, np.nan, np.nan]})
        >>> shared_networks(scores, pd.Series([90.0, 91.0, 92.0, 93.0]), pd.Series([0, 0, 1, 2])).tolist()
        [0, 1, 3]
    """
    known = scores[performance.reindex(scores.index).notna()]
    wide = known.loc[:, _share_of_classes(known, classes) >= SHARING]
    return wide.index[wide.notna().all(axis=1)] if wide.shape[1] else wide.index[:0]


def fullest(sources: Iterable[tuple[Hashable, pd.Series]], classes: pd.Series) -> list[int]:
    """Return the position of the source to take of each metric, where several have scores of one; the first of equals.

    It is one that scores SHARING of the classes, if there is one, for only such metrics have a say in what the metrics
    share (`shared_networks`); among these, or where there is none, the one that scores most networks.

    Args:
        sources: a metric and scores of it by network.
        classes: see above.

    Example:
        >>> classes = pd.Series([0, 0, 0, 1, 2])
        >>> few_classes, few_networks = pd.Series([1, 2, 3, np.nan, np.nan]), pd.Series([1, np.nan, np.nan, 1, np.nan])
        >>> fullest([("a", few_classes), ("b", few_networks), ("a", few_networks)], classes)
        [2, 1]
    """
    best: dict[Hashable, int] = {}
    extents: list[tuple[bool, int]] = []
    for position, (metric, scores) in enumerate(sources):
        (share,) = _share_of_classes(scores.to_frame(), classes)
        extents.append((bool(share >= SHARING), int(scores.count())))
        if metric not in best or extents[position] > extents[best[metric]]:
            best[metric] = position
    return list(best.values())


def _share_of_classes(scores: pd.DataFrame, classes: pd.Series) -> pd.Series:
    """Return, for each column, the share of the classes of the networks with a score for some member."""
    return scores.notna().groupby(classes.loc[scores.index]).any().mean()


def coefficients(
    scores: pd.DataFrame,
    performance: pd.Series,
    classes: pd.Series,
    resamples: int,
    rng: np.random.Generator,
    coverages: Sequence[str] = COVERAGES,
    tried: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Correlate every metric with the performance, on its own coverage, the common one, and all networks.

    Args:
        scores: see above.
        performance: see above.
        classes: see above.
        resamples: of whole classes, for the intervals of rho (`resampled_correlations`); those of tau are by the
            jackknife (`kendall_jackknife`).
        rng: source of randomness.
        coverages: those of COVERAGES that are wanted.
        tried: a column for each metric, which networks it was tried on; all where it is None.

    Returns:
        A row for each metric and coverage: `metric`, `coverage`, `networks` with a
        performance, `scored`, how many of them have a score, `archs`, how many the coefficients are over, `spearman`
        and `kendall` with their 95 % intervals in `_low` and `_high`. No row on the common networks for a metric
        without some of them.

    Example:
        >>> scores = pd.DataFrame({"a": [1.0, 2.0, 3.0, np.nan]})
        >>> accuracy = pd.Series([1.0, 2.0, 3.0, 4.0])
        >>> table = coefficients(scores, accuracy, pd.Series(range(4)), 10, np.random.default_rng(0))
        >>> table.set_index("coverage")["spearman"].round(3).to_dict()
        {'own': 1.0, 'common': 1.0, 'last': -0.2, 'first': 1.0}
    """
    scores, performance = _trained(scores, performance)
    rows: list[dict[str, Any]] = []
    groups = [(OWN, columns) for columns in _by_coverage(scores)]
    if COMMON in coverages:
        groups.append((COMMON, scores.loc[shared_networks(scores, performance, classes)].dropna(axis="columns")))
    given = (
        pd.DataFrame(True, scores.index, scores.columns) if tried is None else tried.loc[scores.index, scores.columns]
    )
    missing = scores.loc[:, scores.isna().any() & scores.notna().any() & given.all()]
    # All of one kind of coverage at once: what takes the time is the resamples.
    groups += [(LAST, missing.fillna(missing.min() - 1)), (FIRST, missing.fillna(missing.max() + 1))]
    full = scores.columns[scores.notna().all()]
    for coverage, columns in groups:
        if coverage in coverages:
            found = _correlated(columns, performance, classes, resamples, rng)
            rows += [{"coverage": coverage} | row for row in found]
    # Where every network has a score, there is nothing to rank last or first.
    whole = [row for row in rows if row["metric"] in full and row["coverage"] == OWN]
    table = pd.DataFrame(
        rows + [row | {"coverage": kind} for row in whole for kind in coverages if kind in (LAST, FIRST)]
    )
    table.insert(2, "networks", table["metric"].map(given.sum()))
    table.insert(3, "scored", table["metric"].map(scores.notna().sum()))
    order = {name: place for place, name in enumerate([*scores.columns, *COVERAGES])}
    return table.sort_values(["metric", "coverage"], key=lambda column: column.map(order), ignore_index=True)


def _trained(scores: pd.DataFrame, performance: pd.Series) -> tuple[pd.DataFrame, pd.Series]:
    reached = performance.reindex(scores.index)
    return scores[reached.notna()], reached.dropna()


def _by_coverage(scores: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the metrics that score the same networks together, on these networks."""
    groups: dict[bytes, list[Any]] = {}
    for name in scores:
        groups.setdefault(scores[name].notna().to_numpy().tobytes(), []).append(name)
    for names in groups.values():
        yield scores[names].dropna()


def _correlated(
    columns: pd.DataFrame, performance: pd.Series, classes: pd.Series, resamples: int, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    from epsinas.evaluation.kendall import kendall_jackknife

    if columns.empty:
        return
    reached = performance.loc[columns.index]
    found = _resampled(columns.assign(performance=reached), classes, resamples, rng, last=1)
    for name, rho in zip(columns, found[:, 0].T, strict=False):
        tau, low, high = kendall_jackknife(columns[name], reached, classes.loc[columns.index])
        kendall = {"kendall": tau, "kendall_low": low, "kendall_high": high}
        yield {"metric": name, "archs": len(columns)} | with_interval("spearman", rho) | kendall


def with_interval(name: str, values: NDArray[np.float64]) -> dict[str, float]:
    """Return the first of some values, that of the sample, and the 95 % interval of the others, those of resamples.

    Example:
        >>> with_interval("spearman", np.array([0.5, 0.4, 0.6]))
        {'spearman': 0.5, 'spearman_low': 0.405, 'spearman_high': 0.595}
    """
    low, high = percentile_interval(values[1:])
    return {name: float(values[0]), f"{name}_low": low, f"{name}_high": high}


COUNTS = ("parameters", "flops", "convolutions", "layers", "depth", "relus", "skips")
"""What may be counted of a network; see `epsinas.study.networks.describe`."""

_HELD = {name: [name] for name in ("parameters", "flops")} | {"parameters_and_flops": ["parameters", "flops"]}


def counts_of(networks: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Return what is counted of each network for a data set, float64, a column for each of COUNTS that there is.

    Args:
        networks: by network, what `epsinas.study.networks.describe` says.
        dataset: for whose inputs operations are counted.

    Example:
        >>> list(counts_of(pd.DataFrame({"flops_ptb": [8], "layers": [2], "connected": [True]}), "ptb"))
        ['flops', 'layers']
    """
    table = networks.rename(columns={f"flops_{dataset}": "flops"})
    return table[[name for name in COUNTS if name in table]].astype(np.float64)


def held_fixed(counts: pd.DataFrame) -> dict[str, list[str]]:
    """Return which counts partial correlations hold fixed, by name: convolutions, or layers where there are none.

    Example:
        >>> list(held_fixed(pd.DataFrame(columns=["parameters", "flops", "layers"])))
        ['parameters', 'flops', 'parameters_and_flops', 'layers']
    """
    last = "convolutions" if "convolutions" in counts else "layers"
    return {name: held for name, held in (_HELD | {last: [last]}).items() if set(held) <= set(counts)}


def partial_coefficients(
    scores: pd.DataFrame,
    performance: pd.Series,
    classes: pd.Series,
    counts: pd.DataFrame,
    given: Mapping[str, Sequence[str]],
    resamples: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Correlate every metric with the performance given the size of the networks, and with the sizes themselves.

    Args:
        scores: see above.
        performance: see above.
        classes: see above.
        counts: what is counted of each network, a column for each count, none missing.
        given: the counts that are held fixed, by the name of the result.
        resamples: of whole classes.
        rng: source of randomness.

    Returns:
        A row for each metric on its own coverage: `metric`, `archs`, `spearman`; for each name in `given`, partial
        Spearman's rho `given_{name}` (see `partial_correlation`); for each count, `with_{count}`, rho of the metric
        with it; all but `spearman` with their 95 % intervals in `_low` and `_high`. NaN where the counts determine the
        metric.
    """
    scores, performance = _trained(scores, performance)
    sizes = counts.add_prefix("with_")  # there may be metrics of the same names
    rows: dict[Any, dict[str, Any]] = {}
    for columns in _by_coverage(scores):
        if columns.empty:
            continue
        table = columns.join(sizes).assign(performance=performance)
        # Rows of the sizes and the performance, which every metric is taken together with.
        last = sizes.shape[1] + 1
        found = _resampled(table, classes, resamples, rng, last=last)
        place = {name: number for number, name in enumerate([*sizes, "performance"])}
        reached = place["performance"]
        for number, metric in enumerate(columns):
            rho = found[:, :, number]
            row = {"metric": metric, "archs": len(columns), "spearman": float(rho[0, reached])}
            matrices = np.block([[found[:, :, -last:], rho[:, :, None]], [rho[:, None], np.ones((len(rho), 1, 1))]])
            for name, fixed in given.items():
                partial = partial_correlation(matrices, last, reached, [place[f"with_{count}"] for count in fixed])
                row |= with_interval(f"given_{name}", partial)
            for size in sizes:
                row |= with_interval(str(size), rho[:, place[size]])
            rows[metric] = row
    return pd.DataFrame([rows[name] for name in scores if name in rows])


def _resampled(
    table: pd.DataFrame, classes: pd.Series, resamples: int, rng: np.random.Generator, last: int | None = None
) -> NDArray[np.float64]:
    """Return `resampled_correlations` of the columns of a table by network."""
    from epsinas.evaluation.resampling import resampled_correlations

    columns, labels = table.to_numpy(np.float64).T, classes.loc[table.index].to_numpy()
    return resampled_correlations(columns, labels, resamples, rng, last=last)


def differences(
    scores: pd.DataFrame,
    performance: pd.Series,
    classes: pd.Series,
    subjects: Sequence[str],
    resamples: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Compare the rank correlations of some metrics with those of all others, on the networks that they share.

    Both coefficients are taken in the same resamples, so that the interval is of the difference itself.

    Args:
        scores: see above.
        performance: see above.
        classes: see above.
        subjects: the metrics that are compared with the others.
        resamples: of whole classes.
        rng: source of randomness.

    Returns:
        A row for each of the `subjects` and each other metric: `metric`, `other`, `archs`, `spearman`,
        `spearman_other`, `difference` of the two with its 95 % interval, `steiger_z` and `steiger_p` (see `steiger`,
        over networks as if they were independent), and `between`, rho of the two metrics. Metrics that score fewer than
        SHARING of the classes are compared on what the two of them share, without `common`.
    """
    scores, performance = _trained(scores, performance)
    shared = shared_networks(scores, performance, classes)
    common = set(scores.columns[scores.loc[shared].notna().all()])
    pairs = [(subject, other) for subject in subjects for other in map(str, scores) if subject != other]
    # Pairs over the same networks have the same resamples, and each of their metrics is ranked once.
    groups: dict[bytes, list[tuple[str, str]]] = {}
    for pair in pairs:
        own = scores[list(pair)].notna().all(axis=1).to_numpy()
        groups.setdefault((scores.index.isin(shared) if set(pair) <= common else own).tobytes(), []).append(pair)
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for over, group in groups.items():
        names = dict.fromkeys(name for pair in group for name in pair)
        columns = scores.loc[np.frombuffer(over, np.bool_), list(names)]
        for row in _differences(group, columns, performance, classes, resamples, rng):
            pair = row["metric"], row["other"]
            rows[pair] = row | {"common": set(pair) <= common}
    found = [rows[pair] for pair in pairs if pair in rows]
    return pd.DataFrame(found, columns=_DIFFERENCES)


_DIFFERENCES = ["metric", "other", "common", "archs", "spearman", "spearman_other"]
_DIFFERENCES += ["difference", "difference_low", "difference_high", "steiger_z", "steiger_p", "between"]


def _differences(
    pairs: Sequence[tuple[str, str]],
    scores: pd.DataFrame,
    performance: pd.Series,
    classes: pd.Series,
    resamples: int,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    if len(scores) < 2:
        return []
    table = scores.assign(performance=performance.loc[scores.index])
    found = _resampled(table, classes, resamples, rng, last=1)[:, 0]
    (among,) = _resampled(scores, classes, 0, rng)
    place = {name: number for number, name in enumerate(scores)}
    rows = []
    for pair in pairs:
        one, other = (place[name] for name in pair)
        first, second, between = float(found[0, one]), float(found[0, other]), float(among[one, other])
        z, p = steiger(first, second, between, len(scores))
        row = {"metric": pair[0], "other": pair[1], "archs": len(scores), "spearman": first, "spearman_other": second}
        row |= with_interval("difference", found[:, one] - found[:, other])
        rows.append(row | {"steiger_z": z, "steiger_p": p, "between": between})
    return rows


def convergence(
    scores: pd.DataFrame,
    performance: pd.Series,
    sizes: Sequence[int],
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Say how far rho on a sample of networks may be from rho on all of them.

    Args:
        scores: see above.
        performance: see above.
        sizes: numbers of networks to draw, without replacement, from those with a score.
        draws: samples of each size.
        rng: source of randomness.

    Returns:
        A row for each metric and each of the `sizes` below its coverage, and one for its whole coverage: `metric`,
        `archs`, and the mean `spearman` with the interval that 95 % of the samples fall into.
    """
    scores, performance = _trained(scores, performance)
    rows = []
    for name in scores:
        own = scores[name].dropna()
        pair = np.stack([own.to_numpy(np.float64), performance.loc[own.index]])
        for size in [size for size in sizes if size < len(own)]:
            found = _spearman(np.stack([pair[:, rng.choice(len(own), size, replace=False)] for _ in range(draws)]))
            rows.append(
                {"metric": name, "archs": size} | with_interval("spearman", np.append(np.nanmean(found), found))
            )
        rows.append({"metric": name, "archs": len(own), "spearman": float(_spearman(pair))})
    return pd.DataFrame(rows)


def _spearman(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rho of each pair of columns, (..., 2, networks); NaN where one is constant."""
    from scipy import stats

    ranks = stats.rankdata(pairs, axis=-1) - (pairs.shape[-1] + 1) / 2
    products = ranks @ ranks.swapaxes(-1, -2)
    with np.errstate(invalid="ignore"):
        return products[..., 0, 1] / np.sqrt(products[..., 0, 0] * products[..., 1, 1])
