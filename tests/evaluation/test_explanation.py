import numpy as np
import pandas as pd
import pytest

from epsinas.evaluation.coefficients import FEWEST
from epsinas.evaluation.explanation import explained


def normal(*columns, networks=4000):
    """Columns that are sums of independent normal variables, with these weights."""
    parts = np.random.default_rng(0).standard_normal((len(columns[0]), networks))
    return [pd.Series(np.asarray(weights) @ parts) for weights in columns]


def explain(score, performance, resamples=20, classes=None, **explanations):
    classes = pd.Series(score.index) if classes is None else classes
    rng = np.random.default_rng(1)
    return explained(score, pd.DataFrame(explanations), performance, classes, resamples, rng).set_index("what")


def test_three_ranks_by_hand():
    """d of 12 networks: neighbours interchanged, each pair adds 2 to the sum of squares; 1 - 6 * 2 k / (12 * 143)."""
    base = np.arange(12.0)

    def swapped(*pairs):
        order = base.copy()
        for pair in pairs:
            order[[pair, pair + 1]] = order[[pair + 1, pair]]
        return pd.Series(order)

    row = explain(swapped(0, 4), pd.Series(base), what=swapped(4, 8)).loc["what"]
    reached = explanation = 1 - 12 * 2 / 1716
    between = 1 - 12 * 2 / 1716
    left = (reached - between * explanation) / (1 - between**2)
    assert row["score_spearman"] == pytest.approx(reached)
    assert row["spearman"] == pytest.approx(explanation)
    assert row["with_score"] == pytest.approx(between)
    assert row["score_given"] == pytest.approx(left)
    assert row["given_score"] == pytest.approx(left)
    assert row["score_share"] == pytest.approx(1 - (1 - explanation**2) * left**2 / reached**2)
    assert row["difference"] == pytest.approx(0)
    assert row[["archs", "median"]].tolist() == [12, 5.5]


def test_what_explains_all_leaves_nothing():
    """A score is the explanation and noise: given the explanation it says nothing more."""
    score, explanation, performance = normal([1, 1, 0], [1, 0, 0], [1, 0, 1])
    row = explain(score, performance, what=explanation).loc["what"]
    assert row["score_given"] == pytest.approx(0, abs=0.04)
    assert row["score_share"] == pytest.approx(1, abs=0.02)
    assert row["given_score"] > 0.5
    assert row["difference"] > 0.1
    assert row["score_given_low"] < row["score_given"] < row["score_given_high"]


def test_what_has_nothing_to_do_with_it_explains_nothing():
    score, other, performance = normal([1, 0, 1], [0, 1, 0], [1, 0, 0])
    row = explain(score, performance, what=other).loc["what"]
    assert row["score_share"] == pytest.approx(0, abs=0.02)
    assert row["score_given"] == pytest.approx(row["score_spearman"], abs=0.01)


def test_a_suppressor_has_a_negative_share():
    """The explanation is the score's own noise."""
    score, noise, performance = normal([1, 1, 0], [0, 1, 0], [1, 0, 1])
    row = explain(score, performance, what=noise).loc["what"]
    assert row["score_given"] > row["score_spearman"] + 0.1
    assert row["score_share"] < -0.3


def test_the_sign_of_an_explanation_does_not_matter():
    score, explanation, performance = normal([1, 1, 0], [1, 0, 0], [1, 0, 1])
    table = explain(score, performance, what=explanation, turned=-explanation)
    assert table["spearman"]["turned"] == pytest.approx(-table["spearman"]["what"])
    for name in ("score_given", "score_share", "difference"):
        assert table[name]["turned"] == pytest.approx(table[name]["what"])


def test_each_on_the_networks_that_have_it():
    score, one, performance = normal([1, 1, 0], [1, 0, 0], [1, 0, 1], networks=40)
    score[0] = performance[1] = one[2] = np.nan
    table = explain(score, performance, one=one, whole=score)
    assert table["archs"].to_dict() == {"one": 37, "whole": 38}
    assert np.isnan(table.loc["whole", "score_given"])


def test_constants_have_no_correlation():
    score, performance = normal([1, 1], [1, 0], networks=30)
    row = explain(score, performance, constant=score * 0).loc["constant"]
    assert np.isnan(row["spearman"])
    assert np.isnan(row["score_given_low"])


def test_few_classes_say_nothing():
    score, performance = normal([1, 1], [1, 0], networks=40)
    found = {}
    for count in (FEWEST - 1, FEWEST):
        classes = pd.Series(np.arange(40) % count)
        table = pd.DataFrame({"what": score})
        found[count] = len(explained(score, table, performance, classes, 2, np.random.default_rng(0)))
    assert found == {FEWEST - 1: 0, FEWEST: 1}
    assert "score_share_low" in table_of_none()


def table_of_none():
    nothing = pd.Series(dtype=float)
    return explained(nothing, pd.DataFrame({"what": nothing}), nothing, nothing, 1, np.random.default_rng(0))
