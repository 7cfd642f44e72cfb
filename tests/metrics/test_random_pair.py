import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional

from epsinas import InputError, NasBench201, epsilon
from epsinas.engines.images.initialisers import random
from epsinas.metrics.random_pair import METRIC
from epsinas.metrics.subject import Conditions, Subject
from epsinas.scoring import score_networks

TINY = NasBench201(channels=2, cells=1, classes=1)
SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
DISCONNECTED = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"
MIXED = "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|none~0|nor_conv_1x1~1|skip_connect~2|"


def by_hand(images, generator):
    """The network of SKIP in plain torch: its cells are the identity, so the skeleton is all there is."""

    def conv(x, out, kernel, stride=1):
        weight = torch.empty(out, x.shape[1], kernel, kernel)
        nn.init.kaiming_normal_(weight, mode="fan_out", generator=generator)
        return functional.conv2d(x, weight, stride=stride, padding=kernel // 2)

    def norm(x):
        return functional.batch_norm(x, None, None, training=True, eps=1e-5)

    x = norm(conv(images, 2, 3))
    for channels in (4, 8):
        inner = norm(conv(functional.relu(x), channels, 3, 2))
        inner = norm(conv(functional.relu(inner), channels, 3))
        x = inner + conv(functional.avg_pool2d(x, 2), channels, 1)
    weight = torch.empty(1, 8)
    features = functional.relu(norm(x)).mean(dim=(2, 3))
    return (features @ nn.init.normal_(weight, 0.0, 0.01, generator=generator).T).numpy()


def scored(architecture, batch, name, seed=0, draw=0, index=0):
    return METRIC.score(Subject(Conditions(TINY, batch, seed=seed, draw=draw), architecture, index), name)


def test_two_networks_in_turn_from_one_stream(batch):
    generator = Subject(Conditions(TINY, batch, seed=3, draw=1), SKIP, 7).generator()
    images = torch.from_numpy(batch)
    expected = epsilon(by_hand(images, generator), by_hand(images, generator))
    assert scored(SKIP, batch, "kaiming_normal", 3, 1, 7).score == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["uniform", "normal", "kaiming_uniform", "kaiming_normal", "orthogonal"])
def test_score_is_repeatable_and_positive(batch, name):
    first, second = (scored(MIXED, batch, name, 0, 1, 2).score for _ in range(2))
    assert first == second > 0


def test_no_score_where_input_and_output_are_not_connected(batch):
    found = scored(DISCONNECTED, batch, "normal")
    assert np.isnan(found.score)
    assert found.reason == "disconnected"


def test_unknown_initialisation(batch):
    with pytest.raises(InputError, match="unknown initialisation 'xavier'"):
        scored(SKIP, batch, "xavier")
    with pytest.raises(InputError, match="unknown initialisation 'xavier'"):
        random("xavier", torch.Generator())


def test_streams_differ_between_networks_and_draws(batch):
    subjects = [Subject(Conditions(TINY, batch, draw=draw), name) for draw in (0, 1) for name in (MIXED, SKIP)]
    assert len({torch.rand(1, generator=subject.generator()).item() for subject in subjects}) == 4


def test_scores_do_not_depend_on_the_chunks(batch):
    networks = pd.DataFrame({"index": [4, 9, 11], "architecture": [MIXED, DISCONNECTED, SKIP]})
    conditions = [Conditions(TINY, batch, draw=1)]
    whole = score_networks([(METRIC, ["orthogonal"])], conditions, networks)
    parts = [score_networks([(METRIC, ["orthogonal"])], conditions, networks.iloc[[row]]) for row in range(3)]
    joined = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(whole.drop(columns="seconds"), joined.drop(columns="seconds"))
    assert whole["score"].notna().tolist() == [True, False, True]
    assert whole["reason"].tolist() == ["", "disconnected", ""]
    assert (whole["draw"] == 1).all()


def test_names_come_from_the_study():
    section = {"ablations": {"initialisation": {"names": ["normal", "uniform"], "classes": 1}}}
    assert METRIC.settings["initialisations"](section) == ["normal", "uniform"]
    assert METRIC.skeleton(section) == {"classes": 1}
    assert METRIC.columns("normal") == {"initialisation": "normal"}
