import pytest
import torch

from epsinas.engines.images.counting import Counting, Layer, Maps, count, layers
from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.engines.images.initialisers import constant
from epsinas.spaces import NasBench101, NasBench201

# One 3x3 and one 1x1 convolution; the 1x1 one leads nowhere and counts all the same.
ARCHITECTURE = "|nor_conv_1x1~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|avg_pool_3x3~2|"
ALL = "|{0}~0|+|{0}~0|{0}~1|+|{0}~0|{0}~1|{0}~2|"
TINY = NasBench201(channels=2, cells=1, classes=3)


def test_tiny_network_by_hand():
    # Weights of the convolutions at 8x8 and 2 channels, 4x4 and 4, 2x2 and 8; in brackets a reduction.
    stem, first = 3 * 2 * 9, 2 * 2 * 9 + 2 * 2
    second = [2 * 4 * 9 + 4 * 4 * 9 + 2 * 4, 4 * 4 * 9 + 4 * 4]
    third = [4 * 8 * 9 + 8 * 8 * 9 + 4 * 8, 8 * 8 * 9 + 8 * 8]
    # Batch normalisations: the stem's, two for each cell, two for each reduction, the last one.
    normalisation = 2 * (2 + 2 * 2) + 2 * (2 * 4 + 2 * 4) + 2 * (2 * 8 + 2 * 8) + 2 * 8
    classifier = 8 * 3 + 3

    counts = count(TINY, ARCHITECTURE, (3, 8, 8))
    assert counts.parameters == stem + first + sum(second) + sum(third) + normalisation + classifier
    assert counts.flops == 2 * ((stem + first) * 64 + sum(second) * 16 + sum(third) * 4 + 8 * 3)
    assert counts.convolutions == 1 + 3 * 2 + 2 * 3
    assert counts.layers == counts.convolutions + (1 + 3 * 2 + 2 * 2 + 1) + 1
    # A ReLU before each convolution of a cell and the two of a reduction, and one at the end.
    assert counts.relus == 3 * 2 + 2 * 2 + 1
    # Stem, three cells with one convolution on a path, two reductions with two, classifier.
    assert counts.depth == 1 + 3 * 1 + 2 * 2 + 1


@pytest.mark.parametrize(
    ("architecture", "depth"),
    [
        (ALL.format("nor_conv_3x3"), 1 + 3 * 3 + 2 * 2 + 1),
        (ALL.format("skip_connect"), 1 + 2 * 2 + 1),
        # A convolution that the images do not reach is no step of their path.
        ("|none~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|none~1|avg_pool_3x3~2|", 1 + 2 * 2 + 1),
        (ALL.format("none"), 0),
        ("|none~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_3x3~2|", 0),
    ],
)
def test_depth_is_that_of_the_longest_path(architecture, depth):
    assert count(TINY, architecture, (3, 8, 8)).depth == depth


def test_depth_and_relus_of_vertices():
    """Input to 3x3 to 1x1 to output, and input to output: the input's projections are convolutions, too."""
    cell = "0101001000010000:input,conv3x3-bn-relu,conv1x1-bn-relu,output"
    counts = count(NasBench101(channels=4, cells=2), cell, (3, 8, 8))
    assert counts.convolutions == counts.relus == 1 + 6 * 4
    assert counts.depth == 1 + 6 * 3 + 1


@pytest.mark.parametrize("operation", ["none", "skip_connect", "avg_pool_3x3"])
def test_edges_without_weights_leave_the_skeleton(operation):
    assert count(NasBench201(), ALL.format(operation)).parameters == 73_306


def test_parameters_of_the_benchmark():
    space = NasBench201()
    for architecture in list(space.architectures())[::487]:
        expected = 73_306 + 243_040 * architecture.count("nor_conv_3x3") + 28_000 * architecture.count("nor_conv_1x1")
        assert count(space, architecture).parameters == expected
    assert count(space, ALL.format("nor_conv_3x3")).parameters == 1_531_546


@pytest.mark.parametrize(("classes", "parameters"), [(1, 72_721), (100, 79_156), (120, 80_456)])
def test_classes_add_65_parameters_each(classes, parameters):
    assert count(NasBench201(classes=classes), ALL.format("none")).parameters == parameters


def test_parameters_do_not_depend_on_the_image_and_flops_grow_with_its_area():
    counts = {side: count(NasBench201(), ARCHITECTURE, (3, side, side)) for side in (16, 32)}
    assert counts[16].parameters == counts[32].parameters
    classifier = 2 * 64 * 10
    assert counts[32].flops - classifier == 4 * (counts[16].flops - classifier)


@pytest.mark.parametrize("operation", ["none", "nor_conv_1x1", "nor_conv_3x3"])
def test_agrees_with_the_full_width_network(operation):
    architecture = ALL.format(operation)
    network = FullWidthNetwork(TINY, architecture, (3, 8, 8), constant(1.0))
    counts = count(TINY, architecture, (3, 8, 8))
    assert sum(parameter.numel() for parameter in network.parameters()) == counts.parameters
    assert len(network.layers) == counts.layers


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2)])
def test_shape_of_a_convolution_agrees_with_torch(kernel, stride, size):
    expected = torch.nn.Conv2d(3, 5, kernel, stride, padding=kernel // 2)(torch.zeros(1, 3, size, 8)).shape[1:]
    assert Counting().conv(Maps(3, size, 8), 5, kernel, stride)[:3] == tuple(expected)


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 1, 1)])
def test_shape_of_a_pooling_agrees_with_torch(kernel, stride, padding, size):
    expected = torch.nn.AvgPool2d(kernel, stride, padding)(torch.zeros(1, 3, size, 8)).shape[1:]
    assert Counting().avg_pool(Maps(3, size, 8), kernel, stride)[:3] == tuple(expected)


def test_layers_are_in_the_order_of_the_description():
    recorded = layers(TINY, ALL.format("none"), (3, 8, 8))
    assert recorded[:3] == [
        Layer("conv", (2, 3, 3, 3), bias=False),
        Layer("batch_norm", (2,), bias=True),
        Layer("conv", (4, 2, 3, 3), bias=False),
    ]
    assert recorded[-2:] == [Layer("batch_norm", (8,), bias=True), Layer("linear", (3, 8), bias=True)]
