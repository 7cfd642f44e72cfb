import numpy as np
import pytest
import torch

from epsinas.metrics.meco import meco_score, smallest_eigenvalue
from tests.subjects import full_width_network


def test_two_channels():
    maps = np.random.default_rng(0).standard_normal((2, 4, 4))
    correlation = np.corrcoef(maps.reshape(2, -1))[0, 1]
    assert smallest_eigenvalue(torch.from_numpy(maps)) == pytest.approx(1 - abs(correlation))


def test_a_channel_that_does_not_vary_correlates_with_none_nor_itself():
    maps = torch.stack([torch.arange(4.0), torch.full((4,), 3.0)])[:, None]
    assert smallest_eigenvalue(maps) == 0


def test_the_sum_over_layers():
    def describe(ops, x):
        return ops.relu(ops.batch_norm(ops.conv(x, 2, 1)))

    image = np.random.default_rng(0).standard_normal((1, 2, 4, 4))
    network = full_width_network(describe, torch.eye(2, dtype=torch.float64)[:, :, None, None], torch.ones(2).double())
    normalised = (image[0] - image.mean(axis=(0, 2, 3))[:, None, None]).reshape(2, -1)
    plain, rectified = (abs(np.corrcoef(maps)[0, 1]) for maps in (normalised, np.maximum(normalised, 0)))
    # Batch normalisation leaves correlations as the convolution has them.
    assert meco_score(network, torch.from_numpy(image)) == pytest.approx(2 * (1 - plain) + 1 - rectified, rel=1e-4)
