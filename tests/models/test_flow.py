"""SynFlow in the mean, of torch models."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from epsinas import NasBench101, NasBench201, score
from epsinas.engines.images.flow import mean_flow
from epsinas.metrics.subject import Conditions, Subject
from epsinas.models import flow
from epsinas.models.constants import present_copy
from epsinas.models.flow import model_flow
from tests.models.zoo import MODELS

IMAGE = torch.ones(1, 3, 8, 8, dtype=torch.float64)
CELL = "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|nor_conv_3x3~0|nor_conv_1x1~1|skip_connect~2|"
ENGINES = ("lumped", "full-width")


def small(norm: bool = True) -> nn.Module:
    """Rectifiers in place, a shortcut, groups, biases, and averages."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(6, 6, 3, padding=1, groups=2), *([nn.BatchNorm2d(6)] if norm else []), nn.ReLU(inplace=True)
            )

        def forward(self, x):
            return x + self.layers(x)

    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(inplace=True), Block(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6, 4)
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_two_layers_by_hand(engine):
    """Means 1 / (2 sqrt 9) and 1 / (2 sqrt 16); the bias of the last layer adds nothing that has a weight."""
    model = nn.Sequential(nn.Linear(9, 16, bias=False), nn.ReLU(), nn.Linear(16, 5))
    output = 5 * 16 * 9 / (2 * 3) / (2 * 4)
    assert model_flow(model, torch.ones(1, 9, dtype=torch.float64), engine=engine) == (pytest.approx(2 * output), 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_of_a_space_by_both_routes(engine):
    """All ways that channels differ: sums, windows, and in NAS-Bench-101 concatenation, truncation and max pooling."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((2, 3, 8, 8)).astype(np.float32)
    cases = [(NasBench201(), CELL), *((NasBench101(channels=16), one) for one in NasBench101().sample(2, rng))]
    for space, architecture in cases:
        network = Subject(Conditions(space, images), architecture).network
        mantissa, exponent = mean_flow(space, architecture, (3, 8, 8))
        found, other = model_flow(present_copy(network)[0], IMAGE, engine=engine)
        assert math.ldexp(found, other - exponent) == pytest.approx(mantissa, rel=1e-13)


@pytest.mark.parametrize("normalised", [True, False])
def test_the_mean_over_initialisations(normalised):
    """Within 3 standard errors of the mean of SynFlow over 400 of torch's own initialisations."""
    torch.manual_seed(0)
    found = []
    for _ in range(400):
        found.append(math.expm1(score(small(normalised), IMAGE.float(), metric="synflow")))
    expected = math.expm1(score(small(normalised), IMAGE.float(), metric="expected_synflow"))
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert abs(np.mean(found) - expected) < 3 * error
    assert error < 0.02 * expected


@pytest.mark.parametrize("name", MODELS)
def test_lumped_is_full_width(name, monkeypatch):
    """For anything that models do, also where the network is not linear."""
    model, batch = MODELS[name]()
    if not (isinstance(batch, torch.Tensor) and batch.is_floating_point()):
        pytest.skip("takes other things than one tensor of floating-point numbers")
    run, engines = flow._pass, []

    def noting(*arguments):
        result = run(*arguments)
        engines.append(arguments[3])
        return result

    monkeypatch.setattr(flow, "_pass", noting)
    ones = torch.ones_like(batch[:1], dtype=torch.float64)
    found = [model_flow(present_copy(model)[0], ones, engine=engine) for engine in ENGINES]
    assert found[0] == (pytest.approx(found[1][0], rel=1e-10), found[1][1])
    # Of all these it is one that writes into a part of what it made itself, and so cannot be followed.
    assert engines == [name != "state_space", False]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_that_is_not_linear_is_differentiated(engine):
    """R(t) = sigmoid(t / 2), by the weight of one sample; the bias of a convolution has the mean of its weights."""
    model = nn.Sequential(nn.Linear(1, 1), nn.Sigmoid())
    value = 1 / (1 + math.exp(-1.0))
    found, _ = model_flow(model, torch.ones(1, 1, dtype=torch.float64), engine=engine)
    assert found == pytest.approx(value * (1 - value) / 2, rel=1e-12)


class Deep(nn.Module):
    """Many layers, each of which multiplies by 10, and a bias in the first."""

    def __init__(self, layers: int, last: nn.Module):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(400, 400, bias=place == 0) for place in range(layers))
        self.last = last

    def forward(self, x):
        for layer in self.layers:
            x = functional.relu(layer(x))
        return self.last(x)


class Square(nn.Module):
    def forward(self, x):
        return x * x


@pytest.mark.parametrize("engine", ENGINES)
def test_beyond_the_range_of_float64(engine):
    ones = torch.ones(1, 400, dtype=torch.float64)
    mantissa, exponent = model_flow(Deep(400, nn.Identity()), ones, engine=engine)
    # R = 400 (10 + 1 / 40) 10^399, all of it by each weight, but for the first the part of the bias.
    expected = math.log10(400 * (10 + 399 * (10 + 1 / 40))) + 399
    assert exponent == 2000
    assert math.log10(mantissa) + exponent * math.log10(2) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("model", [Deep(400, Square()), Deep(620, nn.Identity())], ids=["not linear", "too deep"])
def test_no_score_where_that_does_not_help(model):
    assert model_flow(model, torch.ones(1, 400, dtype=torch.float64)) == (math.inf, 0)
    with pytest.warns(UserWarning, match="^no score: it leaves the range of the numbers$"):
        assert math.isnan(score(model, torch.ones(2, 400), metric="expected_synflow"))


def test_other_parameters_keep_their_absolute_values():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor([-3.0, 2.0]))
            self.linear = nn.Linear(2, 1, bias=False)

        def forward(self, x):
            return self.linear(x * self.scale)

    found, _ = model_flow(Scaled(), torch.ones(1, 2, dtype=torch.float64))
    assert found == pytest.approx(5 / (2 * math.sqrt(2)))
