import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

from epsinas import InputError, NasBench201
from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.engines.images.initialisers import random
from epsinas.training.fit import (
    Schedule,
    accuracies,
    fit,
    prepare,
    split,
    train,
    train_networks,
)

TINY = NasBench201(channels=4, cells=1)
CONVOLUTIONS = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|skip_connect~0|nor_conv_3x3~1|avg_pool_3x3~2|"
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


@pytest.fixture(scope="module")
def data():
    digits = load_digits()
    images = digits.images.astype(np.uint8)[:400, ..., np.newaxis]
    labels = digits.target[:400]
    return prepare(images, labels, split(labels, 0.2, 0.3, np.random.default_rng(0)))


def test_split_is_stratified_disjoint_and_complete():
    labels = np.repeat([3, 7], [20, 40])
    parts = split(labels, 0.25, 0.25, np.random.default_rng(0))
    assert {name: np.bincount(labels[at])[[3, 7]].tolist() for name, at in parts.items()} == {
        "train": [10, 20],
        "valid": [5, 10],
        "test": [5, 10],
    }
    assert sorted(np.concatenate(list(parts.values()))) == list(range(60))
    again = split(labels, 0.25, 0.25, np.random.default_rng(0))
    assert all((parts[name] == again[name]).all() for name in parts)


@pytest.mark.parametrize(
    ("labels", "valid", "test", "message"),
    [
        ([0, 1], 0.6, 0.4, "split: found valid 0.6 and test 0.4, expected positive fractions with a sum below 1"),
        ([0] * 10 + [1], 0.2, 0.2, "label 1: found 1 images, too few for a share in every split"),
    ],
)
def test_split_errors(labels, valid, test, message):
    with pytest.raises(InputError, match=message):
        split(np.array(labels), valid, test, np.random.default_rng(0))


def test_images_are_normalised_by_the_training_split():
    images = np.zeros((4, 4, 4, 1), dtype=np.uint8)
    images[1] = 2
    images[3] = 9
    positions = {"train": np.array([0, 1]), "valid": np.array([2]), "test": np.array([3])}
    data = prepare(images, np.array([5, 8, 5, 8]), positions)
    # Training pixels are 0 and 2: mean 1, deviation 1.
    assert data.images["train"][:, 0, 0, 0].tolist() == [-1, 1]
    assert data.images["test"][:, 0, 0, 0].tolist() == [8]
    assert data.labels["train"].tolist() == [0, 1]
    assert data.classes == 2


def test_loss_falls(data):
    losses = []
    for epochs in (1, 10):
        (outcome,) = train(TINY, CONVOLUTIONS, data, Schedule(epochs, batch_size=20), [0])
        losses.append(outcome.loss)
    assert losses[1] < 0.5 * losses[0]
    assert outcome.test > 50
    assert outcome.status == "ok"


def test_two_runs_agree_and_seeds_differ(data):
    schedule = Schedule(epochs=1, batch_size=32)
    first, second = train(TINY, CONVOLUTIONS, data, schedule, [0, 1])
    again = train(TINY, CONVOLUTIONS, data, schedule, [0, 1])
    assert [(outcome.valid, outcome.test, outcome.loss) for outcome in again] == [
        (outcome.valid, outcome.test, outcome.loss) for outcome in (first, second)
    ]
    assert first.loss != second.loss


def test_replicas_are_separate_networks(data):
    """One step of two replicas side by side equals one step of each alone."""
    schedule = Schedule(epochs=1, batch_size=len(data.labels["train"]))
    images, labels = data.images["train"].double(), data.labels["train"]

    def trained(seeds):
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        initialise = [random("kaiming_normal", generator) for generator in generators]
        network = FullWidthNetwork(TINY, CONVOLUTIONS, (1, 8, 8), initialise, torch.float64)
        losses = fit(network, images, labels, schedule, generators)
        weights = [parameter.detach().unflatten(0, (len(seeds), -1)) for parameter in network.parameters()]
        return losses, weights

    losses, together = trained([0, 1])
    for replica in (0, 1):
        (loss,), alone = trained([replica])
        assert losses[replica] == pytest.approx(loss, rel=1e-5)
        for joint, single in zip(together, alone, strict=True):
            torch.testing.assert_close(joint[replica], single[0], rtol=1e-9, atol=1e-12)


def test_evaluation_uses_the_training_statistics(data):
    network = FullWidthNetwork(
        TINY, CONVOLUTIONS, (1, 8, 8), random("kaiming_normal", torch.Generator().manual_seed(0))
    )
    accuracy = accuracies(network, data)["test"][0]
    # A batch of one image would be constant under its own statistics.
    with torch.no_grad():
        statistics = network.statistics(data.images["train"])
        one_by_one = [network(image[None], statistics).argmax().item() for image in data.images["test"]]
    expected = 100 * np.mean(np.array(one_by_one) == data.labels["test"].numpy())
    assert accuracy == pytest.approx(expected)


def test_training_that_diverges_is_recorded(data):
    (outcome,) = train(TINY, CONVOLUTIONS, data, Schedule(epochs=2, batch_size=32, learning_rate=1e30), [0])
    assert outcome.status == "non-finite"
    assert np.isnan([outcome.valid, outcome.test]).all()
    assert not np.isfinite(outcome.loss)


def test_chunks_give_the_same_in_any_order(data):
    networks = pd.DataFrame({"index": [4, 9], "architecture": [CONVOLUTIONS, NOTHING]})
    schedule = Schedule(epochs=1, batch_size=100)
    counted = []
    table = train_networks(TINY, networks, data, schedule, [0, 1], counted.append)
    other = train_networks(TINY, networks[::-1], data, schedule, [0, 1]).sort_values("index", kind="stable")
    columns = ["index", "seed", "valid", "test", "loss", "status"]
    pd.testing.assert_frame_equal(table[columns], other[columns].reset_index(drop=True))
    assert counted == [2, 2]
