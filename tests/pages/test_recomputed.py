from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from epsinas import InputError
from epsinas.pages.recomputed import PAGE, compare_scores

KEPT = pd.Series(np.arange(100.0), index=range(100))


def test_equal_scores_do_not_move():
    found = compare_scores(KEPT, KEPT.iloc[[3, 50]] * (1 + 1e-7))
    assert found["networks"] == 2
    assert (found["largest_move"], found["without_score"]) == (0, 0)
    assert found["largest_difference"] == pytest.approx(1e-7, rel=1e-3)


def test_a_move_is_a_share_of_the_networks():
    found = compare_scores(KEPT, pd.Series({20: 25.5, 40: 39.2}))
    # 20 to 25 come between, six of a hundred.
    assert found["largest_move"] == 0.06
    assert found["largest_difference"] == pytest.approx(5.5 / 20)
    down = compare_scores(KEPT, pd.Series({40: 35.5}))
    # 36 to 39.
    assert down["largest_move"] == 0.04


def test_networks_with_a_score_in_one_place_only():
    kept = KEPT.mask(KEPT == 7)
    assert compare_scores(kept, pd.Series({7: 1.0, 8: np.nan, 9: 9.0}))["without_score"] == 2
    assert compare_scores(kept, pd.Series({7: np.nan}))["without_score"] == 0


def test_networks_that_the_package_lacks_are_left_out():
    assert compare_scores(KEPT, pd.Series({1000: 1.0}))["networks"] == 0


def results(again):
    """What the page is made of: two metrics of ten networks, of which the first two train alike."""
    kept = pd.DataFrame({"index": range(1, 10), "dataset": "cifar10", "setting": ""})
    tables = [kept.assign(metric=name, score=kept["index"] * factor) for name, factor in (("a", 1.0), ("b", -2.0))]
    networks = pd.DataFrame({"index": range(10), "trained_as": [1, *range(1, 10)]})
    run = SimpleNamespace(space="s", dataset="cifar10")
    return SimpleNamespace(
        runs=[run],
        computed_scores=lambda space: pd.concat(tables, ignore_index=True),
        scores=lambda run: again,
        networks=lambda space: networks,
    )


def scored(index, a, b):
    rows = [(index, "a", "", 0, a), (index, "b", "", 0, b)]
    return pd.DataFrame(rows, columns=["index", "metric", "setting", "draw", "score"])


def test_the_table_of_scores_that_agree():
    found = PAGE.table(results(scored(0, 1.0, -2.0)))
    assert found[["metric", "networks", "largest_move"]].to_numpy().tolist() == [["a", 1, 0], ["b", 1, 0]]


def test_scores_that_differ_stop_the_run():
    message = (
        r"s\.computed-scores\.parquet: b: found scores that differ from those computed here by up to 2 of their value"
    )
    with pytest.raises(InputError, match=message):
        PAGE.table(results(scored(0, 1.0, -6.0)))
    with pytest.raises(InputError, match="1 networks with a score in one place only"):
        PAGE.table(results(scored(0, 1.0, np.nan)))
