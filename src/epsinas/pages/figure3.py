"""Figure 3: ageing evolution and random search, with and without a metric."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epsinas.evaluation.performance import guiding_accuracy, performance_of
from epsinas.evaluation.searches import quartiles, search_curves
from epsinas.evaluation.tabular import edit_neighbours
from epsinas.paper.presentation import milestones
from epsinas.spaces import NasBench201
from epsinas.streams import stream
from epsinas.study.page import Page, Request, count_option
from epsinas.study.plan import Plan
from epsinas.study.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPACE = "nas-bench-201"

_OPTION = {
    "description": "Figure 3, ageing evolution and random search.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "rounds": count_option("Repetitions.", 100),
        "trained": count_option("Networks trained in a round.", 300),
        "population": count_option("Of ageing evolution.", 64),
        "tournament": count_option("Members that compete to be the parent.", 10),
        "warm_up_pool": count_option("Random networks that are scored first.", 3000),
        "random_warm_up": {
            "description": (
                "Which networks of random search with warm-up come from the pool: the first, as many as the population "
                "(the paper's text), or all (the released code)."
            ),
            "enum": ["first", "all"],
            "default": "first",
        },
    },
}


def search_table(
    space: NasBench201,
    architectures: Sequence[str],
    scores: pd.Series,
    performance: pd.DataFrame,
    dataset: str,
    epochs: int,
    seed: int,
    *,
    random_warm_up: str,
    **settings: int,
) -> pd.DataFrame:
    """Run the six searches of Figure 3 on one dataset.

    Args:
        space: the search space, of which `architectures` are all.
        architectures: one string for each network.
        scores: (networks,), NaN for none, by the benchmark's index.
        performance: the performance table; the validation accuracy guides the search, or where there is none the
            test accuracy.
        dataset: which dataset.
        epochs: of training.
        seed: of the searches.
        random_warm_up: `first`: in random search with warm-up as many networks as evolution's population come from
            the warm-up pool, as in the paper's text; `all`: every one does, as in the released code.
        settings: `rounds`, `trained`, `population`, `tournament` and `warm_up_pool` of
            `epsinas.evaluation.searches.search_curves`.

    Returns:
        `dataset`, `search`, `trained`, `lower`, `median`, `upper` (quartiles of the best test accuracy so far, over
        rounds) and `guide`, the split that guided the search.

    Raises:
        InputError: not the whole space, or a network without accuracy.
    """
    guide, split = guiding_accuracy(performance, dataset, epochs, scores.index)
    curves = search_curves(
        guide,
        performance_of(performance, dataset, "test", epochs).reindex(scores.index),
        scores,
        edit_neighbours(np.array([space.parse(architecture) for architecture in architectures])),
        stream(seed, "searches"),
        random_warm_up=settings["population"] if random_warm_up == "first" else settings["trained"],
        **settings,
    )
    tables = []
    for name, curve in curves.items():
        tables.append(pd.DataFrame({"dataset": dataset, "search": name, **quartiles(curve), "guide": split}))
    return pd.concat(tables, ignore_index=True)


def _request(plan: Plan) -> Request | None:
    section = plan.sections.get(SPACE)
    if section is None or not section.options.get("search") or not section["performance"]:
        return None
    first = next(iter(section.metrics))
    return Request(
        runs=tuple(run for run in plan.main_runs(SPACE) if run.metric == first),
        networks=(SPACE,),
        data=(f"{SPACE}.performance.parquet",),
    )


def _table(results: Results) -> pd.DataFrame:
    section = results.section(SPACE)
    networks = results.networks(SPACE).set_index("index")
    curves = [
        search_table(
            NasBench201(**section["skeleton"]),
            networks["architecture"].tolist(),
            results.first_scores(run).reindex(networks.index),
            results.performance(SPACE),
            run.dataset,
            section["performance"]["epochs"],
            results.seed,
            **section["search"],
        )
        for run in results.runs
    ]
    return pd.concat(curves)


def _figure(results: Results) -> "Figure":
    from epsinas.paper.drawing import draw_search_curves

    return draw_search_curves(results.table(), next(iter(results.section(SPACE).metrics)))


PAGE = Page(
    name="figure3",
    title="Ageing evolution and random search, with and without the metric",
    caption=(
        "The best test accuracy so far against the number of networks trained, median and quartiles over the "
        "rounds. A warm-up begins with the networks that score best in a random pool, a move picks parents by "
        "their score; the earlier a line is up, the more training the metric saves."
    ),
    request=_request,
    table=_table,
    shown=milestones(10, 30, 100),
    figure=_figure,
    options={"search": _OPTION},
    admits=lambda space: space.name == SPACE,
)
