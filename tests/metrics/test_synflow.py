"""SynFlow of one random initialisation, and its mean over all of them."""

import math

import numpy as np
import pytest

from epsinas import NasBench201
from epsinas.engines.images.inside import layer_weights
from epsinas.metrics.expected_synflow import log_of_one_more
from tests.metrics.toys import MIXED, TINY, Toy, score, subject

SKIPS = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"


def test_two_linear_layers_by_hand(batch):
    """R is linear in each layer: the sum of w dR/dw is R for either of the two."""
    one = subject(Toy(), "two", batch, classes=3)
    first, second = (np.abs(weight.detach().double().numpy()) for weight in layer_weights(one.network))
    output = (second @ first.sum(axis=(1, 2, 3))).sum()
    assert score("synflow", one).score == pytest.approx(math.log1p(2 * output), rel=1e-12)
    # Means: 1 / (2 sqrt 3) of three channels to each of four, 1 / (2 sqrt 4) of these to each of three classes.
    mean = 3 * 4 * (1 / (2 * math.sqrt(4))) * 3 * (1 / (2 * math.sqrt(3)))
    assert score("expected_synflow", one).score == pytest.approx(math.log1p(2 * mean), rel=1e-12)


def test_the_images_do_not_matter(batch):
    for name in ("synflow", "expected_synflow"):
        assert score(name, subject(TINY, MIXED, batch)) == score(name, subject(TINY, MIXED, 2 * batch[:3] + 1))


@pytest.mark.parametrize("architecture", [MIXED, SKIPS])
def test_the_mean_of_400_initialisations(batch, architecture):
    space = NasBench201(channels=2, cells=1)
    flows = [math.expm1(score("synflow", subject(space, architecture, batch, seed=seed)).score) for seed in range(400)]
    expected = math.expm1(score("expected_synflow", subject(space, architecture, batch)).score)
    assert abs(np.mean(flows) - expected) < 4 * np.std(flows, ddof=1) / math.sqrt(len(flows))


def test_the_mean_depends_on_no_seed(batch):
    assert len({score("expected_synflow", subject(TINY, MIXED, batch, seed=seed)).score for seed in range(3)}) == 1


@pytest.mark.parametrize("exponent", [-2000, -40, 0, 40, 999, 1001, 5000])
def test_logarithms_of_any_size(exponent):
    expected = exponent * math.log(2) + math.log(0.75)
    found = log_of_one_more(0.75, exponent)
    if exponent > 50:
        assert found == pytest.approx(expected, rel=1e-14)
    elif exponent > -1000:
        assert found == pytest.approx(math.log1p(math.exp(expected)), rel=1e-12)
    assert log_of_one_more(0.0, exponent) == 0
