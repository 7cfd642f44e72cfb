"""What activation functions are given: both interpreters against each other, and by hand."""

import numpy as np
import pytest

from epsinas.engines.base import Reading, engine
from epsinas.engines.images import batches
from epsinas.spaces import NasBench101, NasBench201, NasBenchNLP
from epsinas.streams import stream
from tests.engines.sequences.test_lumped import tokens
from tests.spaces.test_nas_bench_nlp import GRU, LSTM, recipe

IMAGES = batches.synthetic_batch("pink_noise", (6, 3, 8, 8), stream(0, "batch", 0)).astype(np.float64)
SPACES = [NasBench201(channels=4, cells=1), NasBench101(channels=8, cells=1), NasBenchNLP(6, 2, 4)]
IDS = [type(space).__name__ for space in SPACES]


def copies(one):
    return sum(layer.copies for layer in one.layers)


def batch_of(space):
    return tokens(5, 3, 4) if space.family == "sequences" else IMAGES


@pytest.mark.parametrize("what", ["activations", "layers"])
@pytest.mark.parametrize("space", SPACES, ids=IDS)
def test_both_interpreters_tell_the_same(space, what):
    both = [engine(name, space, batch_of(space), "double") for name in ("lumped", "full-width")]
    for architecture in space.sample(6, np.random.default_rng(1)):
        lumped, full_width = (one.observe(architecture, 0.7, what) for one in both)
        assert [(one.function, one.layers) for one in lumped] == [(one.function, one.layers) for one in full_width]
        for ours, theirs in zip(lumped, full_width, strict=True):
            np.testing.assert_allclose(ours.inputs, theirs.inputs, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("space", SPACES, ids=IDS)
def test_watching_changes_no_output(space):
    one = engine("lumped", space, batch_of(space), "double")
    for architecture in space.sample(3, np.random.default_rng(2)):
        before = one.outputs(architecture, 0.5).copy()
        one.observe(architecture, 0.5)
        one.observe(architecture, 0.5, "layers")
        np.testing.assert_array_equal(one.outputs(architecture, 0.5), before)


def test_rectifiers_of_a_cell_of_skips_by_hand():
    """One rectifier in each of the two residual blocks' convolutions, and the last one, since skips rectify nothing."""
    skips = "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"
    space = NasBench201(channels=4, cells=1)
    found = engine("lumped", space, IMAGES, "double").observe(skips, 1.0)
    assert [(one.inputs.shape, copies(one)) for one in found] == [
        ((6, 64), 4),
        ((6, 16), 8),
        ((6, 16), 8),
        ((6, 4), 16),
        ((6, 4), 16),
    ]
    # The stem: a convolution over all channels, normalised.
    total = np.pad(IMAGES.sum(1), ((0, 0), (1, 1), (1, 1)))
    conv = sum(total[:, i : i + 8, j : j + 8] for i in range(3) for j in range(3))
    normal = (conv - conv.mean()) / np.sqrt(conv.var() + 1e-5)
    np.testing.assert_allclose(found[0].inputs, normal.reshape(6, -1), rtol=1e-10, atol=1e-12)


def test_convolutions_of_a_cell_of_skips_by_hand():
    """The stem reads three different channels; the reduction blocks' convolutions and shortcuts read one map each."""
    skips = "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"
    found = engine("lumped", NasBench201(channels=4, cells=1), IMAGES, "double").observe(skips, 1.0, "layers")
    assert [one.layers for one in found[:3]] == [(Reading(1, 3, 4, 3),)] * 3
    np.testing.assert_array_equal(found[1].inputs, IMAGES[:, 1].reshape(6, -1))
    assert sorted(layer for one in found[3:] for layer in one.layers) == sorted(
        [
            Reading(4, 4, 8, 3),
            Reading(8, 8, 8, 3),
            Reading(4, 4, 8, 1),
            Reading(8, 8, 16, 3),
            Reading(16, 16, 16, 3),
            Reading(8, 8, 16, 1),
        ]
    )


def test_what_does_not_reach_the_output_is_not_told():
    dead = "|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
    alive = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
    space = NasBench201(channels=4, cells=1)
    one = engine("lumped", space, IMAGES, "double")
    assert len(one.observe(dead, 1.0)) == len(one.observe(alive, 1.0))


def test_functions_with_equal_inputs_are_told_once():
    twice = recipe(
        a=("linear", "x", "h_prev_0"),
        b=("activation_tanh", "a"),
        c=("linear", "h_prev_0", "x"),
        d=("activation_tanh", "c"),
        e=("activation_sigm", "a"),
        h_new_0=("elementwise_sum", "b", "d"),
    )
    space = NasBenchNLP(hidden_size=6, layers=1, embedding=4)
    batch = tokens(5, 3, 4)
    (found,) = engine("lumped", space, batch, "double").observe(twice, 0.5)
    assert (found.function, copies(found)) == ("activation_tanh", 8)  # the last layer is as wide as the embedding
    x = batch.embedding[batch.tokens].astype(np.float64).sum(axis=2)
    first = 0.5 * (x[0] + 4 * 0.5) + 0.5
    np.testing.assert_allclose(found.inputs[:, 0], first, rtol=1e-12)
    second = 0.5 * (x[1] + 4 * 2 * np.tanh(first)) + 0.5
    np.testing.assert_allclose(found.inputs[:, 1], second, rtol=1e-12)


@pytest.mark.parametrize(("architecture", "distinct"), [(LSTM, 3), (GRU, 2)])
def test_gates_are_equal_under_constant_weights(architecture, distinct):
    space = NasBenchNLP(hidden_size=6, layers=2, embedding=4)
    found = engine("lumped", space, tokens(5, 3, 4), "extended").observe(architecture, 0.1)
    assert len(found) == 2 * distinct
    assert sum(map(copies, found)) == (6 + 4) * architecture.count('"activation_')
