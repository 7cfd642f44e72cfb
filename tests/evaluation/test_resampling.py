import numpy as np
import pytest
from scipy import stats

from epsinas import InputError
from epsinas.evaluation.resampling import resampled_correlations


def sample(networks: int = 200, columns: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(columns, networks)) + rng.normal(size=networks)
    values[1] = values[1].round()  # many ties
    return values, rng.integers(60, size=networks)


def test_the_first_matrix_is_that_of_the_sample():
    values, classes = sample()
    (found,) = resampled_correlations(values, classes, 0, np.random.default_rng(0))
    np.testing.assert_allclose(found, stats.spearmanr(values, axis=1).statistic, rtol=0, atol=1e-14)


def test_resamples_are_of_whole_classes():
    """SciPy's coefficient of the networks written out, each as often as its class was drawn."""
    values, classes = sample()
    labels = np.unique(classes, return_inverse=True)[1]
    found = resampled_correlations(values, classes, 40, np.random.default_rng(0))[1:]
    rng, total = np.random.default_rng(0), labels.max() + 1
    drawn = np.concatenate([rng.integers(total, size=(size, total), dtype=np.int32) for size in (32, 8)])
    for matrix, row in zip(found, drawn, strict=True):
        members = np.concatenate([np.flatnonzero(labels == group) for group in row])
        np.testing.assert_allclose(matrix, stats.spearmanr(values[:, members], axis=1).statistic, rtol=0, atol=1e-14)


def test_neither_threads_nor_other_columns_change_the_resamples():
    values, classes = sample()
    one = resampled_correlations(values, classes, 70, np.random.default_rng(0))
    two = resampled_correlations(values[:2], classes, 70, np.random.default_rng(0), threads=2)
    np.testing.assert_allclose(one[:, :2, :2], two, rtol=0, atol=1e-14)


@pytest.mark.parametrize("columns", [1, 3, 4, 9])
@pytest.mark.parametrize("last", [None, 1, 2, 3])
def test_any_number_of_columns(columns, last):
    last = last and min(last, columns)
    values = np.random.default_rng(1).normal(size=(columns, 600))
    found = resampled_correlations(values, range(600), 0, np.random.default_rng(0), last=last)[0]
    expected = np.atleast_2d(np.corrcoef(stats.rankdata(values, axis=1)))
    np.testing.assert_allclose(found, expected[-(last or columns) :], rtol=0, atol=1e-14)


@pytest.mark.parametrize("last", [1, 2])
def test_the_last_columns_alone(last):
    values, classes = sample()
    values[-1] = values[-1].round(1)
    whole = resampled_correlations(values, classes, 5, np.random.default_rng(0))
    found = resampled_correlations(values, classes, 5, np.random.default_rng(0), last=last)
    np.testing.assert_allclose(found, whole[:, -last:], rtol=0, atol=1e-14)


@pytest.mark.parametrize("last", [2, 4, 6])
def test_columns_of_few_values_are_as_any(last):
    """Among the last ones, in any place; one value at 64 networks or more is few, so that 2,000 networks have 31."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=(7, 2000)) + rng.normal(size=2000)
    values[2], values[3], values[5] = values[2].round(), values[3] > 0.5, (2 * values[5]).round()
    classes = rng.integers(300, size=2000)
    assert [len(np.unique(row)) < 31 for row in values] == [False, False, True, True, False, True, False]
    found = resampled_correlations(values, classes, 3, np.random.default_rng(0), last=last)
    drawn = np.random.default_rng(0).integers(300, size=(3, 300), dtype=np.int32)
    for matrix, row in zip(found, [np.arange(300), *drawn], strict=True):
        members = np.concatenate([np.flatnonzero(classes == group) for group in row])
        expected = stats.spearmanr(values[:, members], axis=1).statistic[-last:]
        np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-13)


def test_a_column_correlates_with_itself_by_exactly_one():
    values, classes = sample()
    found = resampled_correlations([values[0], values[0]], classes, 20, np.random.default_rng(0), last=1)
    assert (found == 1).all()


def test_the_interval_covers_what_it_should():
    """Independent pairs of normal values with correlation 0.5: the true rho is 6/pi arcsin(1/4)."""
    rng, covered = np.random.default_rng(0), 0
    truth = 6 / np.pi * np.arcsin(0.25)
    for _ in range(200):
        x = rng.normal(size=100)
        y = 0.5 * x + np.sqrt(0.75) * rng.normal(size=100)
        found = resampled_correlations([x, y], range(100), 200, rng)[1:, 0, 1]
        low, high = np.quantile(found, [0.025, 0.975])
        covered += low <= truth <= high
    assert 178 <= covered <= 199  # 95 % of 200 less and plus three to four standard errors of 3.1


def test_classes_widen_intervals():
    """Every network four times: as single networks they would seem four times as many."""
    rng = np.random.default_rng(0)
    x, y = np.repeat(rng.normal(size=(2, 50)), 4, axis=1)
    together = resampled_correlations([x, y], np.repeat(range(50), 4), 400, rng)[1:, 0, 1].std()
    single = resampled_correlations([x, y], range(200), 400, rng)[1:, 0, 1].std()
    assert 1.7 < together / single < 2.3


def test_a_constant_column_has_no_correlation():
    found = resampled_correlations([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]], range(3), 2, np.random.default_rng(0))
    assert np.isnan(found[:, 0, 1]).all()


def test_no_networks():
    for last, shape in [(None, (2, 2, 2)), (1, (2, 1, 2))]:
        found = resampled_correlations(np.empty((2, 0)), [], 1, np.random.default_rng(0), last=last)
        assert found.shape == shape
        assert np.isnan(found).all()


@pytest.mark.parametrize(
    ("columns", "classes", "resamples", "message"),
    [
        ([[1.0, 2.0]], [0, 1, 2], 1, r"columns: found shape \(1, 2\), expected \(columns, 3\) as classes"),
        ([[1.0, np.nan]], [0, 1], 1, "columns: found a value that is not finite"),
        ([[1.0, 2.0]], [0, 1], -1, "resamples: found -1, expected 0 or more"),
    ],
)
def test_mistakes(columns, classes, resamples, message):
    with pytest.raises(InputError, match=message):
        resampled_correlations(columns, classes, resamples, np.random.default_rng(0))


@pytest.mark.parametrize("last", [0, 2])
def test_more_rows_than_columns(last):
    with pytest.raises(InputError, match=f"last: found {last}, expected 1 to 1, the number of columns"):
        resampled_correlations([[1.0, 2.0]], [0, 1], 1, np.random.default_rng(0), last=last)
