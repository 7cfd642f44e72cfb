"""Figure 5: ageing evolution and random search that begin with the best of a random pool by one metric or another."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epsinas.evaluation.performance import guiding_accuracy, performance_of
from epsinas.evaluation.searches import ageing_evolution, best_so_far, quartiles, random_search
from epsinas.evaluation.tabular import edit_neighbours
from epsinas.paper.presentation import milestones
from epsinas.spaces import NasBench201
from epsinas.streams import stream
from epsinas.study.comparison import by_metric, compared, comparison_request, first_signed
from epsinas.study.page import Page, Request
from epsinas.study.plan import Plan
from epsinas.study.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPACE = "nas-bench-201"


def warm_up_table(
    scores: dict[str, pd.Series],
    validation: pd.Series,
    test: pd.Series,
    neighbours: np.ndarray,
    seed: int,
    *,
    rounds: int,
    trained: int,
    population: int,
    tournament: int,
    warm_up_pool: int,
    random_warm_up: int,
) -> pd.DataFrame:
    """Run both searches with a warm-up by each metric, and without one.

    All metrics see the same pools. Only the order of scores matters: networks without one come last, as those whose
    score is 0 do in the released code.

    Args:
        scores: by metric, (networks,), a higher one predicting a better network, NaN for none.
        validation: (networks,) the accuracy that guides evolution.
        test: (networks,) the accuracy that is followed.
        neighbours: see `epsinas.evaluation.searches.ageing_evolution`, as for the other arguments.
        seed: of the searches.
        rounds: repetitions.
        trained: networks trained in each.
        population: of ageing evolution.
        tournament: members that compete.
        warm_up_pool: random networks that are scored first.
        random_warm_up: how many of random search's networks come from the pool.

    Returns:
        `search` (`evolution` or `random`), `metric` (empty without warm-up), `trained`, `lower`, `median` and `upper`,
        the quartiles over rounds of the best test accuracy so far.
    """
    tables = []
    for metric, values in {"": None, **scores}.items():
        ranks = None if values is None else values.rank().to_numpy()
        pool = 0 if ranks is None else warm_up_pool
        common: dict[str, Any] = {"scores": ranks, "warm_up_pool": pool, "rounds": rounds, "trained": trained}
        histories = {
            "evolution": ageing_evolution(
                validation,
                neighbours,
                stream(seed, "searches", "evolution"),
                population=population,
                tournament=tournament,
                **common,
            ),
            "random": random_search(len(test), stream(seed, "searches", "random"), warm_up=random_warm_up, **common),
        }
        for search, history in histories.items():
            curve = quartiles(best_so_far(test, history))
            tables.append(pd.DataFrame({"search": search, "metric": metric, **curve}))
    return pd.concat(tables, ignore_index=True)


def _request(plan: Plan) -> Request | None:
    section = plan.sections.get(SPACE)
    if section is None or not section["comparison"] or not section["performance"] or not section.options.get("search"):
        return None
    own = Request(runs=tuple(plan.main_runs(SPACE)), networks=(SPACE,), data=(f"{SPACE}.performance.parquet",))
    return own | comparison_request(plan, SPACE)


def _table(results: Results) -> pd.DataFrame:
    section = results.section(SPACE)
    networks = results.networks(SPACE).set_index("index")
    options = dict(section["search"])
    first = options.pop("random_warm_up") == "first"
    neighbours = edit_neighbours(np.array([NasBench201().parse(text) for text in networks["architecture"]]))
    others = by_metric(compared(results, SPACE, imported=False))
    tables = []
    for dataset in section.datasets:
        scores = {
            run.metric: results.first_scores(run).reindex(networks.index)
            for run in results.plan.main_runs(SPACE)
            if run.dataset == dataset
        }
        for metric in others:
            own = next(one for one in metric if one.scores["dataset"].iloc[0] == dataset)
            scores[own.metric.name] = first_signed(own, networks.index)
        epochs = section["performance"]["epochs"]
        guide, _ = guiding_accuracy(results.performance(SPACE), dataset, epochs, networks.index)
        test = performance_of(results.performance(SPACE), dataset, "test", epochs).reindex(networks.index)
        table = warm_up_table(
            scores,
            guide,
            test,
            neighbours,
            results.seed,
            random_warm_up=options["population"] if first else options["trained"],
            **options,
        )
        table.insert(0, "dataset", dataset)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _figure(results: Results) -> "Figure":
    from epsinas.paper.drawing import draw_warm_ups

    shown = dict.fromkeys((*results.section(SPACE).metrics, *_SHOWN))
    return draw_warm_ups(results.table().fillna({"metric": ""}), list(shown))


_SHOWN = ("epsilon", "synflow", "grad_norm", "snip", "grasp", "fisher", "jacob_cov", "naswot")
"""The metrics of the paper's figure, which are told apart beside the study's own."""


PAGE = Page(
    name="figure5",
    title="Ageing evolution and random search with warm-ups by other metrics",
    caption=(
        "As Figure 3, with a warm-up by one metric or another, median over the rounds; the dashed line has none. "
        "A metric whose line is below the dashed one does harm."
    ),
    request=_request,
    table=_table,
    shown=milestones(),
    figure=_figure,
)
