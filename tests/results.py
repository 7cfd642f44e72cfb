"""Results of a study in memory, for pages that are made of scores and performances."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from epsinas.study.config import read_study
from epsinas.study.plan import Plan


def plan_of(**section) -> Plan:
    """Return the plan of a study of NAS-Bench-201 on two data sets, without statistics."""
    common = {"datasets": ["cifar10", "cifar100"], "performance": {"split": "test", "epochs": 200}, "statistics": None}
    return Plan(read_study({"study": "s", "nas-bench-201": common | section}))


def results_of(request, study, networks, scores, **reached) -> SimpleNamespace:
    """Return the results of a page.

    Args:
        request: of the page, of one search space.
        study: its plan.
        networks: their description.
        scores: the table of a run's scores, as a function of the run.
        reached: the performance of the networks by its measure, the same on all data sets.
    """
    (space,) = request.networks
    section = study.sections[space]
    rows = {"index": networks["index"], **section["performance"], "seed": pd.array([0] * len(networks), dtype="Int8")}
    performance = pd.concat([pd.DataFrame({"dataset": name, **rows, **reached}) for name in section.datasets])
    return SimpleNamespace(
        request=request,
        runs=request.runs,
        section=lambda name: study.sections[name],
        networks=lambda name: networks,
        performance=lambda name: performance,
        scores=scores,
        seed=0,
        rng=lambda: np.random.default_rng(0),
    )
