import math

import pytest
import torch

from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.engines.images.initialisers import RANDOM, constant, random
from epsinas.errors import InputError
from epsinas.spaces import NasBench201

# A convolution from 5 to 4 channels with a 3x3 window: 45 weights go in, 36 come out.
SHAPE = (4, 5, 3, 3)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def convolution(name: str) -> torch.Tensor:
    weight = torch.full(SHAPE, torch.nan)
    random(name, generator())("conv", weight, None)
    return weight


@pytest.mark.parametrize("kind", ["conv", "batch_norm", "linear"])
def test_constant_sets_every_weight_and_no_bias(kind):
    weight, bias = torch.full((3, 4), torch.nan), torch.full((3,), torch.nan)
    constant(1e-7)(kind, weight, bias)
    assert weight.equal(torch.full((3, 4), 1e-7))
    assert bias.equal(torch.zeros(3))


def test_constant_fills_a_layer_without_bias():
    weight = torch.empty(SHAPE)
    constant(2.0)("conv", weight, None)
    assert weight.equal(torch.full(SHAPE, 2.0))


def test_uniform_is_on_0_to_1():
    assert convolution("uniform").equal(torch.rand(SHAPE, generator=generator()))


def test_normal_is_standard():
    assert convolution("normal").equal(torch.randn(SHAPE, generator=generator()))


def test_kaiming_uniform_is_fan_in():
    bound = math.sqrt(6 / 45)
    expected = (2 * torch.rand(SHAPE, generator=generator()) - 1) * bound
    torch.testing.assert_close(convolution("kaiming_uniform"), expected)


def test_kaiming_normal_is_fan_out():
    expected = torch.randn(SHAPE, generator=generator()) * math.sqrt(2 / 36)
    torch.testing.assert_close(convolution("kaiming_normal"), expected)


def test_orthogonal_has_orthonormal_filters():
    weight = convolution("orthogonal")
    filters = weight.flatten(1)
    torch.testing.assert_close(filters @ filters.T, torch.eye(4))
    assert weight.equal(torch.nn.init.orthogonal_(torch.empty(SHAPE), generator=generator()))


def test_these_are_the_five_of_the_paper():
    assert set(RANDOM) == {"uniform", "normal", "kaiming_uniform", "kaiming_normal", "orthogonal"}


@pytest.mark.parametrize("name", RANDOM)
def test_normalisation_and_classifier_are_the_same_for_all(name):
    initialise = random(name, generator())
    scale, shift = torch.full((4,), torch.nan), torch.full((4,), torch.nan)
    initialise("batch_norm", scale, shift)
    assert scale.equal(torch.ones(4))
    assert shift.equal(torch.zeros(4))
    weight, bias = torch.full((10, 64), torch.nan), torch.full((10,), torch.nan)
    initialise("linear", weight, bias)
    torch.testing.assert_close(weight, 0.01 * torch.randn((10, 64), generator=generator()))
    assert bias.equal(torch.zeros(10))


def test_two_networks_continue_the_stream():
    space = NasBench201(channels=1, cells=0, classes=1)
    stream = generator()
    first, second = (
        FullWidthNetwork(space, next(space.architectures()), (3, 4, 4), random("normal", stream)) for _ in range(2)
    )
    replay = generator()
    for network in (first, second):
        for layer in network.layers:
            if layer.weight.dim() == 4:
                assert layer.weight.equal(torch.randn(layer.weight.shape, generator=replay))
            elif layer.weight.dim() == 2:
                torch.testing.assert_close(layer.weight.data, 0.01 * torch.randn(layer.weight.shape, generator=replay))
    assert not first.layers[0].weight.equal(second.layers[0].weight)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(InputError) as caught:
        random("xavier", generator())
    assert str(caught.value) == (
        "unknown initialisation 'xavier': expected one of uniform, normal, kaiming_uniform, kaiming_normal, orthogonal"
    )
