import numpy as np
import pandas as pd
import pytest
from scipy import stats

from epsinas.evaluation.coefficients import (
    coefficients,
    convergence,
    counts_of,
    differences,
    held_fixed,
    partial_coefficients,
    shared_networks,
)
from epsinas.evaluation.dependence import steiger
from epsinas.sources import packaged

NETWORKS = 120


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Return scores of four metrics: whole, with gaps twice, and rare; the last network was not trained."""
    drawn = np.random.default_rng(1)
    reached = drawn.normal(size=NETWORKS)
    scores = pd.DataFrame(
        reached[:, None] + drawn.normal(size=(NETWORKS, 4)), columns=["whole", "gaps", "same", "rare"]
    )
    scores.loc[:29, ["gaps", "same"]] = np.nan
    scores.loc[10:, "rare"] = np.nan
    performance = pd.Series(reached).drop(NETWORKS - 1)
    return scores, performance, pd.Series(np.arange(NETWORKS) // 2)


def spearman(x: pd.Series, y: pd.Series) -> float:
    return float(stats.spearmanr(x, y).statistic)


def test_coefficients_on_every_coverage(tables):
    scores, performance, classes = tables
    table = coefficients(scores, performance, classes, 50, rng()).set_index(["metric", "coverage"])
    trained = scores.drop(NETWORKS - 1)
    kept = range(30, NETWORKS - 1)
    expected = {
        ("whole", "own"): spearman(trained["whole"], performance),
        ("whole", "common"): spearman(trained["whole"][kept], performance[kept]),
        ("gaps", "own"): spearman(trained["gaps"][kept], performance[kept]),
        ("gaps", "last"): spearman(trained["gaps"].fillna(-99), performance),
        ("gaps", "first"): spearman(trained["gaps"].fillna(99), performance),
        ("rare", "own"): spearman(trained["rare"][:10], performance[:10]),
    }
    for key, value in expected.items():
        assert table.loc[key, "spearman"] == pytest.approx(value), key
    assert ("rare", "common") not in table.index
    assert table.loc["whole"].loc["own", "spearman"] == table.loc["whole"].loc["last", "spearman"]
    assert (table["networks"] == NETWORKS - 1).all()
    assert table["scored"].groupby("metric").first().to_dict() == {"whole": 119, "gaps": 89, "same": 89, "rare": 10}
    assert table.loc[("gaps", "common"), "archs"] == 89
    inside = (table["spearman_low"] < table["spearman"]) & (table["spearman"] < table["spearman_high"])
    assert inside.all()
    assert table.loc[("gaps", "own"), "kendall"] == pytest.approx(
        stats.kendalltau(trained["gaps"][kept], performance[kept]).statistic
    )


def test_a_metric_without_scores_has_no_row(tables):
    scores, performance, classes = tables
    table = coefficients(scores.assign(none=np.nan), performance, classes, 2, rng())
    assert "none" not in set(table["metric"])


def test_what_was_not_tried_is_not_missing(tables):
    scores, performance, classes = tables
    tried = pd.DataFrame(True, scores.index, scores.columns).assign(rare=scores["rare"].notna())
    table = coefficients(scores, performance, classes, 2, rng(), tried=tried).set_index(["metric", "coverage"])
    assert ("gaps", "last") in table.index
    assert table.loc["rare", "networks"].to_dict() == {"own": 10}


def test_rare_metrics_have_no_say_in_what_is_shared(tables):
    scores, performance, classes = tables
    assert shared_networks(scores, performance, classes).tolist() == list(range(30, NETWORKS - 1))
    assert shared_networks(scores[["rare"]], performance, classes).empty
    # Where 60 networks are one class, the ten that the metric scores are most of the classes.
    one = classes.where(classes.index < 10, -1)
    assert shared_networks(scores[["rare"]], performance, one).tolist() == list(range(10))


def test_partial_coefficients(tables):
    scores, performance, classes = tables
    counts = pd.DataFrame({"parameters": scores["whole"].rank() // 10, "depth": np.arange(NETWORKS) % 7})
    given = {"parameters": ["parameters"], "both": ["parameters", "depth"]}
    table = partial_coefficients(scores, performance, classes, counts, given, 40, rng()).set_index("metric")
    own = scores["gaps"].dropna().drop(NETWORKS - 1)
    ranks = {name: stats.rankdata(column.loc[own.index]) for name, column in counts.items()}

    def left(column: pd.Series, *names: str) -> np.ndarray:
        others = np.stack([np.ones(len(own)), *(ranks[name] for name in names)], axis=1)
        y = stats.rankdata(column)
        return y - others @ np.linalg.lstsq(others, y)[0]

    for name, fixed in given.items():
        expected = np.corrcoef(left(own, *fixed), left(performance.loc[own.index], *fixed))[0, 1]
        assert table.loc["gaps", f"given_{name}"] == pytest.approx(expected)
        assert table.loc["gaps", f"given_{name}_low"] < expected < table.loc["gaps", f"given_{name}_high"]
    assert table.loc["gaps", "with_depth"] == pytest.approx(spearman(own, counts["depth"].loc[own.index]))
    # Most of what the metric knows, its rank by tens tells.
    assert table.loc["whole", "given_parameters"] < 0.3 < table.loc["whole", "spearman"]


def test_differences_are_paired(tables):
    scores, performance, classes = tables
    table = differences(scores, performance, classes, ["gaps"], 300, rng()).set_index("other")
    # With the rare metric it shares no network.
    assert list(table.index) == ["whole", "same"]
    assert table["common"].all()
    assert (table["archs"] == 89).all()
    kept = range(30, NETWORKS - 1)
    first, second = (spearman(scores[name][kept], performance[kept]) for name in ("gaps", "whole"))
    between = spearman(scores["gaps"][kept], scores["whole"][kept])
    row = table.loc["whole"]
    assert row["difference"] == pytest.approx(first - second)
    assert (row["steiger_z"], row["steiger_p"]) == pytest.approx(steiger(first, second, between, 89))
    assert row["difference_low"] < row["difference"] < row["difference_high"]


def test_rare_metrics_are_compared_in_pairs(tables):
    scores, performance, classes = tables
    table = differences(scores, performance, classes, ["whole"], 20, rng()).set_index("other")
    assert table["common"].to_dict() == {"gaps": True, "same": True, "rare": False}
    assert table.loc["rare", "archs"] == 10


def test_a_difference_is_surer_than_its_parts():
    """Two metrics that share most of their noise: resamples move both alike."""
    drawn = np.random.default_rng(2)
    reached, noise = drawn.normal(size=(2, 300))
    own = 0.1 * drawn.normal(size=(2, 300))
    scores = pd.DataFrame({"one": reached + noise + own[0], "other": reached + noise + own[1]})
    (row,) = differences(scores, pd.Series(reached), pd.Series(range(300)), ["one"], 200, rng()).to_dict("records")
    alone = coefficients(scores, pd.Series(reached), pd.Series(range(300)), 200, rng()).iloc[0]
    assert row["difference_high"] - row["difference_low"] < 0.3 * (alone["spearman_high"] - alone["spearman_low"])


def test_convergence(tables):
    scores, performance, _ = tables
    table = convergence(scores[["whole", "gaps"]], performance, [20, 60, 100], 200, rng()).set_index(
        ["metric", "archs"]
    )
    assert list(table.index) == [
        *(("whole", size) for size in (20, 60, 100, 119)),
        *(("gaps", size) for size in (20, 60, 89)),
    ]
    width = table["spearman_high"] - table["spearman_low"]
    assert width["whole"][20] > 1.5 * width["whole"][60]
    assert table.loc[("whole", 20), "spearman"] == pytest.approx(table.loc[("whole", 119), "spearman"], abs=0.05)
    assert np.isnan(width["whole"][119])


def test_counts_of_a_data_set():
    networks = packaged.networks("nas-bench-201")
    counts = counts_of(networks, "ImageNet16-120")
    assert list(counts) == ["parameters", "flops", "convolutions", "layers", "depth", "relus", "skips"]
    assert counts["flops"].tolist() == networks["flops_ImageNet16-120"].tolist()
    assert list(held_fixed(counts)) == ["parameters", "flops", "parameters_and_flops", "convolutions"]
