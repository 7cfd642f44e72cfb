import numpy as np
import pytest
import torch

from epsinas import InputError, NasBench101, NasBench201, NasBenchNLP, score_architectures
from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.engines.watching import watched_pass
from epsinas.metrics.activations import by_channel, forward_pass, of_connected, relu_codes
from epsinas.metrics.base import METRICS
from epsinas.metrics.subject import Conditions, Subject
from epsinas.scoring import check_conditions, score_networks
from epsinas.study.config import read_study
from tests.metrics.toys import RECIPE
from tests.subjects import full_width_network

TINY = NasBench201(channels=2, cells=1)
MIXED = "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|none~0|nor_conv_1x1~1|skip_connect~2|"
DEAD_END = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"

OF_IMAGES = [
    *("naswot", "tenas_regions", "swap", "zen", "meco", "near", "intrain", "cv"),
    *("az_expressivity", "az_progressivity", "az_trainability"),
]
with_each = pytest.mark.parametrize("name", OF_IMAGES)


def subject_of(batch, architecture=MIXED, space=TINY, seed=0, draw=0, **changes):
    return Subject(Conditions(space, batch, seed=seed, draw=draw, labels=np.arange(8) % 10, **changes), architecture)


def usual_score(name, subject):
    metric = METRICS[name]
    (setting,) = metric.settings["one"]({})
    return metric.score(subject, setting)


# Watched passes.


@pytest.mark.parametrize(("space", "architecture"), [(TINY, MIXED), (NasBench101(4, 1), "0100:input,output")])
def test_a_watched_pass_is_a_pass(batch, space, architecture):
    subject = subject_of(batch, architecture, space)
    watched = watched_pass(subject.network, subject.tensor, lambda *call: None)
    torch.testing.assert_close(watched, subject.network(subject.tensor), rtol=0, atol=0)


def test_a_watched_pass_over_sequences(tokens):
    subject = Subject(Conditions(NasBenchNLP(6, 2, 4), tokens), RECIPE)
    calls = []
    watched = watched_pass(subject.network, subject.tensor, lambda name, *call: calls.append(name))
    torch.testing.assert_close(watched, subject.network(subject.tensor), rtol=0, atol=0)
    assert calls.count("recurrent") == 2
    assert calls.count("linear") == calls.count("activation_tanh") == calls.count("cell") == 2 * 5


def test_operations_are_told_with_what_they_are_given_and_return():
    network = full_width_network(lambda ops, x: ops.relu(ops.conv(x, 1, 1)), torch.full((1, 1, 1, 1), -2.0))
    calls = []
    watched_pass(network, torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1), lambda *call: calls.append(call))
    (_, (images, *_), convolved), (name, (given,), rectified) = calls[:2]
    assert name == "relu"
    assert images.flatten().tolist() == [1, -1]
    assert convolved is given
    assert rectified.flatten().tolist() == [0, 2]


def test_codes_of_all_relus():
    def describe(ops, x):
        return ops.relu(ops.conv(ops.relu(x), 2, 1))

    network = full_width_network(describe, torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
    codes = relu_codes(network, torch.tensor([[3.0, -1.0], [0.0, 2.0]]).reshape(2, 1, 1, 2))
    # Two pixels; then two channels of two pixels each, x and -x for rectified x.
    expected = [[1, 0, 1, 0, 0, 0], [0, 1, 0, 1, 0, 0]]
    assert codes.int().tolist() == expected


def test_channels_at_every_place():
    maps = torch.arange(8.0).reshape(1, 2, 2, 2)
    assert by_channel(maps).tolist() == [[0, 4], [1, 5], [2, 6], [3, 7]]


def test_blocks_are_square_where_there_are_enough_places(batch):
    subject = subject_of(batch)
    found = forward_pass(subject)
    assert {tuple(block.shape) for block in found.blocks} == {(2, 2), (4, 4), (8, 8), (8, 10)}
    assert all(code.shape[0] == 8 for code in found.codes)


# What metrics share.


def passes(monkeypatch, subject, names):
    made = []
    operations = FullWidthNetwork.operations
    monkeypatch.setattr(FullWidthNetwork, "operations", lambda *arguments: made.append(0) or operations(*arguments))
    assert all(np.isfinite(usual_score(name, subject).score) for name in names)
    return len(made)


def test_metrics_share_a_pass(monkeypatch, batch):
    assert passes(monkeypatch, subject_of(batch), ["naswot", "near", "naswot"]) == 1


def test_the_parts_of_az_nas_share_a_pass(monkeypatch, batch):
    parts = ["az_expressivity", "az_progressivity", "az_trainability"]
    assert passes(monkeypatch, subject_of(batch), parts) == 1


# What all of them do.


@with_each
def test_scores_depend_on_seed_and_draw_alone(batch, name):
    def score(**changes):
        return usual_score(name, subject_of(batch, **changes)).score

    first = score()
    assert first == score()
    assert len({first, score(seed=1), score(draw=1)}) > 1


@with_each
def test_other_metrics_leave_a_network_as_it_was(batch, name):
    subject = subject_of(batch)
    before = usual_score("naswot", subject_of(batch)).score
    usual_score(name, subject)
    assert usual_score("naswot", subject).score == before


@with_each
def test_no_score_where_input_and_output_are_not_connected(batch, name):
    found = usual_score(name, subject_of(batch, DEAD_END))
    assert np.isnan(found.score)
    assert found.reason == "disconnected"


@with_each
def test_networks_of_another_space(batch, name):
    space = NasBench101(channels=4, cells=1)
    found = usual_score(name, subject_of(batch, "010001000:input,conv3x3-bn-relu,output", space))
    assert np.isfinite(found.score)


@pytest.mark.parametrize(
    ("value", "reason"), [(1.0, ""), (-np.inf, "constant"), (np.inf, "overflow"), (np.nan, "failed")]
)
def test_reasons(batch, value, reason):
    assert of_connected(lambda subject: value)(subject_of(batch), "").reason == reason


def test_processes_of_their_own(batch):
    architectures = TINY.sample(70, np.random.default_rng(0))
    one, two = (score_architectures(TINY, architectures, batch, metric="naswot", jobs=jobs) for jobs in (1, 2))
    np.testing.assert_array_equal(one, two)
    assert np.isfinite(one).sum() > 60


# Families.


def test_metrics_of_images_refuse_sequences(tokens):
    for name in [*OF_IMAGES, "convolutions", "skips"]:
        with pytest.raises(InputError, match=f"^metric {name}: found networks of sequences, expected images$"):
            score_architectures(NasBenchNLP(6, 2, 4), [RECIPE], tokens, metric=name)


def test_hidden_covariance_refuses_images(batch):
    with pytest.raises(InputError, match=r"^metric hidden_covariance: found networks of images, expected sequences$"):
        check_conditions(METRICS["hidden_covariance"], Conditions(TINY, batch))


def test_a_study_says_so_before_it_begins():
    section = {"corpora": {"zipf": "zipf"}, "metrics": ["naswot"]}
    with pytest.raises(InputError, match=r"^metric naswot: found networks of sequences"):
        read_study({"study": "mine", "nas-bench-nlp": section})


def test_a_table_of_scores(batch):
    import pandas as pd

    networks = pd.DataFrame({"index": [0, 1], "architecture": [MIXED, DEAD_END]})
    found = score_networks([(METRICS["naswot"], [""])], [Conditions(TINY, batch)], networks)
    assert found["reason"].tolist() == ["", "disconnected"]
