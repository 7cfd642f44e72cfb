import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional

from epsinas import InputError, NasBench201, epsilon, evaluate
from epsinas.evaluation.ranking import SIX, bootstrap
from epsinas.metrics.random_pair import (
    evaluate_initialisations,
    initialisation_table,
    nearer,
    network_generator,
    sample_networks,
    score_initialisation,
    score_sample,
)

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


def test_two_networks_in_turn_from_one_stream(batch):
    generator = torch.Generator().manual_seed(3)
    images = torch.from_numpy(batch)
    expected = epsilon(by_hand(images, generator), by_hand(images, generator))
    found = score_initialisation(TINY, SKIP, batch, "kaiming_normal", torch.Generator().manual_seed(3))
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["uniform", "normal", "kaiming_uniform", "kaiming_normal", "orthogonal"])
def test_score_is_repeatable_and_positive(batch, name):
    first, second = (score_initialisation(TINY, MIXED, batch, name, network_generator(0, 1, 2)) for _ in range(2))
    assert first == second > 0


def test_no_score_where_input_and_output_are_not_connected(batch):
    assert np.isnan(score_initialisation(TINY, DISCONNECTED, batch, "normal", network_generator(0, 0, 0)))


def test_unknown_initialisation(batch):
    with pytest.raises(InputError, match="unknown initialisation 'xavier'"):
        score_initialisation(TINY, SKIP, batch, "xavier", network_generator(0, 0, 0))


def test_streams_differ_between_networks_and_draws():
    drawn = {torch.rand(1, generator=network_generator(0, draw, index)).item() for draw in (0, 1) for index in (0, 1)}
    assert len(drawn) == 4


def test_scores_do_not_depend_on_the_chunks(batch):
    networks = pd.DataFrame({"index": [4, 9, 11], "architecture": [MIXED, DISCONNECTED, SKIP]})
    whole = score_sample(TINY, networks, batch, "orthogonal", 0, 1)
    parts = [score_sample(TINY, networks.iloc[[row]], batch, "orthogonal", 0, 1) for row in range(3)]
    pd.testing.assert_frame_equal(whole, pd.concat(parts, ignore_index=True))
    assert whole["score"].notna().tolist() == [True, False, True]


def test_sample():
    networks = pd.DataFrame({"index": np.arange(30)})
    first, second = sample_networks(networks, 10, 0), sample_networks(networks, 10, 0)
    assert first["index"].tolist() == second["index"].tolist()
    assert len(set(first["index"])) == 10
    everything = sample_networks(networks, None, 0)["index"].tolist()
    assert everything[:10] == first["index"].tolist()
    assert sorted(everything) == networks["index"].tolist()
    assert everything != sample_networks(networks, None, 1)["index"].tolist()
    with pytest.raises(InputError, match="networks: found 30 in the table, expected at least 31"):
        sample_networks(networks, 31, 0)


def test_evaluation_of_each_draw():
    accuracy = [10.0, 20.0, 30.0, 40.0]
    performance = pd.DataFrame({"index": range(4), "dataset": "cifar10", "split": "test", "epochs": 200})
    performance = performance.assign(seed=pd.array([None] * 4, dtype="Int8"), accuracy=accuracy)
    runs = {0: [1.0, 2.0, 3.0, 4.0], 1: [4.0, np.nan, 2.0, 3.0]}
    scores = pd.concat(
        pd.DataFrame({"index": range(4), "dataset": "cifar10", "initialisation": "normal", "draw": draw, "score": run})
        for draw, run in runs.items()
    )
    draws = evaluate_initialisations(scores, performance, "test", 200)
    assert draws["archs"].tolist() == [4, 3]
    assert draws["spearman_global"].tolist() == [1, evaluate(runs[1], accuracy).spearman_global]
    assert not any("sample" in name for name in draws)
    resampled = evaluate_initialisations(scores, performance, "test", 200, 50, np.random.default_rng(0))
    low, high = bootstrap(runs[0], accuracy, 50, np.random.default_rng(0))["kendall_global"]
    assert resampled.loc[0, ["kendall_global_sample_low", "kendall_global_sample_high"]].tolist() == [low, high]
    assert np.isnan(resampled.loc[1, "kendall_global_sample_low"])
    table = initialisation_table(resampled, printed=False)
    assert table.loc[0, "kendall_global_sample_low"] == low


def test_table_of_means_and_of_both_published_versions():
    draws = pd.DataFrame(
        [
            {"dataset": dataset, "initialisation": "normal", "draw": draw, "networks": 100, "archs": 97}
            | dict.fromkeys(SIX, value)
            for dataset in ("cifar10", "mine")
            for draw, value in enumerate((0.1, 0.2))
        ]
    )
    table = initialisation_table(draws, printed=True).set_index("dataset")
    assert table.loc["cifar10", "spearman_global"] == pytest.approx(0.15)
    assert table.loc["cifar10", "kendall_top10_sd"] == pytest.approx(0.1 / np.sqrt(2))
    assert table.loc["cifar10", ["paper", "notebook", "supports"]].tolist() == [0.44, 0.08, "notebook"]
    assert pd.isna(table.loc["mine", "supports"])
    assert "supports" not in initialisation_table(draws, printed=False)


def test_nearer():
    assert nearer(0.1, {"a": 0.0, "b": 0.5}) == "a"
    assert nearer(0.25, {"a": 0.0, "b": 0.5}) == "neither"
    assert nearer(float("nan"), {"a": 0.0, "b": 0.5}) == "neither"
