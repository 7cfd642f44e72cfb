import numpy as np
import pytest
import torch

from epsinas import InputError, NasBench201, score_architectures
from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.engines.images.initialisers import constant
from epsinas.engines.initialisation import default
from epsinas.metrics import cv
from epsinas.metrics.cv import METRIC, variation
from epsinas.metrics.subject import Conditions, Subject

TINY = NasBench201(channels=2, cells=1, classes=3)
MIXED = "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|none~0|nor_conv_1x1~1|skip_connect~2|"


def test_deviation_over_mean():
    assert variation(np.array([0.1, 0.2, 0.3])) == pytest.approx(np.sqrt(2 / 3) / 2)
    assert variation(np.full(3, 0.5)) == 0
    assert np.isnan(variation(np.zeros(3)))


def test_networks_in_turn_from_one_stream(monkeypatch, batch):
    monkeypatch.setattr(cv, "INITIALISATIONS", 4)
    labels = np.arange(8) % 3
    subject = Subject(Conditions(TINY, batch, labels=labels), MIXED)
    fill = default(subject.generator())
    accuracies = []
    for _ in range(4):
        network = subject.module(fill)
        accuracies.append(np.mean(network(subject.tensor).argmax(dim=1).numpy() == labels))
    assert METRIC.score(subject, "").score == pytest.approx(np.std(accuracies) / np.mean(accuracies))


def test_it_needs_labels(batch):
    with pytest.raises(
        InputError, match=r"^labels: found none, expected one for each image; the metric cv needs them$"
    ):
        score_architectures(TINY, [MIXED], batch, metric="cv")
    assert METRIC.sign == -1


def test_labels_have_outputs(monkeypatch, batch):
    monkeypatch.setattr(cv, "INITIALISATIONS", 1)
    with pytest.raises(InputError, match=r"^labels: found 0 to 3, expected 0 to 2, for 3 classes$"):
        score_architectures(TINY, [MIXED], batch, metric="cv", labels=np.arange(8) % 4)


def test_labels_are_whatever_numpy_takes(monkeypatch, batch):
    monkeypatch.setattr(cv, "INITIALISATIONS", 2)
    labels = np.arange(8) % 3
    given = [score_architectures(TINY, [MIXED], batch, metric="cv", labels=one) for one in (labels, labels.tolist())]
    assert given[0] == given[1]


@pytest.mark.parametrize("weight", [0.01, 1.0])
def test_constant_weights_make_all_logits_equal(batch, weight):
    """So the mean accuracy under constant weights is the same for every network, and no metric here."""
    for architecture in TINY.sample(5, np.random.default_rng(0)):
        network = FullWidthNetwork(TINY, architecture, (3, 8, 8), constant(weight), torch.float64)
        logits = network(torch.from_numpy(batch).double())
        torch.testing.assert_close(logits, logits[:, :1].expand(-1, 3), rtol=1e-12, atol=0)
