"""Correlations of the images' gradients: jacob_cov and epe_nas."""

import numpy as np
import pytest
import torch

from epsinas import InputError
from epsinas.metrics.epe_nas import class_correlations
from epsinas.metrics.gradients import input_gradients
from epsinas.metrics.jacob_cov import spread_of_eigenvalues
from tests.metrics.toys import MIXED, TINY, Toy, labels_of, score, subject

K = 1e-5
# Rows 0 and 1 do not correlate, 2 is the opposite of 0 and 3 is 1 again.
ROWS = np.array([[1.0, -1, 0, 0], [0, 0, 1, -1], [-2, 2, 0, 0], [0, 0, 3, -3]])


def test_eigenvalues_by_hand():
    """Two pairs that correlate fully have the eigenvalues 2, 2, 0, 0."""
    expected = -2 * (np.log(2 + K) + 1 / (2 + K) + np.log(K) + 1 / K)
    assert spread_of_eigenvalues(ROWS) == pytest.approx(expected, rel=1e-6)


def test_a_linear_map_has_the_same_gradient_for_every_image(batch):
    one = subject(Toy(), "linear", batch, classes=3)
    expected = -(np.log(8 + K) + 1 / (8 + K)) - 7 * (np.log(K) + 1 / K)
    assert score("jacob_cov", one).score == pytest.approx(expected, rel=1e-4)
    # 8 images of labels 0 to 2: 3, 3 and 2, and every pair correlates fully.
    assert score("epe_nas", one).score == pytest.approx((9 + 9 + 4) * np.log1p(K), rel=1e-3)


def test_the_gradient_is_that_of_the_logits_of_all_images(batch):
    """By a difference: batch normalisation hands what one image changes on to the others."""
    one = subject(TINY, MIXED, batch)
    found, network, step = one.once(input_gradients), one.copy().double(), 1e-5
    with torch.no_grad():
        ends = []
        for sign in (1, -1):
            images = one.tensor.double().clone()
            images[3, 1, 4, 2] += sign * step
            ends.append(network(images).sum().item())
    assert found.shape == (8, 3 * 8 * 8)
    assert found[3, 1 * 64 + 4 * 8 + 2] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-3)


def test_classes_by_hand():
    """The first class has rows 0 and 1, the second 2 and 3 and 0 again."""
    first = 2 * np.log(1 + K) + 2 * np.log(K)
    second = 5 * np.log(1 + K) + 4 * np.log(K)
    rows, labels = ROWS[[0, 1, 2, 3, 0]], np.array([7, 7, 4, 4, 4])
    assert class_correlations(rows, labels, 100) == pytest.approx(abs(first) + abs(second), rel=1e-9)
    assert class_correlations(rows, labels, 101) == pytest.approx(2 * abs(first / 2 - second / 3) / 2, rel=1e-9)


def test_a_class_with_one_image_correlates_with_itself():
    assert class_correlations(ROWS[:1], np.array([2]), 10) == pytest.approx(np.log1p(K), rel=1e-9)


def test_of_many_classes_those_with_one_image_are_left_out():
    rows, labels = ROWS[[0, 1, 2, 3, 0]], np.array([7, 7, 4, 4, 9])
    first, second = 2 * np.log(1 + K) + 2 * np.log(K), 2 * np.log(1 + K) + 2 * np.log(K)
    assert class_correlations(rows, labels, 100) == pytest.approx(abs(first) + abs(second) + np.log1p(K), rel=1e-9)
    assert class_correlations(rows, labels, 101) == 0
    assert class_correlations(rows, np.arange(5), 101) == 0
    unequal = class_correlations(ROWS[[0, 1, 0, 0, 1]], np.array([7, 7, 4, 4, 9]), 101)
    assert unequal == pytest.approx(2 * abs(first / 2 - 4 * np.log1p(K) / 2) / 2, rel=1e-9)


@pytest.mark.parametrize("name", ["jacob_cov", "zico"])
def test_one_image_is_too_few(batch, name):
    message = f"^batch: found 1, expected two or more images or sequences, which {name} compares$"
    with pytest.raises(InputError, match=message):
        score(name, subject(TINY, MIXED, batch[:1]))


def test_no_score_where_an_image_has_no_gradient():
    rows = np.vstack([ROWS, np.zeros(4)])
    assert np.isnan(spread_of_eigenvalues(rows))
    assert np.isnan(class_correlations(rows, labels_of(rows, 2), 10))
