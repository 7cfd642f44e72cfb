"""A study's files, read."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from epsinas.evaluation.runs import Evaluated
from epsinas.files.tables import (
    read_architectures,
    read_computed_scores,
    read_constant_weight_scores,
    read_own_scores,
    read_performance,
    read_published_scores,
    read_scores,
    read_training_cost,
)
from epsinas.streams import stream
from epsinas.study.config import Section
from epsinas.study.networks import first_draw, gather
from epsinas.study.page import Page, Request
from epsinas.study.plan import Plan, Run


class Results:
    """What a page is made of.

    Args:
        plan: of the study.
        page: that is made.
    """

    def __init__(self, plan: Plan, page: Page):
        self.plan, self.page = plan, page
        self.request = page.request(plan) or Request()

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that the page requested."""
        return self.request.runs

    @property
    def seed(self) -> int:
        """Of everything random."""
        return self.plan.study.seed

    @property
    def compares(self) -> bool:
        """Whether the study is compared with the paper."""
        return self.plan.study.config["ledger"]

    def section(self, space: str) -> Section:
        """What the study says of a search space."""
        return self.plan.sections[space]

    def rng(self) -> np.random.Generator:
        """Return a generator at the beginning of the page's random numbers."""
        return stream(self.seed, "resamples", self.page.name)

    def scores(self, run: Run) -> pd.DataFrame:
        """Return the scores of a run, with what identifies it."""
        scores = pd.concat([read_scores(path) for path in self.plan.scores_of(run)])
        if run.count is None:
            return scores
        metric = self.plan.metrics(run)[0]
        return gather(self.networks(run.space), run, scores, metric, self.seed, self.plan.stand_in(run))

    def first_scores(self, run: Run) -> pd.Series:
        """Return the scores of a run with one setting, on the first batch, by index; higher is better."""
        return self.plan.metric(run).sign * first_draw(self.scores(run))

    def evaluated(self, run: Run) -> Evaluated:
        """Return a run with what its scores are compared with."""
        rows = self.section(run.space)["performance"]
        return Evaluated(self.plan.metric(run), self.scores(run), self.performance(run.space), **rows)

    @cache  # noqa: B019 (the object lives as long as a job)
    def networks(self, space: str) -> pd.DataFrame:
        """Return the networks of a space; see `epsinas.study.networks.describe`."""
        return read_architectures(self.plan.networks(space))

    @cache  # noqa: B019
    def performance(self, space: str) -> pd.DataFrame:
        """Return what the networks of a space reach when they are trained."""
        return read_performance(self.plan.data(f"{space}.performance.parquet"))

    def training_cost(self, space: str) -> pd.Series:
        """Return the seconds of training by index."""
        return read_training_cost(self.plan.data(f"{space}.training-cost.parquet")).set_index("index")["seconds"]

    @cache  # noqa: B019
    def published_scores(self, space: str) -> pd.DataFrame:
        """Return the scores that others published for their metrics."""
        return read_published_scores(self.plan.data(f"{space}.published-scores.parquet"))

    @cache  # noqa: B019
    def computed_scores(self, space: str) -> pd.DataFrame:
        """Return the scores that the package has of what takes seconds a network."""
        return read_computed_scores(self.plan.data(f"{space}.computed-scores.parquet"))

    def constant_weight_scores(self, space: str) -> pd.DataFrame:
        """Return the scores under constant weights that the package has of all networks."""
        return read_constant_weight_scores(self.plan.data(f"{space}.constant-weight-scores.parquet"))

    def imported_scores(self, space: str) -> dict[str, pd.DataFrame]:
        """Return scores from elsewhere, by source: `index`, `metric`, `dataset` (empty: of all of them) and `score`."""
        options, found = self.section(space)["comparison"], {}
        if options["published"]:
            found["published"] = self.published_scores(space)
        own = [
            read_own_scores(path, self.networks(space), self.section(space).datasets).assign(metric=name)
            for name, path in options["scores"].items()
        ]
        return found | ({"own": pd.concat(own, ignore_index=True)} if own else {})

    def chosen_weights(self, space: str, dataset: str) -> pd.DataFrame:
        """Return all windows of weights that were tried for a data set; see `epsinas.weights.choose_weights`."""
        return pd.read_csv(self.plan.weights(space, dataset))

    def table(self, draws: bool = False) -> pd.DataFrame:
        """Return the page's own table, or that of its draws."""
        return pd.read_csv(self.plan.table(self.page, draws))
