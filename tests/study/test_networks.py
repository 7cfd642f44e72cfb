from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from epsinas import InputError, NasBench201, score_architectures
from epsinas.metrics.base import RANDOM_WEIGHTS, Metric, scored
from epsinas.metrics.epsilon import METRIC, pair_setting
from epsinas.metrics.subject import Conditions
from epsinas.scoring import score_networks, score_with_errors
from epsinas.spaces import NasBenchNLP
from epsinas.study.networks import describe, first_draw, gather, ordered, part, sample_table
from epsinas.study.plan import Run

TINY = NasBench201(channels=2, cells=1)
SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
SAME = "|skip_connect~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"
CONVOLUTION = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"


EACH = Metric("each", "Each", "a test", lambda subject, setting: scored(float(subject.index)), cost="nothing")
"""A metric that tells all networks apart."""


def run(networks="all", draws=3):
    return Run("nas-bench-201", "any", "real", 8, draws, "epsilon", "double", "grid", networks)


def score_draws(networks, batches, pairs, precision="double"):
    conditions = [Conditions(TINY, images, precision, draw=draw) for draw, images in enumerate(batches)]
    return score_networks([(METRIC, [pair_setting(pair) for pair in pairs])], conditions, networks)


@pytest.fixture
def networks():
    table = pd.DataFrame({"index": [7, 2, 5], "architecture": [SAME, SKIP, CONVOLUTION]})
    return describe(NasBench201(), table)


def test_describe_counts_and_finds_equal_networks(networks):
    assert networks["index"].tolist() == [2, 5, 7]
    assert networks["representative"].tolist() == [2, 5, 2]
    assert networks["parameters"].tolist() == [73306, 73306 + 243040, 73306]
    assert networks["convolutions"].tolist() == [1 + 6, 1 + 6 + 15, 1 + 6]
    assert networks["relus"].tolist() == [4 + 1, 4 + 1 + 15, 4 + 1]
    assert networks["depth"].tolist() == [1 + 4 + 1, 1 + 4 + 1 + 15, 1 + 4 + 1]
    assert networks["skips"].tolist() == [1, 0, 2]
    assert networks["connected"].tolist() == [True, True, True]
    assert networks["reachable"].tolist() == [True, True, True]
    assert networks["parameter_free"].tolist() == [True, False, True]
    assert "layers" in networks


def test_operations_are_counted_for_the_data():
    table = pd.DataFrame({"index": [0], "architecture": [CONVOLUTION]})
    found = describe(NasBench201(), table, {"a": (3, 32, 32), "b": (3, 16, 16), "c": (1, 32, 32)}).iloc[0]
    # In millions of multiplications with an addition, from three official records: without and with one 3x3 edge.
    assert found["macs_a"] / 1e6 == pytest.approx(7.78305 + 35.38944, rel=1e-3)
    assert found["macs_b"] / 1e6 == pytest.approx(1.9534 + 8.84736, rel=1e-2)
    assert found["flops_a"] == 2 * found["macs_a"]
    # A grey image spares two thirds of the first convolution, of 3x3 to 16 channels.
    assert found["macs_a"] - found["macs_c"] == 2 * 9 * 16 * 32 * 32
    assert found["parameters"] == 73306 + 243040


def test_parts_divide_the_representatives(networks):
    parts = [part(networks, run(), f"{number}-of-2", METRIC, 0)["index"].tolist() for number in (1, 2)]
    assert parts == [[2], [5]]
    assert part(networks, run("first-1"), "1-of-1", METRIC, 0)["index"].tolist() == [2]
    assert part(networks, run(), "3-of-3", METRIC, 0).empty


def test_a_metric_that_tells_them_apart_scores_every_network(networks):
    parts = [part(networks, run(), f"{number}-of-2", EACH, 0)["index"].tolist() for number in (1, 2)]
    assert parts == [[2, 7], [5]]


def test_a_metric_of_random_weights_scores_what_trains_differently():
    """Under one constant weight two convolutions of a map are one of them twice; one that leads nowhere is none."""
    cells = [
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_1x1~1|nor_conv_1x1~2|",
        "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|nor_conv_1x1~1|none~2|",
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|nor_conv_1x1~1|nor_conv_1x1~2|",
        "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|nor_conv_1x1~1|none~2|",
    ]
    table = describe(NasBench201(), pd.DataFrame({"index": range(4), "architecture": cells[::-1]}))
    assert table["representative"].tolist() == [0, 1, 0, 1]
    assert table["trained_as"].tolist() == [2, 1, 2, 3]
    random = Metric("random", "Random", "a test", EACH.score, needs=(RANDOM_WEIGHTS,))
    assert part(table, run(), "1-of-1", random, 0)["index"].tolist() == [2, 1, 3]
    assert part(table, run(), "1-of-1", EACH, 0)["index"].tolist() == [0, 1, 2, 3]


def test_a_random_sample_is_the_beginning_of_a_larger_one():
    table = pd.DataFrame({"index": np.arange(30), "architecture": "any", "representative": np.arange(30)})
    ten, twelve = (ordered(table, run(f"random-{count}"), 0)["index"].tolist() for count in (10, 12))
    assert twelve[:10] == ten
    assert len(set(ten)) == 10
    everything = ordered(table, run("random-30"), 0)["index"].tolist()
    assert sorted(everything) == list(range(30))
    assert everything != ordered(table, run("random-30"), 1)["index"].tolist()
    parts = [part(table, run("random"), f"{number}-by-4", EACH, 0)["index"].tolist() for number in (1, 2, 3)]
    assert [index for found in parts for index in found] == twelve
    with pytest.raises(InputError, match="networks: found 30 in the table, expected at least 31"):
        ordered(table, run("random-31"), 0)


def test_parts_of_a_random_sample_score_no_network_twice():
    table = pd.DataFrame({"index": np.arange(30), "architecture": "any", "representative": np.arange(30) % 7})
    parts = [part(table, run("random"), f"{number}-by-10", METRIC, 0)["index"].tolist() for number in (1, 2, 3)]
    assert sorted(index for found in parts for index in found) == list(range(7))
    assert set(parts[0]) == set(ordered(table, run("random-10"), 0)["representative"])


def test_recurrent_networks_have_no_convolutions():
    recipe = '{"a": {"op": "linear", "input": ["x", "h_prev_0"]}, "h_new_0": {"op": "activation_tanh", "input": ["a"]}}'
    twin = recipe.replace('["x", "h_prev_0"]', '["h_prev_0", "x"]')
    table = describe(NasBenchNLP(5, 2), pd.DataFrame({"index": [4, 3], "architecture": [recipe, twin]}))
    assert table["representative"].tolist() == [3, 3]
    # Two layers of 5 and 400 units, each with an input's and a state's matrix and a bias; embedding and decoder bias.
    expected = (400 * 5 + 5 * 5 + 5) + (5 * 400 + 400 * 400 + 400) + 10_000 * 401
    assert table["parameters"].tolist() == [expected] * 2
    # Either layer's linear operation: the second one's input is the first one's output.
    assert table["layers"].tolist() == table["depth"].tolist() == [2, 2]
    assert {"convolutions", "relus", "skips", "parameter_free"}.isdisjoint(table)
    assert table[["connected", "reachable"]].all(axis=None)


def test_scores_reach_every_network(networks, batch):
    pairs = [(1e-3, 1.0), (1e-2, 1.0)]
    batches = [batch, batch[::-1].copy(), batch * 2]
    parts = [score_draws(part(networks, run(), f"{number}-of-3", METRIC, 0), batches, pairs) for number in (1, 2, 3)]
    scores = pd.concat(parts)
    table = gather(networks, run(), scores, METRIC, 0)
    assert table["index"].tolist() == [2] * 6 + [5] * 6 + [7] * 6
    for draw, images in enumerate(batches):
        for pair in pairs:
            rows = table[(table["setting"] == pair_setting(pair)) & (table["draw"] == draw)]
            direct = score_with_errors(TINY, networks["architecture"], images, pair, precision="double")
            np.testing.assert_array_equal(rows["score"], direct.scores)
            np.testing.assert_array_equal(rows["error"], direct.errors)
    assert table[["dataset", "batch_size", "precision"]].drop_duplicates().to_numpy().tolist() == [["any", 8, "double"]]
    # The third network has the score of the first, for which it took no time.
    assert (table["seconds"] > 0).tolist() == [True] * 12 + [False] * 6
    first = gather(networks, run(draws=1), scores, METRIC, 0)
    assert first["draw"].unique().tolist() == [0]
    assert gather(networks, run("first-1"), scores, METRIC, 0)["index"].unique().tolist() == [2]
    shuffled = gather(networks, run("random-3"), scores, METRIC, 0)
    assert shuffled["index"].unique().tolist() == ordered(networks, run("random-3"), 0)["index"].tolist()


def test_missing_chunk(networks, batch):
    scores = score_draws(networks.head(1), [batch], [(1e-3, 1.0)])
    with pytest.raises(InputError, match="scores: network 5 and 0 others are missing from the chunks"):
        gather(networks, run(), scores, METRIC, 0)
    with pytest.raises(InputError, match="scores: network 5 and 1 others are missing from the chunks"):
        gather(networks, run(), scores, EACH, 0)


def test_subset_larger_than_the_table(networks):
    with pytest.raises(InputError, match="networks: found 3 in the table, expected at least 4"):
        part(networks, run("first-4"), "1-of-1", METRIC, 0)


def test_one_pair_of_a_grid_is_the_direct_score(networks, batch):
    grid = list(combinations([1e-3, 1e-2, 0.1, 1.0], 2))
    table = score_draws(networks, [batch], grid)
    direct = score_architectures(TINY, networks["architecture"], batch, (1e-2, 1.0), precision="double")
    np.testing.assert_array_equal(table[table["setting"] == "0.01,1"]["score"], direct)


def test_networks_without_a_score_keep_their_rows(batch):
    disconnected = pd.DataFrame({"index": [3], "architecture": ["|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"]})
    table = score_draws(disconnected, [batch, batch], [(1e-2, 1.0)], "single")
    assert table["score"].isna().tolist() == [True, True]
    assert table["error"].isna().all()  # no estimate for images
    assert table["reason"].tolist() == ["disconnected"] * 2


def test_a_chunk_without_networks(batch, networks):
    assert score_draws(networks.head(0), [batch], [(1e-2, 1.0)]).empty


def test_a_sample_of_a_space():
    table = sample_table(NasBenchNLP(), 5, np.random.default_rng(0))
    assert table["index"].tolist() == list(range(5))
    assert table["architecture"].tolist() == NasBenchNLP().sample(5, np.random.default_rng(0))


def test_first_draw():
    scores = pd.DataFrame({"index": [2, 5, 2, 5], "draw": [0, 0, 1, 1], "score": [0.2, 0.4, 1.0, 1.0]})
    assert first_draw(scores).to_dict() == {2: 0.2, 5: 0.4}
