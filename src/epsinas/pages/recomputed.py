"""Whether the scores inside the package are what the metrics give here: some networks are scored again."""

import numpy as np
import pandas as pd

from epsinas.errors import InputError
from epsinas.study.page import Page, Request
from epsinas.study.plan import Plan
from epsinas.study.results import Results

MOST = 0.05
"""How far, as a share of all networks, a score may move a network up or down their order.

Another order of additions, on another machine, changes scores by gradients by up to some percent, since ReLUs whose
inputs are nearly 0 switch. A change of a formula moves some of twenty networks by far more.
"""


def compare_scores(kept: pd.Series, computed: pd.Series) -> dict[str, float | int]:
    """Compare scores that were kept, of many networks, with those that were computed again, of some of them.

    Args:
        kept: by index, NaN for none.
        computed: by index, NaN for none.

    Returns:
        `networks` in both, `without_score` of which only one has a score, `largest_difference`, relative to the kept
        score, and `largest_move`, the share of all kept scores that lie between a kept and a computed one.

    Example:
        >>> kept = pd.Series([1.0, 2.0, 3.0, 4.0])
        >>> compare_scores(kept, pd.Series([1.0, 3.5]))["largest_move"]
        0.5
    """
    both = kept.index.intersection(computed.index)
    old, new = kept.reindex(both), computed.reindex(both)
    scored = old.notna() & new.notna()
    first, second = old[scored].to_numpy(), new[scored].to_numpy()
    order = np.sort(kept.dropna().to_numpy())
    low, high = np.minimum(first, second), np.maximum(first, second)
    between = np.searchsorted(order, high, "left") - np.searchsorted(order, low, "left")
    # Kept scores have the digits of single precision: the kept one itself is not between.
    between = np.where(np.isclose(first, second, rtol=1e-6, atol=0), 0, between)
    difference = np.abs(first - second) / np.maximum(np.abs(first), np.finfo(np.float32).tiny)
    return {
        "networks": len(both),
        "without_score": int((old.notna() != new.notna()).sum()),
        "largest_difference": float(difference.max(initial=0.0)),
        "largest_move": float((between / max(len(order), 1)).max(initial=0.0)),
    }


def _request(plan: Plan) -> Request | None:
    spaces = [name for name, section in plan.sections.items() if _is_checked(plan, name)]
    runs = tuple(run for name in spaces for run in plan.comparison_runs(name))
    data = tuple(f"{name}.computed-scores.parquet" for name in spaces)
    return Request(runs=runs, networks=tuple(spaces), data=data) if runs else None


def _is_checked(plan: Plan, space: str) -> bool:
    """Say whether a study takes scores of the package that its own ones must be equal to."""
    options = plan.sections[space]["comparison"]
    return bool(options and options["shipped"]) and not plan.scores_real_inputs(space)


def _table(results: Results) -> pd.DataFrame:
    rows = []
    for run in results.runs:
        kept, again = results.computed_scores(run.space), results.scores(run).query("draw == 0")
        stands = results.networks(run.space).set_index("index")["trained_as"]
        for (metric, setting), own in again.groupby(["metric", "setting"], sort=False):
            packed = kept.query("dataset == @run.dataset and metric == @metric and setting == @setting")
            # A network that has a score by some metric was scored by all.
            old = packed.set_index("index")["score"].reindex(kept["index"].unique())
            new = own.assign(index=stands.reindex(own["index"]).to_numpy()).drop_duplicates("index")
            found = compare_scores(old, new.set_index("index")["score"])
            rows.append({"space": run.space, "dataset": run.dataset, "metric": metric, "setting": setting, **found})
    table = pd.DataFrame(rows)
    wrong = table[(table["largest_move"] > MOST) | (table["without_score"] > 0)]
    if len(wrong):
        one = wrong.iloc[0]
        raise InputError(
            f"{one['space']}.computed-scores.parquet: {one['metric']}: found scores that differ from those computed "
            f"here by up to {one['largest_difference']:.2g} of their value, {one['largest_move']:.0%} of the networks, "
            f"and {one['without_score']} networks with a score in one place only; expected at most {MOST:.0%} and none"
        )
    return table


PAGE = Page(
    name="recomputed",
    title="Scores of the package, computed again",
    caption=(
        "Some networks are scored again, to check that scores which come with the package are what the metrics "
        "give on this machine. The largest move says how far a difference shifts a network in the order of all; "
        "it should be near 0."
    ),
    request=_request,
    table=_table,
)
