import numpy as np
import pandas as pd
import pytest

from epsinas.pages.coverage import coverage


def test_coverage():
    scores = pd.DataFrame({"index": [2, 5, 7] * 2, "draw": [0] * 3 + [1] * 3, "score": [0.2, np.nan, 0.4, 1, 1, 1]})
    scores = scores.assign(
        space="nas-bench-201",
        metric="epsilon",
        dataset="a",
        inputs="real",
        batch_size=8,
        precision="single",
        error=np.nan,
        reason=["", "underflow", "", "", "", ""],
        seconds=[1.0, 2.0, 0.0] * 2,
    )
    found = coverage(scores, {"weight_low": 0.1})
    assert {name: found[name] for name in ("networks", "distinct", "scored", "batches", "underflow", "constant")} == {
        "networks": 3,
        "distinct": 2,
        "scored": 2,
        "batches": 2,
        "underflow": 1,
        "constant": 0,
    }
    assert found["weight_low"] == 0.1
    assert found["coverage"] == pytest.approx(2 / 3)
    assert (found["lowest"], found["median"], found["highest"]) == pytest.approx((0.2, 0.3, 0.4))
    assert found["milliseconds"] == 1500
    assert found["rounding_limited"] is None
    limited = scores.assign(error=[0.1, np.inf, 1e-9] * 2)
    assert coverage(limited, {})["rounding_limited"] == 1
