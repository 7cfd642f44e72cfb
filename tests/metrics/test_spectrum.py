import numpy as np
import pytest

from epsinas import NasBenchNLP, score_architectures
from epsinas.errors import InputError
from epsinas.metrics.base import METRICS
from epsinas.metrics.spectrum import ENTRIES, METRIC, spectrum_settings
from epsinas.metrics.subject import Conditions, Subject
from tests.metrics.toys import DISCONNECTED, MIXED, TINY
from tests.subjects import Given


def values(subject, weight):
    return [METRIC.score(subject, setting).score for setting in spectrum_settings([weight])]


def test_entries_by_hand():
    """Of 63 outputs 3, 5, 7, ... every second, and the ends; of three, each again and again."""
    given = Given({0.5: np.arange(63) * 2.0 + 3, 1.0: np.array([4.0, 0.0, 1.0])})
    np.testing.assert_allclose(values(given, 0.5), np.arange(0, 63, 2) / 62)
    places = np.linspace(0, 2, ENTRIES).round().astype(int)
    np.testing.assert_allclose(values(given, 1.0), np.array([1, 0, 0.25])[places])
    assert given.asked == [0.5, 1.0]


def test_constant_outputs_and_disconnected_networks_have_none(batch):
    given = Given({1.0: np.ones(8)})
    assert METRIC.score(given, "1.0,0").reason == "constant"
    assert METRIC.score(Subject(Conditions(TINY, batch), DISCONNECTED), "1.0,0").reason == "disconnected"


def test_outputs_of_a_network(batch):
    subject = Subject(Conditions(TINY, batch, precision="extended"), MIXED)
    outputs = subject.outputs(0.01)
    expected = (outputs - outputs.min()) / np.ptp(outputs)
    places = np.linspace(0, len(batch) - 1, ENTRIES).round().astype(int)
    np.testing.assert_allclose(values(subject, 0.01), expected[places], rtol=1e-12)


def test_settings_work_and_columns():
    section = {"few_labels": {"weights": [1e-7, 1, 0.3]}}
    settings = METRIC.settings["weights"](section)
    assert len(settings) == 3 * ENTRIES
    assert METRIC.work(settings) == 1.5
    assert METRIC.columns(settings[ENTRIES + 2]) == {"weight": 1.0, "entry": 2}
    assert METRICS["spectrum"].suits(NasBenchNLP.family)


def test_only_a_study_has_settings(batch):
    with pytest.raises(InputError, match="metric spectrum: can only be computed by a study, which has 'few_labels'"):
        score_architectures(TINY, [MIXED], batch, metric="spectrum")
