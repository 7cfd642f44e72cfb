import numpy as np
import pytest
from scipy import stats

from epsinas import InputError
from epsinas.evaluation.kendall import kendall_jackknife


def correlated(networks: int, digits: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=networks)
    return x.round(digits), (x + rng.normal(size=networks)).round(digits)


@pytest.mark.parametrize("digits", [0, 1, 6])
def test_against_leaving_out_every_class_in_turn(digits):
    x, y = correlated(60, digits)
    classes = np.random.default_rng(1).integers(20, size=60)
    without = [stats.kendalltau(x[classes != one], y[classes != one]).statistic for one in np.unique(classes)]
    error = np.sqrt((len(without) - 1) * np.var(without))
    tau = stats.kendalltau(x, y).statistic
    expected = [tau, tau - 1.959964 * error, tau + 1.959964 * error]
    assert kendall_jackknife(x, y, classes) == pytest.approx(expected, abs=1e-6)


def test_by_hand():
    """Of three pairs two agree; without one of the networks tau is 1, 1 and -1, of variance 8/9 times n - 1."""
    tau, low, high = kendall_jackknife([1, 2, 3], [1, 3, 2], range(3), confidence=0.5)
    assert tau == pytest.approx(1 / 3)
    assert low == pytest.approx(1 / 3 - 0.6744898 * np.sqrt(2 * 8 / 9))
    assert high == 1.0


def test_against_the_bootstrap_by_classes():
    x, y = correlated(400, 2)
    x, y, classes = np.repeat(x, 2), np.repeat(y, 2), np.repeat(range(400), 2)
    tau, low, high = kendall_jackknife(x, y, classes)
    rng, found = np.random.default_rng(0), []
    for _ in range(400):
        drawn = rng.integers(400, size=400)
        members = np.concatenate([2 * drawn, 2 * drawn + 1])
        found.append(stats.kendalltau(x[members], y[members]).statistic)
    assert tau == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
    assert high - low == pytest.approx(2 * 1.96 * np.std(found), rel=0.15)


def test_without_variation_or_networks():
    assert np.isnan(kendall_jackknife([1, 1, 1], [1, 2, 3], range(3))).all()
    assert np.isnan(kendall_jackknife([1], [1], [0])).all()
    tau, low, high = kendall_jackknife([1, 1, 2], [1, 2, 3], range(3))  # without the third, a column is constant
    assert tau == pytest.approx(stats.kendalltau([1, 1, 2], [1, 2, 3]).statistic)
    assert np.isnan([low, high]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, np.nan], [1, 2], [0, 1]), "scores: found a value that is not finite"),
        (([1, 2], [1, np.inf], [0, 1]), "performance: found a value that is not finite"),
        (([1, 2], [1, 2, 3], [0, 1]), "kendall: found 2 scores, 3 performances and 2 classes"),
        (([1, 2], [1, 2], [0, 1], 1.0), "confidence: found 1.0, expected a number between 0 and 1"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(InputError, match=message):
        kendall_jackknife(*arguments)
