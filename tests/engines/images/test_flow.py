import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from epsinas.engines.images.flow import DualMap, Flow, mean_flow
from epsinas.engines.images.full_width import FullWidth, FullWidthNetwork
from epsinas.engines.images.inside import layer_weights, without_batch_norm
from epsinas.spaces import NasBench101, NasBench201

ARCHITECTURES = [
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|",
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|",
    "|none~0|+|skip_connect~0|nor_conv_3x3~1|+|nor_conv_1x1~0|avg_pool_3x3~1|avg_pool_3x3~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
]


def mean_weights(kind, weight, bias):
    """Fill a layer with the mean absolute value of torch's initial weights."""
    weight.fill_(1 / (2 * math.sqrt(weight[0].numel())))
    if bias is not None:
        bias.zero_()


def full_width(space, architecture, image):
    """SynFlow of the network of mean weights by torch, in float64."""
    network = FullWidthNetwork(space, architecture, image, mean_weights, torch.float64)
    total = without_batch_norm(network, torch.ones(1, *image, dtype=torch.float64)).sum()
    weights = layer_weights(network)
    gradients = torch.autograd.grad(total, weights, materialize_grads=True)
    return sum((weight.detach() * gradient).sum().item() for weight, gradient in zip(weights, gradients, strict=True))


def check(space, architecture, image):
    mantissa, exponent = mean_flow(space, architecture, image)
    assert math.ldexp(mantissa, exponent) == pytest.approx(full_width(space, architecture, image), rel=1e-12)


@pytest.mark.parametrize("image", [(3, 8, 8), (1, 12, 20)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_agrees_with_torch(architecture, image):
    check(NasBench201(channels=2, cells=2, classes=3), architecture, image)


@pytest.mark.parametrize("number", range(8))
def test_agrees_with_torch_where_channels_are_joined_cut_and_pooled(number):
    space = NasBench101(channels=4, cells=1)
    check(space, space.sample(8, np.random.default_rng(1))[number], (3, 8, 8))


def test_agrees_with_torch_at_the_benchmarks_size():
    check(NasBench201(), ARCHITECTURES[0], (3, 32, 32))


def test_derivatives_by_hand():
    """One pixel of two equal channels: 2 w1 = 1, then 3 w2 = 3 / (2 sqrt 3), and the derivative counts the layers."""
    flow = Flow()
    one = ((DualMap(np.array([1.0, 0.0]).reshape(2, 1, 1), 0), 2),)
    y = flow.linear(flow.conv(one, 3, 1), 1)
    ((found, count),) = y
    value = 2 / (2 * math.sqrt(2)) * 3 / (2 * math.sqrt(3))
    assert count == 1
    assert np.ldexp(found.dual, found.exponent).ravel().tolist() == pytest.approx([value, 2 * value], rel=1e-15)


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (2, 2), (3, 1), (3, 2)])
@pytest.mark.parametrize("operation", ["avg_pool", "max_pool"])
def test_windows_agree_with_torch(operation, kernel, stride):
    """Values, and the derivatives where the values are largest."""
    values = torch.rand(1, 1, 8, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    changes = torch.rand(1, 1, 8, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    pool = getattr(FullWidth(iter(())), operation)
    expected = torch.autograd.functional.jvp(lambda x: pool(x, kernel, stride), values, changes)
    dual = torch.cat([values, changes])[:, 0].numpy()
    ((found, _),) = getattr(Flow(), operation)(((DualMap(dual, 0), 5),), kernel, stride)
    for got, wanted in zip(found.dual, expected, strict=True):
        np.testing.assert_allclose(got, wanted[0, 0].numpy(), rtol=1e-13)


def test_runs_are_joined_cut_and_refined():
    a, b = (DualMap(np.full((2, 1, 1), value), 0) for value in (1.0, 10.0))
    flow = Flow()
    joined = flow.concat([((a, 2),), ((b, 3),)])
    assert [count for _, count in flow.truncate(joined, 3)] == [2, 1]
    assert flow.truncate(joined, 2) == ((a, 2),)
    sums = flow.add([joined, flow.concat([((b, 4),), ((a, 1),)])])
    assert [(float(one.dual[0, 0, 0]), count) for one, count in sums] == [(11, 2), (20, 2), (11, 1)]


def test_maps_of_different_powers_are_added():
    small, large = DualMap(np.ones((2, 1, 1)), -3), DualMap(np.ones((2, 1, 1)), 4)
    flow = Flow()
    ((found, _),) = flow.add([((small, 1),), ((large, 1),), flow.zeros(((small, 1),))])
    assert np.ldexp(found.dual, found.exponent)[0, 0, 0] == 2.0**-3 + 2.0**4
    # Zeros have no power that could hide what is small beside it.
    tiny = DualMap(np.ones((2, 1, 1)), -5000)
    ((found, _),) = flow.add([((tiny, 1),), flow.zeros(((small, 1),))])
    assert (found.dual[0, 0, 0], found.exponent) == (1, -5000)


@dataclass(frozen=True)
class Deep:
    """A chain of convolutions."""

    name: ClassVar[str] = "deep"
    family: ClassVar[str] = "images"

    def network(self, ops, architecture, images):
        x = images
        for _ in range(int(architecture)):
            x = ops.conv(x, 64, 1)
        return ops.linear(ops.global_avg_pool(x), 1)


def test_what_leaves_the_range_of_float64():
    """Each of the convolutions multiplies by 64 / (2 sqrt 64) = 4, the first by 16 / (2 sqrt 16) = 2."""
    mantissa, exponent = mean_flow(Deep(), "1000", (16, 1, 1))
    assert math.log2(mantissa) + exponent == pytest.approx(1 + 2 * 999 + 2 + math.log2(1001), rel=1e-14)
