import math

import numpy as np
import pytest
import torch

from epsinas import NasBench101, NasBench201
from epsinas.engines.base import family_of
from epsinas.metrics.base import METRICS
from epsinas.metrics.layerwise import LAYERS, METRIC, STATISTICS
from epsinas.metrics.thin import thin
from epsinas.sources import packaged
from tests.metrics.toys import MIXED, TINY, score, subject


def values(one, statistic):
    return [METRIC.score(one, f"{statistic},{layer}").score for layer in range(LAYERS)]


def test_gradients_of_a_layer(batch):
    one = subject(TINY, MIXED, batch)
    network = one.copy()
    torch.nn.functional.cross_entropy(network(one.tensor), torch.from_numpy(one.labels)).backward()
    weights = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    norms, products = values(one, "grad_norm"), values(one, "snip")
    np.testing.assert_allclose(norms[: len(weights)], [weight.grad.norm().item() for weight in weights], rtol=1e-4)
    expected = [(weight * weight.grad).abs().sum().item() for weight in weights]
    np.testing.assert_allclose(products[: len(weights)], expected, rtol=1e-4)
    assert norms[len(weights) :] == products[len(weights) :] == [0.0] * (LAYERS - len(weights))


def test_they_add_up_to_the_metrics(batch):
    one = subject(TINY, MIXED, batch)
    assert sum(values(one, "grad_norm")) == pytest.approx(score("grad_norm", one).score, rel=1e-5)
    assert sum(values(one, "snip")) == pytest.approx(score("snip", one).score, rel=1e-5)
    total = sum(map(math.expm1, values(one, "synflow")))
    assert math.log1p(total) == pytest.approx(score("synflow", one).score, rel=1e-9)


def test_the_skeleton_is_thin(batch):
    wide = subject(NasBench201(channels=20, cells=2), MIXED, batch)
    narrow = subject(NasBench201(channels=16, cells=1), MIXED, batch)
    assert values(wide, "grad_norm") == values(narrow, "grad_norm")


def test_settings_are_layers_of_statistics():
    settings = METRIC.settings["layers"]({})
    assert settings[: len(STATISTICS) + 1] == ["grad_norm,0", "snip,0", "synflow,0", "grad_norm,1"]
    assert len(settings) == LAYERS * len(STATISTICS)
    assert METRIC.columns("snip,7") == {"statistic": "snip", "layer": 7}
    assert METRICS["layerwise"].work(settings) < 1


@pytest.mark.parametrize("space", [NasBench201(), NasBench101()])
def test_there_is_room_for_every_layer(space):
    """Of the benchmarks' networks: layers of the whole skeleton are those of the cells and a few others."""
    networks = packaged.networks(space.name)
    most = networks.loc[networks["convolutions"].idxmax(), "architecture"]
    found = family_of(space).count(thin(space, 16), most)
    assert found.convolutions + 1 <= LAYERS
