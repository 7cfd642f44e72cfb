import numpy as np
import pytest
import torch

from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.engines.images.initialisers import random
from epsinas.engines.images.inside import apart, layer_outputs, layer_weights, without_batch_norm
from epsinas.spaces import NasBench101, NasBench201

ALL = "|{0}~0|+|{0}~0|{0}~1|+|{0}~0|{0}~1|{0}~2|"
SPACE = NasBench201(channels=3, cells=1, classes=4)
IMAGES = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=["none", "nor_conv_1x1", "nor_conv_3x3"])
def network(request):
    fill = random("kaiming_normal", torch.Generator().manual_seed(1))
    return FullWidthNetwork(SPACE, ALL.format(request.param), (3, 8, 8), fill)


def test_outputs_and_weights_of_the_same_layers(network):
    outputs, weights = layer_outputs(network, IMAGES), layer_weights(network)
    assert [output.shape[1] for output in outputs] == [len(weight) for weight in weights]
    torch.testing.assert_close(outputs[-1], network(IMAGES), rtol=0, atol=0)
    stem = torch.nn.functional.conv2d(IMAGES, weights[0], padding=1)
    torch.testing.assert_close(outputs[0], stem, rtol=0, atol=0)


def test_without_batch_norm_is_normalisation_by_mean_0_and_variance_1(network):
    """The scale is 1 and the shift 0 here."""
    statistics = [(torch.zeros_like(mean), torch.full_like(mean, 1 - 1e-5)) for mean, _ in network.statistics(IMAGES)]
    torch.testing.assert_close(without_batch_norm(network, IMAGES), network(IMAGES, statistics))


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_apart_is_a_batch_of_one_image_after_another(seed):
    space = SPACE if seed is None else NasBench101(channels=4, cells=1)
    cell = ALL.format("nor_conv_3x3") if seed is None else space.sample(1, np.random.default_rng(seed))[0]
    fill = random("kaiming_normal", torch.Generator().manual_seed(1))
    network = FullWidthNetwork(space, cell, (3, 8, 8), fill, torch.float64)
    images = IMAGES.double()
    weights, logits = apart(network, images)
    gradients = torch.autograd.grad(logits.square().sum(), weights)
    for number, image in enumerate(images):
        alone = network(image[None])
        torch.testing.assert_close(logits[number], alone[0])
        expected = torch.autograd.grad(alone.square().sum(), layer_weights(network))
        for all_copies, one in zip(gradients, expected, strict=True):
            torch.testing.assert_close(all_copies.unflatten(0, (len(images), -1))[number], one)
