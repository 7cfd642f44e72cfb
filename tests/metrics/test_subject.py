import pickle

import numpy as np
import pytest
import torch
from torch import nn

from epsinas import NasBench101, NasBench201, NasBenchNLP, TokenBatch, score_architectures
from epsinas.engines.images.counting import count
from epsinas.metrics.base import METRICS, REASONS, find_metric, own_metric, scored
from epsinas.metrics.epsilon import METRIC, pair_setting, weights_of
from epsinas.metrics.subject import Conditions, Subject
from tests.subjects import Given

TINY = NasBench201(channels=2, cells=1)
SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
DEEP = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_3x3~1|nor_conv_3x3~2|"
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def test_everything_is_computed_once_and_when_it_is_asked_for(batch):
    calls = []

    def forward(subject, name):
        calls.append(name)
        return len(calls)

    subject = Subject(Conditions(TINY, batch), SKIP)
    assert [subject.once(forward, name) for name in ("a", "b", "a")] == [1, 2, 1]
    assert calls == ["a", "b"]
    assert subject.outputs(0.5) is subject.outputs(0.5)
    assert subject.network is subject.network
    assert "engine" not in vars(Conditions(TINY, batch))


def test_a_network_that_others_are_compared_with_is_one_for_all(batch):
    conditions = Conditions(TINY, batch)
    assert conditions.reference(DEEP) is conditions.reference(DEEP)
    assert conditions.reference(SKIP).architecture == SKIP
    assert "_references" not in pickle.loads(pickle.dumps(conditions)).__dict__


def test_what_a_metric_asks_for(batch):
    labels = np.arange(8)
    subject = Subject(Conditions(TINY, batch, labels=labels), SKIP, 3)
    assert (subject.space, subject.architecture, subject.index) == (TINY, SKIP, 3)
    assert subject.labels is labels
    assert subject.batch is batch
    assert subject.counts == count(TINY, SKIP, (3, 8, 8))
    assert subject.connected
    assert not Subject(Conditions(TINY, batch), NOTHING).connected
    np.testing.assert_array_equal(subject.tensor.numpy(), batch)
    assert subject.network(subject.tensor).shape == (8, 10)


def test_random_weights_depend_on_seed_draw_and_network_alone(batch):
    def first_weight(seed=0, draw=0, index=0, architecture=SKIP):
        network = Subject(Conditions(TINY, batch, seed=seed, draw=draw), architecture, index).network
        return next(network.parameters()).flatten()[0].item()

    assert first_weight() == first_weight(index=1)  # the number is a benchmark's, the network is not
    assert len({first_weight(), first_weight(seed=1), first_weight(draw=1), first_weight(architecture=DEEP)}) == 4


def test_random_weights_are_torchs_own(batch):
    """Each layer's weights as torch initialises the layer, from the same state of a generator of its own."""
    subject = Subject(Conditions(TINY, batch), DEEP)
    generator = subject.generator()
    for layer, recorded in zip(subject.network.layers, subject.network.layers, strict=True):
        weight = layer.weight.detach()
        if weight.ndim == 1:
            assert (weight == 1).all()
            assert (layer.bias == 0).all()
            continue
        expected = nn.init.kaiming_uniform_(torch.empty(weight.shape), a=5**0.5, generator=generator)
        torch.testing.assert_close(weight, expected, rtol=1e-6, atol=0)
        if layer.bias is not None:
            bound = 1 / weight.shape[1] ** 0.5
            torch.testing.assert_close(
                layer.bias.detach(), torch.empty(len(weight)).uniform_(-bound, bound, generator=generator)
            )
        assert recorded is layer


def test_large_networks_are_copied_for_fewer_images(batch, monkeypatch):
    subject = Subject(Conditions(TINY, batch), DEEP)
    parameters = sum(parameter.numel() for parameter in subject.network.parameters())
    assert subject.images_apart == 16
    for copied, images in ((parameters - 1, 1), (3 * parameters, 3), (100 * parameters, 16)):
        monkeypatch.setattr("epsinas.metrics.subject._COPIED", copied)
        assert subject.images_apart == images


def test_a_copy_is_ones_own(batch):
    subject = Subject(Conditions(TINY, batch), SKIP)
    with torch.no_grad():
        next(subject.copy().parameters()).zero_()
    assert next(subject.network.parameters()).any()


@pytest.mark.parametrize("space", [NasBench101(channels=4, cells=1), NasBenchNLP(6, 2, 4)])
def test_subjects_of_every_space(space, batch):
    rng = np.random.default_rng(0)
    inputs = batch if space.family == "images" else TokenBatch(rng.integers(0, 9, (5, 3)), rng.random((9, 4)))
    for architecture in space.sample(5, rng):
        subject = Subject(Conditions(space, inputs), architecture)
        assert torch.isfinite(subject.network(subject.tensor)).all()
        assert subject.network.architecture == architecture
        assert subject.counts.parameters > 0


def test_conditions_travel_without_what_they_computed(batch):
    conditions = Conditions(TINY, batch)
    conditions.check()
    assert "engine" in vars(conditions)
    again = pickle.loads(pickle.dumps(conditions))
    assert "engine" not in vars(again)
    np.testing.assert_array_equal(again.batch, batch)


# Why there is no score.


@pytest.mark.parametrize(
    ("low", "changes", "reason"),
    [
        (np.zeros(4), {"connected": False}, "disconnected"),
        (np.zeros(4), {}, "underflow"),
        (np.zeros(4), {"precision": "extended"}, "constant"),
        (np.full(4, 0.5), {}, "constant"),
        (np.array([1.0, np.inf, 2.0, 3.0]), {}, "overflow"),
        (np.array([1.0, np.nan, 2.0, 3.0]), {}, "overflow"),
        (np.arange(4.0), {}, ""),
    ],
)
def test_reasons(low, changes, reason):
    found = METRIC.score(Given({0.1: low, 1.0: np.array([0.0, 3.0, 1.0, 2.0])}, **changes), "0.1,1")
    assert found.reason == reason
    assert np.isnan(found.score) == bool(reason)


def test_real_networks_without_a_score(batch):
    assert METRIC.score(Subject(Conditions(TINY, batch), NOTHING), "1e-07,1").reason == "disconnected"
    deep = Subject(Conditions(NasBench201(), batch), DEEP)
    assert METRIC.score(deep, "1e-07,1").reason == "underflow"
    assert METRIC.score(Subject(Conditions(NasBench201(), batch, "extended"), DEEP), "1e-07,1").reason == ""
    assert set(REASONS) >= {"disconnected", "underflow"}


@pytest.mark.parametrize("pair", [(1e-7, 1.0), (1e-4, 10.0), (0.1, 1 / 3), (1e-300, 2.5e17)])
def test_a_pair_of_weights_survives_as_a_setting(pair):
    assert weights_of(pair_setting(pair)) == pair


def test_pairs_are_called_as_the_published_record_calls_them():
    assert pair_setting((1e-7, 1.0)) == "1e-07,1"


# Metrics of one's own.


def test_a_function_is_a_metric(batch):
    def weights(network, inputs):
        return sum(parameter.numel() for parameter in network.parameters()) + len(inputs)

    metric = own_metric(weights)
    assert (metric.name, metric.sign) == ("weights", 1)
    found = score_architectures(TINY, [SKIP, DEEP, SKIP], batch, metric=metric)
    assert found.tolist() == [count(TINY, architecture).parameters + 8 for architecture in (SKIP, DEEP, SKIP)]


@pytest.mark.parametrize(
    ("value", "reason"), [(1.5, ""), (float("nan"), "failed"), (float("inf"), "overflow"), (-float("inf"), "overflow")]
)
def test_numbers_that_are_no_scores(value, reason):
    assert scored(value).reason == reason


def test_every_metric_says_what_it_is():
    for metric in METRICS:
        assert metric.sign in (-1, 1)
        assert metric.reference
        assert metric.cost in ("nothing", "milliseconds", "seconds", "minutes")
    assert find_metric("epsilon") is METRIC
