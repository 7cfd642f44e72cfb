from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from epsinas.metrics.base import METRICS
from epsinas.pages.real_inputs import PAGE
from epsinas.study.config import read_study
from epsinas.study.plan import Plan
from tests.performances import random_performance

SECTION = {"datasets": ["cifar10"], "performance": {"split": "test", "epochs": 200}}


def plan(**comparison):
    section = SECTION | {"comparison": {"metrics": ["naswot", "tenas_ntk"], "shipped": True, **comparison}}
    return Plan(read_study({"study": "s", "nas-bench-201": section}))


def test_studies_on_real_images_have_the_page():
    request = PAGE.request(plan(networks=500))
    assert [run.inputs for run in request.runs] == ["real"]
    assert request.data == ("nas-bench-201.computed-scores.parquet", "nas-bench-201.performance.parquet")
    assert PAGE.request(plan(inputs="pink_noise")) is None
    assert PAGE.request(plan(shipped=False)) is None


def test_scores_are_compared_network_by_network():
    performance = random_performance(range(6))
    accuracy = performance.query("split == 'test' and dataset == 'cifar10'").set_index("index")["accuracy"]
    # Networks 4 and 5 have the scores of 3, which trains as they do; a lower condition number is better.
    networks = pd.DataFrame({"index": range(6), "trained_as": [0, 1, 2, 3, 3, 3]})
    kept = pd.concat(
        [
            pd.DataFrame({"index": range(4), "dataset": "cifar10", "metric": name, "setting": "", "score": scores})
            for name, scores in (("naswot", [1.0, 2.0, 3.0, 4.0]), ("tenas_ntk", [4.0, 3.0, 2.0, 1.0]))
        ]
    )
    real = pd.concat(
        [
            pd.DataFrame({"index": [0, 1, 2, 4], "metric": name, "setting": "", "draw": 0, "score": scores})
            for name, scores in (("naswot", [10.0, 30.0, 20.0, 40.0]), ("tenas_ntk", [4.0, 3.0, 2.0, np.nan]))
        ]
    )
    results = SimpleNamespace(
        runs=[SimpleNamespace(space="nas-bench-201", dataset="cifar10")],
        plan=SimpleNamespace(metrics=lambda run: [METRICS["naswot"], METRICS["tenas_ntk"]]),
        section=lambda space: SECTION,
        computed_scores=lambda space: kept,
        performance=lambda space: performance,
        networks=lambda space: networks,
        scores=lambda run: real,
    )
    found = PAGE.table(results).set_index("metric")
    assert found["archs"].to_dict() == {"naswot": 4, "tenas_ntk": 3}
    assert found["agreement"].to_dict() == {"naswot": pytest.approx(0.8), "tenas_ntk": pytest.approx(1.0)}
    expected = pd.Series([1.0, 2.0, 3.0], index=[0, 1, 2]).corr(accuracy.reindex([0, 1, 2]), method="spearman")
    assert found.loc["tenas_ntk", "spearman_real"] == pytest.approx(expected)
    assert found.loc["tenas_ntk", "spearman_synthetic"] == pytest.approx(expected)
