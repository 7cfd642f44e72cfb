import numpy as np
import torch

from epsinas import NasBench201
from epsinas.engines.initialisation import standard_normal
from epsinas.metrics.activations import relu_codes
from epsinas.metrics.subject import Conditions, Subject
from epsinas.metrics.swap import IMAGES, METRIC, count_patterns
from tests.subjects import full_width_network

TINY = NasBench201(channels=2, cells=1)
MIXED = "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|none~0|nor_conv_1x1~1|skip_connect~2|"


def test_units_with_one_pattern_count_once():
    # Units x, -x and 2 x of two images: the first and the third are positive for the same ones.
    weight = torch.tensor([1.0, -1.0, 2.0]).reshape(3, 1, 1, 1)
    network = full_width_network(lambda ops, x: ops.relu(ops.conv(x, 3, 1)), weight)
    assert count_patterns(relu_codes(network, torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))) == 2


def test_all_patterns_of_sixteen_images():
    patterns = (torch.arange(2**IMAGES) >> torch.arange(IMAGES)[:, None]) & 1
    assert count_patterns(patterns.bool()) == 2**IMAGES


def test_the_mean_over_initialisations_on_the_first_images():
    batch = np.random.default_rng(0).standard_normal((20, 3, 8, 8)).astype(np.float32)
    subject = Subject(Conditions(TINY, batch), MIXED)
    fill = standard_normal(subject.generator())
    expected = [count_patterns(relu_codes(subject.module(fill), subject.tensor[:16])) for _ in range(3)]
    assert METRIC.score(subject, "3").score == np.mean(expected)
    assert len(set(expected)) > 1


def test_settings():
    assert [METRIC.settings[name]({}) for name in ("one", "published")] == [("1",), ("32",)]
    assert METRIC.work(["1", "32"]) == 33
    assert METRIC.columns("32") == {"initialisations": 32}
