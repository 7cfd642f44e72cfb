import numpy as np
import pytest
from scipy.stats import spearmanr

from epsinas.errors import InputError
from epsinas.evaluation.few_labels import (
    FARTHEST,
    by_aggregator,
    by_forest,
    by_ridge,
    by_score,
    label_splits,
    learning_curve,
    standardised,
)

LEARNERS = {"ridge": by_ridge, "forest": by_forest, "aggregator": by_aggregator}


def splits(classes, sizes, repeats=3, seed=0):
    return label_splits(classes, sizes, repeats, np.random.default_rng(seed))


def shaped(name, features):
    """Layers and statistics for the aggregator, rows for the others."""
    return features.reshape(len(features), -1, 2) if name == "aggregator" else features


def test_no_class_is_on_both_sides_and_each_is_labelled_once():
    classes = np.random.default_rng(0).integers(60, size=200)
    for labelled, asked, _ in splits(classes, [2, 10, 30]):
        assert len(set(classes[labelled])) == len(labelled)
        assert set(classes[labelled]).isdisjoint(classes[asked])
        assert set(classes[labelled]) | set(classes[asked]) == set(classes)
        assert sorted(asked) == np.flatnonzero(~np.isin(classes, classes[labelled])).tolist()


def test_within_a_repeat_smaller_sets_begin_larger_ones():
    found = splits(range(50), [5, 20], repeats=4)
    assert [(len(one.labelled), one.repeat) for one in found] == [(size, r) for r in range(4) for size in (5, 20)]
    for small, large in zip(found[::2], found[1::2], strict=True):
        assert small.labelled.tolist() == large.labelled[:5].tolist()
    assert len({tuple(one.labelled) for one in found[::2]}) == 4


def test_any_network_of_a_class_may_be_labelled():
    """Of two networks that train alike, either is taken about as often."""
    classes = np.repeat(np.arange(20), 2)
    labelled = np.concatenate([one.labelled for one in splits(classes, [10], repeats=200)])
    assert 0.45 < np.mean(labelled % 2) < 0.55
    counts = np.bincount(classes[labelled], minlength=20)
    assert counts.min() > 70
    assert counts.max() < 130


def test_sizes_that_leave_too_few_are_left_out():
    assert {len(one.labelled) for one in splits(range(30), [10, 20, 21, 500])} == {10, 20}


@pytest.mark.parametrize(
    ("sizes", "repeats", "message"),
    [
        ([10], 0, "repeats: found 0, expected 1 or more"),
        ([], 1, "sizes: found none, expected numbers of networks, 2 or more"),
        ([1, 10], 1, "sizes: found 1, 10, expected numbers of networks, 2 or more"),
        (
            [21, 50],
            1,
            "sizes: found 21 or more of 30 networks that train differently, expected at most 20, so that 10 remain",
        ),
    ],
)
def test_splits_that_cannot_be_drawn(sizes, repeats, message):
    with pytest.raises(InputError, match=message):
        splits(range(30), sizes, repeats)


def test_a_curve_by_hand():
    """A score that ranks as the performance does, but for the best network, which it has last."""
    performance = np.arange(20.0)
    score = np.where(performance == 19, -1.0, performance)
    drawn = splits(range(20), [5], repeats=20)
    curve = learning_curve(score[:, None], performance, drawn, by_score)
    expected = [spearmanr(score[one.asked], performance[one.asked]).statistic for one in drawn]
    # With that network among 15, and with 15 others: 1 - 6 * (14**2 + 14) / (15 * (15**2 - 1)), and 1.
    assert set(np.round(expected, 9)) == {0.625, 1.0}
    row = curve.iloc[0]
    assert (row["labels"], row["repeats"], row["archs"]) == (5, 20, 15)
    assert row["spearman"] == pytest.approx(np.mean(expected))
    assert row["spearman_low"] == pytest.approx(np.quantile(expected, 0.025))
    assert row["spearman_high"] == pytest.approx(np.quantile(expected, 0.975))


@pytest.mark.parametrize("name", LEARNERS)
def test_the_performance_itself_as_a_feature(name):
    performance = np.random.default_rng(0).normal(size=150)
    features = shaped(name, np.stack([performance, performance**3], axis=1))
    curve = learning_curve(features, performance, splits(range(150), [60], 2), LEARNERS[name])
    assert curve["spearman"][0] > 0.98


@pytest.mark.parametrize("name", LEARNERS)
def test_shuffled_labels_teach_nothing(name):
    rng = np.random.default_rng(1)
    features = shaped(name, rng.normal(size=(200, 4)))
    performance = rng.permutation(np.arange(200.0))
    curve = learning_curve(features, performance, splits(range(200), [50], 4), LEARNERS[name])
    # The standard error of a mean over four sets of 150 networks, not independent, is below 0.08.
    assert abs(curve["spearman"][0]) < 0.2


@pytest.mark.parametrize("name", LEARNERS)
def test_ranks_are_learned(name):
    """A monotone change of the performances changes no prediction."""
    rng = np.random.default_rng(2)
    features = shaped(name, rng.normal(size=(60, 4)))
    performance = rng.normal(size=60)
    first, second = (LEARNERS[name](features[:30], one[:30], features[30:], 0) for one in (performance, performance**3))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["forest", "aggregator"])
def test_the_seed_decides(name):
    rng = np.random.default_rng(3)
    features, performance = shaped(name, rng.normal(size=(60, 4))), rng.normal(size=60)
    first, again, other = (LEARNERS[name](features[:30], performance[:30], features[30:], s) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_more_labels_teach_more():
    rng = np.random.default_rng(4)
    features = rng.normal(size=(400, 10))
    performance = features @ rng.normal(size=10) + rng.normal(size=400)
    for learner in (by_ridge, by_forest):
        spearman = learning_curve(features, performance, splits(range(400), [10, 200], 4), learner)["spearman"]
        assert spearman[1] > spearman[0] + 0.1


def test_a_prediction_that_says_nothing_has_no_correlation():
    curve = learning_curve(np.zeros((30, 1)), np.arange(30.0), splits(range(30), [5]), by_score)
    assert curve["spearman"][0] == 0


def test_standardised_by_hand():
    known = np.array([[1.0, 5.0, 0.1], [3.0, 5.0, 0.1]])
    first, second = standardised(known, np.array([[4.0, 9.0, 0.2], [1e9, 5.0, 0.1]]))
    np.testing.assert_array_equal(first, [[-1, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(second, [[2, 0, 0], [FARTHEST, 0, 0]])


@pytest.mark.parametrize(
    ("features", "performance", "message"),
    [
        (np.zeros((3, 1)), np.zeros(4), r"features: found shape \(3, 1\), expected a row for each of \(4,\) perf"),
        (np.full((4, 1), np.nan), np.zeros(4), "features: found a value that is not finite, expected one for each"),
        (np.zeros((4, 1)), np.full(4, np.inf), "performance: found a value that is not finite, expected one for each"),
    ],
)
def test_what_no_curve_is_made_of(features, performance, message):
    with pytest.raises(InputError, match=message):
        learning_curve(features, performance, [], by_ridge)


def test_a_score_is_one_feature():
    with pytest.raises(InputError, match=r"features: found shape \(15, 2\), expected \(networks, 1\), a score"):
        learning_curve(np.zeros((20, 2)), np.arange(20.0), splits(range(20), [5]), by_score)
