import numpy as np
import pandas as pd
import torch

from epsinas import NasBench201
from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.training.benchmark import choose, trained_by, weighted_identity

TINY = NasBench201(channels=4, cells=1)
CONVOLUTIONS = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|skip_connect~0|nor_conv_3x3~1|avg_pool_3x3~2|"
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def test_networks_that_train_alike_share_a_training():
    doubled = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|skip_connect~1|skip_connect~2|"
    summed = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|skip_connect~1|skip_connect~2|"
    swapped = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|none~2|"
    mirrored = "|none~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|skip_connect~2|"
    dead = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|skip_connect~1|none~2|"
    # One convolution doubled and two summed have one graph under constant weights, but train differently.
    assert weighted_identity(TINY, doubled) != weighted_identity(TINY, summed)
    assert weighted_identity(TINY, swapped) == weighted_identity(TINY, mirrored)
    assert weighted_identity(TINY, dead) == weighted_identity(TINY, swapped)
    # Of the last three, which are one network, the first with the fewest layers is trained.
    assert trained_by(TINY, [doubled, summed, dead, swapped, mirrored]).tolist() == [0, 1, 3, 3, 3]


def test_equal_identities_are_equal_functions_of_weights():
    """Networks that share a training have equal outputs for weights that correspond: all convolutions alike."""
    rng = np.random.default_rng(1)
    architectures = TINY.sample(400, rng)
    chosen = trained_by(TINY, architectures)
    pairs = [(architectures[k], architectures[chosen[k]]) for k in range(400) if chosen[k] != k][:20]
    assert pairs
    images = torch.randn(4, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def alike(kind, weight, bias):
        """Fill equally shaped weights alike, so that the correspondence need not be known."""
        generator = torch.Generator().manual_seed(weight.numel())
        weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64))
        if bias is not None:
            bias.zero_()

    for first, second in pairs:
        with torch.no_grad():
            outputs = [
                FullWidthNetwork(TINY, architecture, (1, 8, 8), alike, torch.float64)(images)
                for architecture in (first, second)
            ]
        torch.testing.assert_close(*outputs, rtol=1e-6, atol=1e-6)


def test_choose_draws_a_sample():
    table = choose(TINY, 30, seed=3)
    assert table["index"].tolist() == list(range(30))
    assert table["architecture"].nunique() == 30
    assert (table["trained"].isin(table["index"])).all()
    pd.testing.assert_frame_equal(table, choose(TINY, 30, seed=3))
