import math

import numpy as np
import pytest

from epsinas import InputError, NasBenchNLP
from epsinas.metrics.hidden_covariance import METRIC, sequence_spread
from epsinas.metrics.subject import Conditions, Subject
from tests.metrics.toys import RECIPE

MEMORY = '{"h_new_0": {"op": "activation_tanh", "input": ["h_prev_0"]}}'


def test_correlated_sequences():
    # Two sequences of correlation 1/2: eigenvalues 3/2 and 1/2.
    states = np.array([[1.0, 0.0, -1.0], [1.0, -1.0, 0.0]])
    expected = -sum(math.log(value + 1e-5) + 1 / (value + 1e-5) for value in (1.5, 0.5))
    assert sequence_spread(states) == pytest.approx(expected)


def test_sequences_without_a_correlation():
    assert sequence_spread(np.array([[1.0, 1.0], [1.0, 0.0]])) == -math.inf
    assert sequence_spread(np.array([[1.0, np.inf], [1.0, 0.0]])) == math.inf


def test_a_tiny_recurrent_network(tokens):
    subject = Subject(Conditions(NasBenchNLP(hidden_size=3, layers=2, embedding=4), tokens), RECIPE)
    inputs = tokens.embedding[tokens.tokens]
    for number in (1, 2):
        weights = [parameter.detach().numpy() for parameter in subject.network.layers[number - 1].parameters()]
        by_shape = [weight for weight in weights if weight.ndim == 2]
        (bias,) = (weight for weight in weights if weight.ndim == 1)
        hidden, states = np.zeros((3, len(bias))), []
        for step in inputs:
            hidden = np.tanh(step @ by_shape[0].T + hidden @ by_shape[1].T + bias)
            states.append(hidden)
        inputs = np.stack(states)
        expected = sequence_spread(np.concatenate(states, axis=1))
        assert METRIC.score(subject, str(number)).score == pytest.approx(expected, rel=1e-2)


def test_layers(tokens):
    subject = Subject(Conditions(NasBenchNLP(hidden_size=3, layers=2, embedding=4), tokens), RECIPE)
    with pytest.raises(InputError, match=r"^layer: found 3, expected at most 2$"):
        METRIC.score(subject, "3")
    assert METRIC.settings["one"]({}) == ("1",)
    assert METRIC.settings["layers"]({}) == ("1", "2", "3")
    assert METRIC.columns("2") == {"layer": 2}


def test_a_network_that_reads_nothing_has_no_score(tokens):
    found = METRIC.score(Subject(Conditions(NasBenchNLP(3, 2, 4), tokens), MEMORY), "1")
    assert np.isnan(found.score)
    assert found.reason == "disconnected"
