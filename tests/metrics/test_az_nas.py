import math

import numpy as np
import pytest
import torch

from epsinas import NasBench101, NasBench201
from epsinas.metrics.az_nas import az_nas, cell_features, spectral_entropy, transmission
from epsinas.metrics.subject import Conditions, Subject

SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
MIXED = "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|none~0|nor_conv_1x1~1|skip_connect~2|"


def test_features_of_stem_cells_and_reductions(batch):
    subject = Subject(Conditions(NasBench201(channels=2, cells=2), batch), MIXED)
    shapes = [tuple(feature.shape[1:]) for feature in cell_features(subject.network, subject.tensor)]
    assert shapes == [(2, 8, 8)] * 3 + [(4, 4, 4)] * 3 + [(8, 2, 2)] * 3


def test_features_between_poolings(batch):
    subject = Subject(Conditions(NasBench101(channels=4, cells=1), batch), "0100:input,output")
    shapes = [tuple(feature.shape[1:]) for feature in cell_features(subject.network, subject.tensor)]
    assert shapes == [(4, 8, 8)] * 2 + [(4, 4, 4), (8, 4, 4), (8, 2, 2), (16, 2, 2)]


def test_the_entropy_of_the_spectrum():
    # Variances 3 and 1.
    maps = torch.tensor([[3.0**0.5, 1.0], [3.0**0.5, -1.0], [-(3.0**0.5), 1.0], [-(3.0**0.5), -1.0]])
    expected = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert spectral_entropy(maps) == pytest.approx(expected, rel=1e-6)


def test_the_largest_singular_value():
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0]).reshape(2, 1, 1, 2)
    assert transmission(0.5 * signs, signs) == pytest.approx(2 - 0.5 - 2, rel=1e-5)
    assert transmission(signs, signs) == pytest.approx(0, abs=1e-5)


def test_neighbours_become_channels_where_the_image_shrinks():
    gradient = torch.tensor([[1.0, 2.0], [4.0, 2.0]])[None, None]
    # Four products with one sign: a vector of length 5.
    assert transmission(gradient, torch.ones(1, 1, 1, 1)) == pytest.approx(2 - 5 - 1 / 5, rel=1e-5)


def test_the_parts(batch):
    subject = Subject(Conditions(NasBench201(channels=4, cells=1), batch), MIXED)
    found = az_nas(subject)
    assert np.isfinite(found).all()
    assert 0 < found.expressivity < 2 * (math.log(4) + math.log(8) + math.log(16))


def test_cells_that_do_nothing_gain_nothing_and_have_no_trainability(batch):
    found = az_nas(Subject(Conditions(NasBench201(channels=4, cells=1), batch), SKIP))
    assert found.trainability == -math.inf
    assert found.progressivity <= 0
