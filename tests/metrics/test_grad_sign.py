import numpy as np
import pytest
import torch

from tests.metrics.toys import MIXED, TINY, linear, score, subject


def test_a_linear_network_by_hand(batch):
    """The gradient of image i is (p - y)_i m_i^T."""
    one, _, means, _, errors = linear(batch)
    signs = np.sign(errors[:, :, None] * means[:, None, :])
    assert score("grad_sign", one).score == pytest.approx(np.abs(signs.sum(axis=0)).sum(), rel=1e-12)


def test_one_image_agrees_with_itself(batch):
    """On all nine weights."""
    one, *_ = linear(batch[:1])
    assert score("grad_sign", one).score == 9


def test_each_image_goes_through_the_network_by_itself(batch):
    one = subject(TINY, MIXED, batch)
    network, rows = one.copy(), []
    for image, label in zip(one.tensor, torch.from_numpy(one.labels), strict=True):
        network.zero_grad()
        torch.nn.functional.cross_entropy(network(image[None]), label[None]).backward()
        rows.append(torch.cat([parameter.grad.flatten() for parameter in network.parameters() if parameter.ndim > 1]))
    expected = torch.stack(rows).sign().sum(dim=0).abs().sum().item()
    assert score("grad_sign", one).score == pytest.approx(expected, rel=1e-4)
