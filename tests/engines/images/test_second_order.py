import numpy as np
import pytest
import torch

from epsinas.engines.images import second_order
from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.engines.images.inside import layer_weights
from epsinas.engines.initialisation import default
from epsinas.spaces import NasBench101, NasBench201


@pytest.mark.parametrize("space", [NasBench201(channels=2, cells=1), NasBench101(channels=4, cells=1)])
def test_first_and_second_derivatives_are_torch_s(space):
    """Along a random direction, in double precision."""
    architecture = space.sample(1, np.random.default_rng(2))[0]
    network = FullWidthNetwork(space, architecture, (3, 8, 8), default(torch.Generator().manual_seed(0))).double()
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weights, found = layer_weights(network), []
    for outputs in (network(images), second_order.logits(network, images)):
        gradients = torch.autograd.grad(outputs.square().sum(), weights, create_graph=True, materialize_grads=True)
        generator = torch.Generator().manual_seed(3)
        along = sum((g * torch.randn(g.shape, dtype=g.dtype, generator=generator)).sum() for g in gradients)
        products = torch.autograd.grad(along, weights, materialize_grads=True)
        found.append([*(g.detach() for g in gradients), *products])
    for own, expected in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max() + 1e-3))
