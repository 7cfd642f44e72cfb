import numpy as np
import pytest
import torch

from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.engines.images.inside import layer_weights
from epsinas.engines.images.second_order import curvature, mixed_logits
from epsinas.engines.initialisation import default
from epsinas.spaces import NasBench101, NasBench201

SPACES = [(NasBench201(channels=2, cells=1), None), *((NasBench101(channels=4, cells=1), seed) for seed in range(3))]


def toy(space, seed):
    """A network, images, and a direction for each of its weights, in double precision."""
    mixed = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
    architecture = mixed if seed is None else space.sample(1, np.random.default_rng(seed))[0]
    generator = torch.Generator().manual_seed(0)
    network = FullWidthNetwork(space, architecture, (3, 8, 8), default(generator)).double()
    with torch.no_grad():  # also of normalisations: none is 1 or 0
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn(parameter.shape, dtype=torch.float64, generator=generator), alpha=0.3)
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64, generator=generator)
    directions = [torch.randn(w.shape, dtype=w.dtype, generator=generator) for w in layer_weights(network)]
    return network, images, directions


@pytest.mark.parametrize(("space", "seed"), SPACES)
def test_derivatives_of_logits_are_torch_s(space, seed):
    """Written out: the logits as a function of a and b, differentiated by torch."""
    network, images, directions = toy(space, seed)
    names = [name for name, parameter in network.named_parameters() if parameter.ndim > 1]
    parameters = {name: parameter.detach() for name, parameter in network.named_parameters()}

    def logits(a, b):
        moved = {name: parameters[name] * (1 + a) + b * d for name, d in zip(names, directions, strict=True)}
        return torch.func.functional_call(network, parameters | moved, (images,))

    zero = torch.zeros((), dtype=torch.float64)
    by_a, by_b = torch.func.jacrev(logits, (0, 1))(zero, zero)
    by_both = torch.func.jacrev(torch.func.jacrev(logits, 0), 1)(zero, zero)
    found = mixed_logits(network, images, directions)
    for own, expected in zip(found, (logits(zero, zero), by_a, by_b, by_both), strict=True):
        torch.testing.assert_close(own, expected.detach(), rtol=1e-9, atol=1e-9 * float(expected.abs().max()))


@pytest.mark.parametrize(("space", "seed"), SPACES)
def test_curvature_is_that_of_two_backward_passes(space, seed):
    network, images, directions = toy(space, seed)
    weights = layer_weights(network)

    def loss(logits):
        return torch.nn.functional.cross_entropy(logits, torch.arange(6) % 5)

    gradients = torch.autograd.grad(loss(network(images)), weights, create_graph=True, materialize_grads=True)
    along = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))
    products = torch.autograd.grad(along, weights, materialize_grads=True)
    expected = sum(float((w.detach() * p).sum()) for w, p in zip(weights, products, strict=True))
    assert curvature(network, images, loss, directions) == pytest.approx(expected, rel=1e-9)
