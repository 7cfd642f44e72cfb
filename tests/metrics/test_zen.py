import math

import numpy as np
import pytest
import torch

from epsinas.metrics.zen import zen_score
from tests.subjects import full_width_network

TWO, ONE = torch.full((1, 1, 1, 1), 2.0), torch.ones(1)


def column(*values):
    return torch.tensor(values).reshape(-1, 1, 1, 1)


def test_a_linear_network():
    network = full_width_network(lambda ops, x: ops.global_avg_pool(ops.conv(x, 1, 1)), TWO)
    noise = torch.tensor([[1.0, -1.0], [3.0, 0.0]]).reshape(2, 1, 1, 2)
    # |2 * 0.01 e| summed over the pixels of an image is 0.04 and 0.06.
    assert zen_score(network, torch.zeros(2, 1, 1, 2), noise) == pytest.approx(math.log(0.05))


def test_batch_normalisation_adds_the_logarithm_of_the_deviation_it_divides_by():
    def describe(ops, x):
        return ops.global_avg_pool(ops.batch_norm(ops.conv(x, 1, 1)))

    def normalised(values):
        return (2 * values - np.mean(2 * values)) / np.sqrt(np.var(2 * values) + 1e-5)

    images = np.array([-1.0, 0.0, 1.0])
    moved = images + 0.01 * np.array([0.0, 1.0, 0.0])
    distance = np.abs(normalised(images) - normalised(moved)).mean()
    found = zen_score(full_width_network(describe, TWO, ONE), column(-1.0, 0.0, 1.0), column(0.0, 1.0, 0.0))
    assert found == pytest.approx(math.log(distance) + math.log(4 * 2 / 3) / 2, rel=1e-4)


def test_what_does_not_vary_is_left_out():
    def describe(ops, x):
        return ops.global_avg_pool(ops.add([x, ops.batch_norm(ops.zeros(x))]))

    found = zen_score(full_width_network(describe, ONE), column(1.0, 2.0), column(1.0, 1.0))
    assert found == pytest.approx(math.log(0.01), rel=1e-4)


def test_maps_that_do_not_move_have_no_score():
    network = full_width_network(lambda ops, x: ops.global_avg_pool(ops.zeros(x)))
    assert zen_score(network, column(1.0, 2.0), column(1.0, 1.0)) == -math.inf
