import math

import pytest
import torch

from epsinas.metrics.zico import log_coefficients
from tests.metrics.toys import MIXED, TINY, linear, score, subject


def test_coefficients_by_hand():
    first = [torch.tensor([[4.0, 1.0], [2.0, 0.0]]), torch.tensor([1.0, 1.0])]
    second = [torch.tensor([[2.0, -1.0], [2.0, 1.0]]), torch.tensor([3.0, 0.0])]
    # Means of the sizes over deviations: 3/1, 1/1, (left out: 2/0), 0.5/0.5, then 2/1, 0.5/0.5.
    assert log_coefficients(first, second) == pytest.approx(math.log(5) + math.log(3), rel=1e-15)


def test_they_are_means_over_deviations():
    torch.manual_seed(0)
    first, second = torch.randn(2, 5, 3).unbind()
    both = torch.stack([first, second]).double()
    expected = (both.abs().mean(dim=0) / both.std(dim=0, correction=0)).sum().log().item()
    assert log_coefficients([first], [second]) == pytest.approx(expected, rel=1e-12)


def test_layers_whose_gradients_do_not_differ_are_left_out():
    same = torch.ones(3)
    assert log_coefficients([same], [same]) == 0


def test_a_linear_network_by_hand(batch):
    """Halves of four images, without batch normalisation."""
    one, _, means, _, errors = linear(batch)
    first, second = (torch.from_numpy(errors[part].T @ means[part] / 4) for part in (slice(4), slice(4, 8)))
    assert score("zico", one).score == pytest.approx(log_coefficients([first], [second]), rel=1e-4)


def test_each_half_goes_through_the_network_by_itself(batch):
    one = subject(TINY, MIXED, batch)
    gradients = []
    for part in (slice(4), slice(4, 8)):
        network = one.copy()
        loss = torch.nn.functional.cross_entropy(network(one.tensor[part]), torch.from_numpy(one.labels[part]))
        loss.backward()
        gradients.append([parameter.grad for parameter in network.parameters() if parameter.ndim > 1])
    assert score("zico", one).score == pytest.approx(log_coefficients(*gradients), rel=1e-6)
