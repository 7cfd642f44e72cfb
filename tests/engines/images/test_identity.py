import numpy as np
import pytest
import torch

from epsinas import InputError, NasBench101, NasBench201
from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.engines.images.identity import trained_identity
from epsinas.engines.initialisation import default

SPACE = NasBench201(channels=2, cells=1)


def cell(*operations):
    names = {"0": "none", "s": "skip_connect", "1": "nor_conv_1x1", "3": "nor_conv_3x3", "p": "avg_pool_3x3"}
    return "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*(names[operation] for operation in operations))


EQUAL = {
    "nothing": (cell(*"000000"), cell(*"330000")),
    "behind a skip": (cell(*"000300"), cell(*"s00030")),
    "nodes in another order": (cell(*"130033"), cell(*"310033")),
    "what leads nowhere": (cell(*"300010"), cell(*"331010")),
    "what nothing reaches": (cell(*"000300"), cell(*"001303")),
}
DIFFERENT = {
    "two of one kind": (cell(*"3s0011"), cell(*"330011")),
    "one for two": (cell(*"30s011"), cell(*"330011")),
    "pools of sums": (cell(*"s000pp"), cell(*"ss00sp")),
}


@pytest.mark.parametrize(("first", "second"), EQUAL.values(), ids=EQUAL)
def test_equal_cells(first, second):
    assert trained_identity(SPACE, first) == trained_identity(SPACE, second)


@pytest.mark.parametrize(("first", "second"), DIFFERENT.values(), ids=DIFFERENT)
def test_different_cells(first, second):
    assert trained_identity(SPACE, first) != trained_identity(SPACE, second)


def test_the_space_has_5260_networks_that_train_differently():
    """The first of each has no layer that leads nowhere: it would come later than the cell without."""
    found = {}
    for architecture in NasBench201().architectures():
        found.setdefault(trained_identity(NasBench201(), architecture), architecture)
    assert len(found) == 5260
    for architecture in list(found.values())[::40]:
        network = FullWidthNetwork(SPACE, architecture, (3, 8, 8), default(torch.Generator().manual_seed(0)))
        weights = [weight for weight in network.parameters() if weight.ndim == 4]
        reached = torch.autograd.grad(network(torch.ones(1, 3, 8, 8)).sum(), weights, allow_unused=True)
        unused = [gradient for gradient in reached if gradient is None]
        assert not unused or architecture == cell(*"000000")


def test_cells_whose_layers_differ_in_use_only():
    """The same things are made of the same things in both; which of two pools the output has is the difference."""
    matrices = (
        ("0101000001000100000100000110000001000000010000000", "maxpool3x3 conv3x3 maxpool3x3 conv3x3 conv3x3"),
        ("0100100001100000000100000010000001100000010000000", "maxpool3x3 conv3x3 conv3x3 maxpool3x3 conv3x3"),
    )
    cells = [
        f"{bits}:input,{','.join(name.replace('conv3x3', 'conv3x3-bn-relu') for name in names.split())},output"
        for bits, names in matrices
    ]
    assert trained_identity(NasBench101(), cells[0]) != trained_identity(NasBench101(), cells[1])


def test_networks_of_nas_bench_101_all_differ():
    space = NasBench101()
    architectures = space.sample(300, np.random.default_rng(0))
    assert len({trained_identity(space, architecture) for architecture in architectures}) == 300


def test_a_malformed_architecture():
    with pytest.raises(InputError, match="malformed architecture"):
        trained_identity(SPACE, "|none~0|")


def test_equal_cells_have_equal_parameters_once_the_dead_are_left_out():
    """An independent count: the same convolutions reach the output."""
    for first, second in EQUAL.values():
        counted = []
        for architecture in (first, second):
            network = FullWidthNetwork(SPACE, architecture, (3, 8, 8), default(torch.Generator().manual_seed(0)))
            weights = [weight for weight in network.parameters() if weight.ndim == 4]
            images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
            reached = torch.autograd.grad(network(images).square().sum(), weights, allow_unused=True)
            shapes = [tuple(w.shape) for w, g in zip(weights, reached, strict=True) if g is not None and g.any()]
            counted.append(sorted(shapes))
        assert counted[0] == counted[1]
