import math

import pytest
import torch

from epsinas.metrics.intrain import evenness, intrain_score, participation_ratio


def test_the_participation_ratio():
    # Variances 4 and 1 in two directions: (4 + 1)^2 / (16 + 1), for maps of two places.
    maps = torch.tensor([[[2.0, 2.0], [1.0, -1.0]], [[-2.0, -2.0], [1.0, -1.0]]])[..., None]
    assert participation_ratio(maps) == pytest.approx(25 / 17)
    assert participation_ratio(torch.zeros(3, 2, 1, 1)) == 1


def test_even_gradients():
    assert evenness(torch.tensor([1.0, -1.0])) == pytest.approx(1)
    assert evenness(torch.tensor([0.0, 0.0, 0.0, 4.0])) == pytest.approx(math.sqrt(3) / 4)
    assert evenness(torch.zeros(3)) == 0


def test_capacity_and_resilience():
    assert intrain_score([2.0, 4.0, 1.0], [1.0, 0.5]) == pytest.approx(3 * math.log(2) * 2.5 / math.log(4))
