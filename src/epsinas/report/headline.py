"""What a study found, in a few sentences: whether the metric ranks networks, how well, which ones, and at what cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from epsinas.datasets.base import title as title_of
from epsinas.metrics.base import METRICS, REASONS, metric_title
from epsinas.paper.cells import Row, printed_name
from epsinas.paper.ranking import comparing_tables
from epsinas.spaces.base import SPACES
from epsinas.study.page import PAGES
from epsinas.study.plan import Plan

Tables = Mapping[str, pd.DataFrame]
"""The tables of a run by the names of their pages."""


@dataclass(frozen=True)
class Headline:
    """What comes first.

    Attributes:
        sentences: two for each search space: what the metric does, and what that is to be compared with.
        rankings: see `rankings`.
        differences: in what the run differs from the paper's, and from one on real data and all networks.
    """

    sentences: tuple[tuple[str, str], ...]
    rankings: pd.DataFrame
    differences: tuple[str, ...]


def headline(plan: Plan, tables: Tables, measures: Mapping[str, str]) -> Headline:
    """Say what a study found.

    Args:
        plan: of the study.
        tables: that it made.
        measures: by search space, what its performances are, `accuracy` or `loss`.
    """
    found = rankings(plan, tables, measures)
    sentences = [
        _found(rows.to_dict("records"), measures.get(str(space), ""))
        for space, rows in found.groupby("space", sort=False)
    ]
    return Headline(tuple(sentences), found, tuple(_differences(plan, tables)))


def rankings(plan: Plan, tables: Tables, measures: Mapping[str, str]) -> pd.DataFrame:
    """Return how well the first metric of each search space ranks its networks, beside what it is to be compared with.

    Args:
        plan: of the study.
        tables: that it made.
        measures: by search space, `accuracy` or `loss`; a higher rho is better everywhere.

    Returns:
        For each search space, data set and precision `metric`, `networks` tried, `scored`, how many have none for each
        of REASONS, `spearman` with its interval and `spearman_last` and `spearman_first`, over all networks with those
        without a score there; `common` networks and `spearman_common`; on these `baseline` and `best`, the highest of
        what networks' descriptions count and of the other metrics, with their `spearman` and the paired `difference`
        to it; `ceiling`, and `milliseconds` a network. Empty where the run does not have it.
    """
    rows = []
    for costs in tables["coverage"].to_dict("records"):
        if costs["metric"] != next(iter(plan.sections[str(costs["space"])].metrics)):
            continue
        names = ("space", "dataset", "metric", "precision", "networks", "scored", *REASONS)
        row = {name: costs[name] for name in names}
        sign = -1 if measures.get(str(costs["space"])) == "loss" else 1
        rows.append(row | _ranked(tables, costs, sign) | {"milliseconds": costs["milliseconds"]})
    return pd.DataFrame(rows).reindex(columns=_RANKINGS)


_RANKINGS = ["space", "dataset", "metric", "precision", "networks", "scored", *REASONS]
_RANKINGS += [f"spearman{name}" for name in ("", "_low", "_high", "_last", "_first")]
_RANKINGS += ["common", *(f"spearman_common{end}" for end in ("", "_low", "_high"))]
_RANKINGS += [f"{kind}{name}" for kind in ("baseline", "best") for name in ("", "_spearman", "_difference")]
_RANKINGS += ["ceiling", "milliseconds"]


def _ranked(tables: Tables, costs: Row, sign: int) -> dict[str, Any]:
    """Return what the statistics say of a metric, and of those beside it."""
    table = tables.get("statistics")
    if table is None:
        return _ranked_alone(tables, costs, sign)
    kept = (table["space"] == costs["space"]) & (table["dataset"] == costs["dataset"]) & (table["population"] == "all")
    beside = table[kept]
    own = beside[(beside["metric"] == costs["metric"]) & (beside["precision"] == costs["precision"])]
    own = own.drop_duplicates("coverage").set_index("coverage")
    if "own" not in own.index:
        return {}
    first = own.loc["own"]
    # The package may have more scores than the run itself computed.
    row = {name: first[name] for name in ("networks", "scored", "spearman", "spearman_low", "spearman_high", "ceiling")}
    row |= {f"spearman_{kind}": own.loc[kind, "spearman"] for kind in ("last", "first") if kind in own.index}
    others = beside[(beside["metric"] != costs["metric"]) & (beside["coverage"] == "common")]
    if "common" in own.index and len(others):
        common = own.loc["common"]
        row |= {f"spearman_common{end}": common[f"spearman{end}"] for end in ("", "_low", "_high")}
        row["common"] = common["archs"]
        counted = others["metric"].map(_is_counted)
        for kind, among in (("baseline", others[counted]), ("best", others[~counted])):
            if len(among):
                top = among.loc[among["spearman"].idxmax()]
                row |= {kind: metric_title(top["metric"]), f"{kind}_spearman": top["spearman"]}
                row |= _difference(tables, costs, kind, top["metric"])
    return row


def _ranked_alone(tables: Tables, costs: Row, sign: int) -> dict[str, Any]:
    """Return what the paper's tables say of a metric, for a study without statistics."""
    same = {name: costs[name] for name in ("space", "dataset", "metric", "precision")}
    for name, table in tables.items():
        if name in PAGES and PAGES[name].table is comparing_tables:
            own = table[(table[list(same)] == pd.Series(same)).all(axis=1)]
            if len(own):
                return {"spearman": sign * own["spearman_global"].iloc[0]}
    return {}


def _difference(tables: Tables, costs: Row, kind: str, other: str) -> dict[str, Any]:
    """Return how much higher a metric's rho is than another's, with the paired interval, as text."""
    table = tables.get("differences")
    if table is None:
        return {}
    same = {name: costs[name] for name in ("space", "dataset", "metric", "precision")} | {"other": other}
    found = table[(table[list(same)] == pd.Series(same)).all(axis=1)]
    if found.empty:
        return {}
    first = found.iloc[0]
    numbers = (signed(first[f"difference{end}"]) for end in ("", "_low", "_high"))
    return {f"{kind}_difference": "{} [{}, {}]".format(*numbers)}


def signed(number: float) -> str:
    """Return a number with two decimals and the sign of print.

    Example:
        >>> signed(-0.123)
        '−0.12'
    """
    return f"{number:.2f}".replace("-", "−")


def _is_counted(metric: str) -> bool:
    """Say whether a metric costs nothing, which any other must be better than."""
    name = printed_name(metric)
    return name in METRICS and METRICS[name].cost == "nothing"


ENOUGH = 100
"""Fewer common networks than this say nothing of the order of metrics."""


def _found(rows: Sequence[Row], measure: str) -> tuple[str, str]:
    """Say what a metric does on the first data set of a search space, and what that is to be compared with."""
    first = rows[0]
    name, place, dataset = metric_title(first["metric"]), SPACES[first["space"]].title, title_of(first["dataset"])
    share = f"{percent(first['scored'] / first['networks'])} of the {first['networks']:,} networks"
    lead = f"On {place}, {name} scores {share}"
    known = np.isfinite(first.get("spearman", np.nan))
    if known:
        lead += f", and ranks these by their {measure} on {dataset} with Spearman's ρ {first['spearman']:.2f}"
    more = []
    why = [f"{text} ({first[reason]:,})" for reason, text in _WHY.items() if first[reason]]
    if why:
        more.append(f"The others have no score: {', '.join(why)}.")
    if np.isfinite(first["spearman_last"]) and first["scored"] < first["networks"]:
        ends = (
            f"{signed(first['spearman_last'])} if those are ranked last and {signed(first['spearman_first'])} if first"
        )
        more.append(f"Over all networks ρ is {ends}.")
    others = [row for row in rows[1:] if row["dataset"] == first["dataset"] and row["precision"] != first["precision"]]
    for row in others[-1:] if known else []:
        number = f"{row['scored']:,} of {row['networks']:,} networks"
        more.append(f"In {row['precision']} precision it scores {number}, and ρ is {row['spearman']:.2f}.")
    if first.get("common", 0) >= ENOUGH:
        beside = [_beside(first, kind) for kind in ("baseline", "best") if isinstance(first[kind], str)]
        ranks = (
            f"On the {first['common']:,.0f} networks that most metrics share its ρ is {first['spearman_common']:.2f}"
        )
        more.append(", ".join([ranks, *beside]) + ".")
    if np.isfinite(first["ceiling"]):
        more.append(f"The noise of training leaves no metric more than {first['ceiling']:.3f}.")
    more.append(f"A network takes {first['milliseconds']:.3g} ms of one core.")
    return f"{lead}.", " ".join(more)


def _beside(row: Row, kind: str) -> str:
    difference = row[f"{kind}_difference"]
    text = f"that of {row[kind]} {row[f'{kind}_spearman']:.2f}"
    return f"{text} (difference {difference})" if isinstance(difference, str) else text


_WHY = {
    "disconnected": "input and output are not connected",
    "underflow": "signals vanish below the range of the numbers",
    "overflow": "signals leave the range of the numbers",
    "constant": "outputs are constant",
    "failed": "the computation failed",
}
"""By the reason for which a network has no score, what happened."""


def percent(share: float) -> str:
    """Return a share in percent, without digits.

    Example:
        >>> percent(0.594)
        '59\\xa0%'
    """
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def key_numbers(found: Headline) -> list[tuple[str, str]]:
    """Return the numbers of the first row of the rankings, each with what it is."""
    first = found.rankings.iloc[0].to_dict()
    numbers = []
    if np.isfinite(first.get("spearman", np.nan)):
        place = f"{SPACES[first['space']].title}, {title_of(first['dataset'])}"
        numbers.append((f"{first['spearman']:.2f}", f"Spearman's ρ of {metric_title(first['metric'])}, {place}"))
    share = percent(first["scored"] / first["networks"])
    numbers.append((share, f"of {first['networks']:,} networks have a score"))
    if first.get("common", 0) >= ENOUGH and isinstance(first.get("baseline"), str):
        beside = f"{first['spearman_common']:.2f} : {first['baseline_spearman']:.2f}"
        numbers.append(
            (beside, f"{metric_title(first['metric'])} to {first['baseline']}, on {first['common']:,.0f} networks")
        )
    if np.isfinite(first["ceiling"]):
        numbers.append((f"{first['ceiling']:.3f}", "at most, by the noise of training"))
    numbers.append((f"{first['milliseconds']:.3g} ms", "of one core for a network"))
    return numbers


def _differences(plan: Plan, tables: Tables) -> list[str]:
    """Say what the run does not have, or has in the place of something else."""
    found = []
    stand_ins: dict[str, list[str]] = {}
    for space in plan.sections:
        for run in plan.main_runs(space):
            where = f"{SPACES[space].title}, {title_of(run.dataset)}"
            if stand_in := plan.stand_in(run):
                stand_ins.setdefault(stand_in, []).append(where)
        tried, size = plan.networks_tried(plan.main_runs(space)[0]), SPACES[space].size
        if tried < size:
            found.append(f"{tried:,} of the {size:,} networks of {SPACES[space].title}.")
    for stand_in, places in stand_ins.items():
        found.insert(0, f"{stand_in} in the place of real inputs: {'; '.join(dict.fromkeys(places))}.")
    # The smallest last, so that it stays.
    if sampled := dict(sorted(_sampled(plan, tables), reverse=True)):
        numbers = ", ".join(f"{number} ({count:,})" for number, count in sorted(sampled.items()))
        found.append(f"Samples of networks in some rows of Tables {numbers}.")
    shipped = [
        table[table["origin"] == "shipped"]["metric"]
        for table in tables.values()
        if "origin" in table and "metric" in table
    ]
    names = pd.concat(shipped).unique() if shipped else []
    if len(names):
        found.append(
            f"Scores of {len(names)} metrics come with the package; the table “Scores of the package” checks them."
        )
    return found


def _sampled(plan: Plan, tables: Tables) -> Iterator[tuple[int, int]]:
    """Yield the numbers of the tables with rows over fewer networks than the study has, and how many at the least."""
    for name, table in tables.items():
        number = PAGES[name].number if name in PAGES else None
        if number is not None and {"space", "networks"} <= set(table):
            for space, fewest in table.groupby("space")["networks"].min().items():
                if fewest < plan.networks_tried(plan.main_runs(str(space))[0]):
                    yield number, int(fewest)


def closing_lines(found: Headline, counts: pd.DataFrame | None, path: str) -> tuple[str, str, str]:
    """Return what a run ends with: the first number, the verdicts, and where the report is.

    Args:
        found: what the study found.
        counts: of verdicts, as `epsinas.paper.ledger.count_verdicts` gives them, None where nothing was compared.
        path: of the report.
    """
    first = found.rankings.iloc[0].to_dict()
    place = f"{metric_title(first['metric'])}, {SPACES[first['space']].title}, {title_of(first['dataset'])}"
    share = f"{first['scored']:,} of {first['networks']:,} networks"
    known = np.isfinite(first.get("spearman", np.nan))
    number = f"{place}: " + (f"Spearman's rho {first['spearman']:.3f} over " if known else "a score for ") + share
    verdicts = "no numbers of the paper to compare with"
    if counts is not None:
        total = counts.set_index("table").loc["all"]
        verdicts = f"{total['numbers']} numbers of the paper: " + ", ".join(
            f"{count} {verdict}" for verdict, count in total.drop("numbers").items() if count
        )
    return number, verdicts, path
