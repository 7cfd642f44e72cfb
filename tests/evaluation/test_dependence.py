import numpy as np
import pytest
from scipy import stats

from epsinas import InputError
from epsinas.evaluation.dependence import attenuation_ceiling, partial_correlation, steiger

# The example of R's package ppcor.
HL = [7, 15, 19, 15, 21, 22, 57, 15, 20, 18]
DISP = [0.000, 0.964, 0.000, 0.000, 0.921, 0.000, 0.000, 1.006, 0.000, 1.011]
DEG = [9, 2, 3, 4, 1, 3, 1, 3, 6, 1]
BC = [1.78e-02, 1.05e-06, 1.37e-05, 7.18e-03, 0, 0, 0, 4.48e-03, 2.10e-06, 0]


def test_against_r():
    """R: pcor.test(hl, disp, data.frame(deg, BC)) gives -0.6720863, with method = "spearman" -0.7647345."""
    columns = np.array([HL, DISP, DEG, BC])
    assert partial_correlation(np.corrcoef(columns), 0, 1, [2, 3]) == pytest.approx(-0.6720863, abs=1e-7)
    ranks = stats.spearmanr(columns, axis=1).statistic
    assert partial_correlation(ranks, 0, 1, [2, 3]) == pytest.approx(-0.7647345, abs=1e-7)


def test_of_many_matrices_it_is_the_correlation_of_residuals():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(5, 4, 30)) + rng.normal(size=(5, 1, 30))
    found = partial_correlation(np.stack([np.corrcoef(one) for one in columns]), 2, 0, [1, 3])
    for one, value in zip(columns, found, strict=True):
        others = np.stack([np.ones(30), one[1], one[3]], axis=1)
        first, second = (y - others @ np.linalg.lstsq(others, y)[0] for y in (one[2], one[0]))
        assert value == pytest.approx(np.corrcoef(first, second)[0, 1])


def test_the_same_variable_given_twice_counts_once():
    matrix = np.corrcoef(np.random.default_rng(0).normal(size=(3, 20)))
    twice = matrix[np.ix_([0, 1, 2, 2], [0, 1, 2, 2])]
    assert partial_correlation(twice, 0, 1, [2, 3]) == pytest.approx(partial_correlation(matrix, 0, 1, [2]))


def test_nothing_is_left_of_what_the_others_determine():
    x = np.random.default_rng(0).normal(size=(2, 20))
    assert np.isnan(partial_correlation(np.corrcoef([x[0], x[1], x[0]]), 0, 1, [2]))
    unknown = np.array([[1, np.nan, 0.5], [np.nan, 1, 0.5], [0.5, 0.5, 1]])
    assert np.isnan(partial_correlation(unknown, 0, 1, [2]))


def test_mistakes_of_partial_correlations():
    with pytest.raises(InputError, match=r"correlations: found shape \(2, 3\), expected"):
        partial_correlation(np.ones((2, 3)), 0, 1, [])
    with pytest.raises(InputError, match=r"given: found \[1\], expected others than 0 and 1"):
        partial_correlation(np.eye(3), 0, 1, [1])


def test_steiger_against_r():
    """R: cocor.dep.groups.overlap(0.0228, 0.3522, 0.3718, 553) gives z = -7.1345 for steiger1980."""
    z, p = steiger(0.0228, 0.3522, 0.3718, 553)
    assert z == pytest.approx(-7.1345, abs=3e-4)  # the correlations were printed with four digits
    assert p == pytest.approx(2 * stats.norm.cdf(z))


def test_steiger_keeps_its_level():
    """Two metrics that are equally good: one in twenty samples differs at the 5 % level."""
    rng, rejected = np.random.default_rng(0), 0
    for _ in range(1000):
        common = rng.normal(size=(1, 100))
        x, y, target = common + rng.normal(size=(3, 100))
        matrix = np.corrcoef([x, y, target])
        rejected += steiger(matrix[0, 2], matrix[1, 2], matrix[0, 1], 100)[1] < 0.05
    assert 30 <= rejected <= 72  # 50 less and plus three standard errors of 6.9


def test_where_steigers_test_says_nothing():
    assert steiger(0.5, 0.5, 1.0, 100) == (0.0, 1.0)
    assert np.isnan(steiger(0.5, 0.6, 0.5, 3)).all()
    assert np.isnan(steiger(1.0, 0.6, 0.6, 30)).all()
    assert np.isnan(steiger(np.nan, 0.6, 0.6, 30)).all()
    with pytest.raises(InputError, match=r"between: found 1.5, expected a correlation between -1 and 1"):
        steiger(0.5, 0.6, 1.5, 30)


def test_the_ceiling_is_what_the_truth_itself_reaches():
    """Two trainings a network, whose noise is as large as what they have in common."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=100_000)
    first, second = truth + rng.normal(size=(2, 100_000))
    agreement = np.corrcoef(first, second)[0, 1]
    for trainings, target in [(1, first), (2, first + second)]:
        assert attenuation_ceiling(agreement, trainings) == pytest.approx(np.corrcoef(truth, target)[0, 1], abs=0.01)
    assert np.isnan(attenuation_ceiling(-0.1, 2))
