"""The metrics that every connected network has: by hand, and the same from both engines."""

import math

import numpy as np
import pytest

from epsinas.engines.images import batches
from epsinas.metrics.agreement import code_agreement
from epsinas.metrics.base import find_metric
from epsinas.metrics.spectrum_path import WEIGHTS
from epsinas.metrics.subject import Conditions, Subject
from epsinas.spaces import NasBench101, NasBench201, NasBenchNLP
from epsinas.streams import stream
from tests.engines.sequences.test_lumped import tokens
from tests.spaces.test_nas_bench_nlp import LSTM, recipe

IMAGES = batches.synthetic_batch("pink_noise", (6, 3, 8, 8), stream(0, "batch", 0))
SMALL = NasBench201(channels=4, cells=1)
SKIPS = "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"
DEEP = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_3x3~2|"
IMAGE_METRICS = (
    "agreement",
    "dormancy",
    "brightness",
    "spectrum_path",
    "kernel_agreement",
    "weight_agreement",
    "kernels",
)
ANY_METRICS = ("kernel_agreement", "weight_agreement", "kernels")


def score(name, space, architecture, batch=IMAGES, **conditions):
    metric = find_metric(name)
    (setting,) = next(iter(metric.settings.values()))({})
    return metric.score(Subject(Conditions(space, batch, **conditions), architecture), setting)


def test_pairs_of_images_agree_by_hand():
    """Of four images one uses the first place, two the second: 3 of 6 pairs agree there, and 2 of 6."""
    inputs = np.array([[1.0, 1.0], [-1.0, 1.0], [0.0, -1.0], [-2.0, 0.0]])
    assert code_agreement(inputs) == pytest.approx((3 / 6 + 2 / 6) / 2)


def test_chance_is_one_half():
    draws = np.random.default_rng(0).standard_normal((40, 5000))
    assert code_agreement(draws) == pytest.approx(0.5, abs=3e-3)


@pytest.mark.parametrize("name", IMAGE_METRICS)
def test_both_engines_score_alike(name):
    for space in (SMALL, NasBench101(channels=8, cells=1)):
        for architecture in space.sample(3, np.random.default_rng(3)):
            lumped, full_width = (
                score(name, space, architecture, precision="double", engine_name=engine)
                for engine in ("lumped", "full-width")
            )
            assert lumped.score == pytest.approx(full_width.score, rel=1e-6, nan_ok=True)
            assert lumped.reason == full_width.reason


@pytest.mark.parametrize("name", ANY_METRICS)
def test_both_engines_score_recurrent_networks_alike(name):
    space, batch = NasBenchNLP(hidden_size=6, layers=2, embedding=4), tokens(5, 3, 4)
    for architecture in space.sample(4, np.random.default_rng(4)):
        lumped, full_width = (
            score(name, space, architecture, batch, precision="double", engine_name=engine).score
            for engine in ("lumped", "full-width")
        )
        assert lumped == pytest.approx(full_width, rel=1e-9)


@pytest.mark.parametrize("name", IMAGE_METRICS)
def test_an_unreached_network_has_no_score(name):
    nothing = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    found = score(name, SMALL, nothing)
    assert math.isnan(found.score)
    assert found.reason == "disconnected"


def test_kernels_by_hand():
    """The stem, and in each of two reduction blocks two convolutions of 3x3 and a shortcut of 1x1."""
    assert score("kernels", SMALL, SKIPS).score == 3 + 2 * (3 + 3 + 1)
    assert score("kernels", SMALL, DEEP).score == 3 + 2 * (3 + 3 + 1) + 3 * 3 * 3
    twice = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_3x3~2|"
    assert score("kernels", SMALL, twice).score == 3 + 2 * (3 + 3 + 1) + 3 * 4 * 3


def test_agreement_and_dormancy_by_hand():
    """The rectified stem's output, from the images."""
    (first, *others) = Subject(Conditions(SMALL, IMAGES), SKIPS).conditions.engine.observe(SKIPS, 1.0)
    assert len(others) == 4
    total = np.pad(IMAGES.astype(np.float64).sum(1), ((0, 0), (1, 1), (1, 1)))
    conv = sum(total[:, i : i + 8, j : j + 8] for i in range(3) for j in range(3)).reshape(6, -1)
    positive = conv > conv.mean()
    np.testing.assert_array_equal(first.inputs > 0, positive)
    pairs = [(one == other).mean() for at, one in enumerate(positive) for other in positive[:at]]
    assert code_agreement(first.inputs) == pytest.approx(np.mean(pairs))
    shares = [(one.inputs > 0).mean() for one in (first, *others)]
    assert score("dormancy", SMALL, SKIPS).score == pytest.approx(sum(1 - np.array(shares)))
    agreements = [code_agreement(one.inputs) - 0.5 for one in (first, *others)]
    assert score("agreement", SMALL, SKIPS).score == pytest.approx(sum(agreements))


def test_a_weight_counts_by_how_far_its_input_is_decided():
    """Every input of a linear layer of an LSTM is positive under a positive weight: 16 of them, of 4 or 6 units."""
    space = NasBenchNLP(hidden_size=6, layers=2, embedding=4)
    batch = tokens(5, 3, 4)
    every = recipe(a=("linear", "h_prev_0"), h_new_0=("activation_sigm", "a"))
    assert score("kernel_agreement", space, every, batch).reason == "disconnected"
    lstm = score("kernel_agreement", space, LSTM, batch).score
    # Four gates; in the first layer 6 of the 10 inputs are hidden, the embedded ones are not seen.
    assert lstm == pytest.approx(4 * 6 / 10 + 4)
    assert score("weight_agreement", space, LSTM, batch).score == 4 * 6 * 6 + 4 * (6 + 4) * 4


def test_brightness_is_that_of_the_output():
    found = score("brightness", SMALL, SKIPS, precision="double")
    subject = Subject(Conditions(SMALL, IMAGES, precision="double"), SKIPS)
    expected = np.corrcoef(subject.outputs(1.0), IMAGES.mean((1, 2, 3)))[0, 1]
    assert found.score == pytest.approx(expected)
    assert find_metric("brightness").sign == -1


def test_spectrum_by_hand():
    class Outputs:
        connected = True

        def outputs(self, weight):
            return np.array([0.0, 1.0 if weight > 1 else 0.5, 1.0])

    assert len(WEIGHTS) == 9
    assert find_metric("spectrum_path").score(Outputs(), "").score == pytest.approx(0.5 / 3)


def test_spectrum_of_constant_outputs_is_none():
    class Constant:
        connected = True

        def outputs(self, weight):
            return np.ones(3)

    assert find_metric("spectrum_path").score(Constant(), "").reason == "constant"


def test_the_alias_is_the_frozen_formula():
    assert find_metric("every_network") is find_metric("kernel_agreement")
