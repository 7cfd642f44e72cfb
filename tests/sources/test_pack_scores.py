"""The script that makes the package's computed scores of a study's."""

import runpy
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from epsinas import InputError
from epsinas.files.tables import write_scores
from epsinas.sources import packaged
from tests.conftest import PROJECT

DATA = files("epsinas") / "data"


@pytest.fixture
def script():
    return runpy.run_path(str(PROJECT / "benchmarks" / "pack_scores.py"))


def part(folder, name, index, metric, score):
    rows = pd.DataFrame({"index": index, "metric": metric, "setting": "", "draw": 0, "score": score})
    path = folder / "scores" / "nas-bench-201" / "cifar10" / "pink_noise-64-1" / "random_weights-single-usual-all"
    write_scores(rows.assign(error=np.nan, reason="", seconds=1.0), path / f"{name}.parquet")


def test_finished_parts_join_what_the_package_has(script, tmp_path):
    before = packaged.computed_scores("nas-bench-201")
    known = before["index"].unique()
    new, failed = [index for index in range(15625) if index not in known][:2]
    part(tmp_path, "1-of-3", [new, failed], "naswot", [1.5, np.nan])
    part(tmp_path, "3-of-3", known[:1], "synflow", [0.1])
    table = script["packed"](script["finished"](tmp_path, "nas-bench-201"), "nas-bench-201").set_index("index")
    assert table.loc[new, "cifar10_naswot"] == 1.5
    assert np.isnan(table.loc[new, "cifar10_synflow"])
    assert np.isnan(table.loc[failed, "cifar10_naswot"])
    assert table.loc[known[0], "cifar10_synflow"] == np.float32(0.1)
    others = before[before["metric"] == "naswot"].set_index("index")["score"]
    np.testing.assert_allclose(table.loc[others.index, "cifar10_naswot"], others, rtol=1e-7)


def test_what_is_not_described_and_what_is_missing(script, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="found no finished part of nas-bench-201"):
        script["finished"](tmp_path, "nas-bench-201")
    part(tmp_path, "1-of-1", [0], "parameters", [1.0])
    packed = script["packed"]
    assert "cifar10_parameters" not in packed(script["finished"](tmp_path, "nas-bench-201"), "nas-bench-201")
    monkeypatch.setitem(packed.__globals__, "DATA", tmp_path)
    (tmp_path / "benchmarks.yaml").write_text((DATA / "benchmarks.yaml").read_text())
    with pytest.raises(InputError, match=r"found no scores for .*cifar10_naswot.*, which benchmarks\.yaml names"):
        packed(script["finished"](tmp_path, "nas-bench-201"), "nas-bench-201")
