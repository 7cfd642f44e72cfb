import gzip
import json
import os
from base64 import b64decode

import numpy as np
import pandas as pd
import pytest

from epsinas.report.explorer import EXPLORED, PERFORMANCE, explored_scores, explorer_plots, measures_of, packed_spaces
from epsinas.study.config import read_study
from epsinas.study.plan import Plan
from epsinas.study.results import Results
from tests.report.conftest import CONFIG


@pytest.fixture
def results(small, monkeypatch) -> Results:
    monkeypatch.chdir(small.parents[1])
    assert os.path.isdir("results/small")
    return Results(Plan(read_study(CONFIG)), EXPLORED)


def test_scores_of_all_metrics_beside_the_performance(results, small):
    table, titles = explored_scores(results, "nas-bench-201")
    assert list(titles) == ["cifar10", "cifar100"]
    assert titles["cifar10"] == {
        PERFORMANCE: "test accuracy (%)",
        "epsilon": "epsilon",
        "parameters": "parameters",
        "flops": "FLOPs",
        "random": "random",
    }
    assert (table.dtypes == np.float32).all()
    networks = pd.read_parquet(small / "networks" / "nas-bench-201.parquet").set_index("index")
    np.testing.assert_array_equal(table["cifar10", "parameters"], networks["parameters"].astype(np.float32))
    assert 0 < table["cifar10", "epsilon"].isna().sum() < 20
    assert measures_of(results) == {"nas-bench-201": "accuracy", "nas-bench-101": "accuracy", "nas-bench-nlp": "loss"}


def test_what_is_packed_is_what_was_scored(results):
    packed = {one["name"]: one for one in packed_spaces(results)}
    one = packed["nas-bench-201"]
    assert (one["title"], one["count"]) == ("NAS-Bench-201", 200)
    content = json.loads(gzip.decompress(b64decode(one["packed"])))
    table, _ = explored_scores(results, "nas-bench-201")
    networks = results.networks("nas-bench-201").set_index("index").loc[content["index"]]
    assert content["architectures"] == networks["architecture"].tolist()
    epsilon = content["columns"][content["places"]["cifar100"]["epsilon"]]
    found = np.array([np.nan if value is None else value for value in epsilon])
    np.testing.assert_allclose(found, table["cifar100", "epsilon"].loc[content["index"]], rtol=1e-4)
    parameters = content["columns"][content["places"]["cifar10"]["parameters"]]
    assert parameters == networks["parameters"].tolist()
    # Scores that do not depend on the data set are there once, and those of networks that train alike side by side.
    assert content["places"]["cifar10"]["parameters"] == content["places"]["cifar100"]["parameters"]
    assert networks["trained_as"].is_monotonic_increasing
    assert packed_spaces(results) == list(packed.values())


def test_both_plots_and_the_table_have_their_sources():
    models = json.dumps(explorer_plots())
    assert models.count('"name": "LassoSelectTool"') == 2
    for name in ("networks", "chosen", "plot1", "plot2", "table"):
        assert f'"name": "{name}"' in models
