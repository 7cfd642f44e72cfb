import math

import numpy as np
import pytest

from epsinas.engines.images import batches
from epsinas.errors import InputError
from epsinas.metrics.base import METRICS
from epsinas.metrics.epsilon import epsilon
from epsinas.metrics.reference_epsilon import REFERENCES, reference_settings
from epsinas.metrics.subject import Conditions, Subject
from epsinas.spaces import NasBench101, NasBench201
from epsinas.streams import stream

SPACE = NasBench201(channels=4, cells=1)
IMAGES = batches.synthetic_batch("pink_noise", (8, 3, 8, 8), stream(0, "batch", 0))
CELL = "|avg_pool_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|skip_connect~1|nor_conv_3x3~2|"
PATHS = "|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|none~2|"
CONVOLUTION = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"
METRIC = METRICS["reference_epsilon"]
SETTINGS = dict(zip(REFERENCES, reference_settings((1e-7, 1.0)), strict=True))


def score(reference, architecture=CELL, **conditions):
    return METRIC.score(Subject(Conditions(SPACE, IMAGES, **conditions), architecture), SETTINGS[reference])


def outputs(architecture, weight):
    return Subject(Conditions(SPACE, IMAGES), architecture).outputs(weight)


@pytest.mark.parametrize(
    ("reference", "network"),
    [("without_convolutions", PATHS), ("all_pooling", SPACE.all_pooling), ("all_skips", SPACE.all_skips)],
)
def test_the_low_outputs_are_anothers(reference, network):
    assert score(reference).score == epsilon(outputs(network, 1e-7), outputs(CELL, 1.0))


def test_the_low_outputs_are_the_brightness():
    mean = IMAGES.astype(np.float64).mean((1, 2, 3))
    assert score("brightness").score == epsilon(mean, outputs(CELL, 1.0))
    assert score("brightness", zeros="kept").score == epsilon(mean, outputs(CELL, 1.0), zeros="kept")


def test_the_high_outputs_are_the_deepest_networks():
    assert score("deepest").score == epsilon(outputs(CELL, 1e-7), outputs(SPACE.deepest, 1.0))


def test_small_weights_leave_the_paths_without_convolutions():
    own = METRICS["epsilon"].score(Subject(Conditions(SPACE, IMAGES), CELL), "1e-07,1").score
    assert score("without_convolutions").score == pytest.approx(own, rel=1e-3)
    assert score("all_skips", SPACE.all_skips).score == epsilon(
        outputs(SPACE.all_skips, 1e-7), outputs(SPACE.all_skips, 1.0)
    )


def test_without_a_path_nothing_is_left():
    assert score("without_convolutions", CONVOLUTION).reason == "constant"
    assert not math.isnan(score("brightness", CONVOLUTION).score)


@pytest.mark.parametrize("reference", REFERENCES)
def test_an_unreached_network_has_no_score(reference):
    found = score(reference, "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    assert math.isnan(found.score)
    assert found.reason == "disconnected"


def test_settings_say_weights_and_reference():
    assert list(METRIC.settings["references"]({"weights": [0.1, 2]})) == [f"0.1,2,{name}" for name in REFERENCES]
    assert METRIC.columns("0.1,2,all_skips") == {"weight_low": 0.1, "weight_high": 2.0, "reference": "all_skips"}


def test_a_space_without_such_networks():
    space = NasBench101(channels=8, cells=1)
    (architecture,) = space.sample(1, np.random.default_rng(0))
    subject = Subject(Conditions(space, IMAGES), architecture)
    with pytest.raises(InputError, match="reference_epsilon: space nas-bench-101: found no `all_skips`, expected"):
        METRIC.score(subject, SETTINGS["all_skips"])
