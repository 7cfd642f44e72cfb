import numpy as np
import pandas as pd
import pytest

from epsinas.pages.rounding import rounding_table


def test_rounding_against_the_most_precise_run():
    rows = {
        "single": ([1.5, np.nan, 2.0, 3.0], [0.5, np.inf, 0.1, 1e-5]),
        "extended": ([1.0, 1.0, 2.0, 4.0], [1e-9, 1e-9, 1.0, 1e-9]),
    }
    scores = pd.concat(
        pd.DataFrame({"index": range(4), "score": score, "error": error, "precision": precision})
        for precision, (score, error) in rows.items()
    ).assign(dataset="a", setting="1e-05,0.001", draw=0)
    single, extended = rounding_table(scores, "extended").to_dict("records")
    assert (single["scored"], single["limited"]) == (3, 2)
    assert single["limited_share"] == pytest.approx(2 / 3)
    # Of the two limited scores, one has a reference that is limited itself.
    assert (single["limited_median"], single["limited_largest"]) == (0.5, 0.5)
    assert single["others_largest"] == 0.25
    assert (extended["limited"], extended["others_largest"]) == (1, 0)
