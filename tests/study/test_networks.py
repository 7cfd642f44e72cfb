from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from epsinas import InputError, NasBench201, score_architectures
from epsinas.scoring import score_with_errors
from epsinas.spaces import NasBenchNLP
from epsinas.study.networks import chunk, coverage, describe, first_draw, gather, sample_table, score_draws

TINY = NasBench201(channels=2, cells=1)
SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
SAME = "|skip_connect~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"
CONVOLUTION = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"


@pytest.fixture
def networks():
    table = pd.DataFrame({"index": [7, 2, 5], "architecture": [SAME, SKIP, CONVOLUTION]})
    return describe(NasBench201(), table)


def test_describe_counts_and_finds_equal_networks(networks):
    assert networks["index"].tolist() == [2, 5, 7]
    assert networks["representative"].tolist() == [2, 5, 2]
    assert networks["parameters"].tolist() == [73306, 73306 + 243040, 73306]
    assert {"flops", "convolutions", "layers"} <= set(networks)


def test_chunks_divide_the_representatives(networks):
    parts = [chunk(networks, None, number, 2)["index"].tolist() for number in (1, 2)]
    assert parts == [[2], [5]]
    assert chunk(networks, 1, 1, 1)["index"].tolist() == [2]
    assert chunk(networks, None, 3, 3).empty


def test_recurrent_networks_have_no_convolutions():
    recipe = '{"a": {"op": "linear", "input": ["x", "h_prev_0"]}, "h_new_0": {"op": "activation_tanh", "input": ["a"]}}'
    twin = recipe.replace('["x", "h_prev_0"]', '["h_prev_0", "x"]')
    table = describe(NasBenchNLP(5, 2), pd.DataFrame({"index": [4, 3], "architecture": [recipe, twin]}), vocabulary=10)
    assert table["representative"].tolist() == [3, 3]
    # Two layers of 5 and 400 units, each with an input's and a state's matrix and a bias; embedding and decoder bias.
    expected = (400 * 5 + 5 * 5 + 5) + (5 * 400 + 400 * 400 + 400) + 10 * 401
    assert table["parameters"].tolist() == [expected] * 2
    assert "convolutions" not in table


def test_scores_reach_every_network(networks, batch):
    pairs = [(1e-3, 1.0), (1e-2, 1.0)]
    batches = [batch, batch[::-1].copy(), batch * 2]
    parts = [
        score_draws(TINY, chunk(networks, None, number, 3), batches, pairs, "double", "masked") for number in (1, 2, 3)
    ]
    table = gather(networks, None, 3, pd.concat(parts))
    assert table["index"].tolist() == [2] * 6 + [5] * 6 + [7] * 6
    for draw, images in enumerate(batches):
        for pair in pairs:
            rows = table[(table["weight_low"] == pair[0]) & (table["draw"] == draw)]
            direct = score_with_errors(TINY, networks["architecture"], images, pair, precision="double")
            np.testing.assert_array_equal(rows["score"], direct.scores)
            np.testing.assert_array_equal(rows["error"], direct.errors)
    first = gather(networks, None, 1, pd.concat(parts))
    assert first["draw"].unique().tolist() == [0]
    assert gather(networks, 1, 3, pd.concat(parts))["index"].unique().tolist() == [2]


def test_missing_chunk(networks, batch):
    scores = score_draws(TINY, networks.head(1), [batch], [(1e-3, 1.0)], "single", "masked")
    with pytest.raises(InputError, match="scores: network 5 and 0 others are missing from the chunks"):
        gather(networks, None, 1, scores)


def test_subset_larger_than_the_table(networks):
    with pytest.raises(InputError, match="networks: found 3 in the table, expected at least 4"):
        chunk(networks, 4, 1, 1)


def test_one_pair_of_a_grid_is_the_direct_score(networks, batch):
    grid = list(combinations([1e-3, 1e-2, 0.1, 1.0], 2))
    table = score_draws(TINY, networks, [batch], grid, "double", "masked")
    pair = table[(table["weight_low"] == 1e-2) & (table["weight_high"] == 1.0)]
    direct = score_architectures(TINY, networks["architecture"], batch, (1e-2, 1.0), precision="double")
    np.testing.assert_array_equal(pair["score"], direct)


def test_networks_without_a_score_keep_their_rows(batch):
    disconnected = pd.DataFrame({"index": [3], "architecture": ["|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"]})
    table = score_draws(TINY, disconnected, [batch, batch], [(1e-2, 1.0)], "single", "masked")
    assert table["score"].isna().tolist() == [True, True]
    assert table["error"].isna().all()  # no estimate for images


def test_a_chunk_without_networks(batch, networks):
    assert score_draws(TINY, networks.head(0), [batch], [(1e-2, 1.0)], "single", "masked").empty


def test_coverage(networks):
    scores = pd.DataFrame({"index": [2, 5, 7] * 2, "draw": [0] * 3 + [1] * 3, "score": [0.2, np.nan, 0.4, 1, 1, 1]})
    scores = scores.assign(
        space="nas-bench-201",
        dataset="a",
        inputs="real",
        batch_size=8,
        precision="single",
        weight_low=0.1,
        weight_high=1.0,
        error=np.nan,
    )
    found = coverage(scores, networks, 6.0)
    assert {name: found[name] for name in ("networks", "distinct", "scored", "batches")} == {
        "networks": 3,
        "distinct": 2,
        "scored": 2,
        "batches": 2,
    }
    assert found["coverage"] == pytest.approx(2 / 3)
    assert (found["lowest"], found["median"], found["highest"]) == pytest.approx((0.2, 0.3, 0.4))
    assert found["milliseconds"] == 1500
    assert found["rounding_limited"] is None
    limited = scores.assign(error=[0.1, np.inf, 1e-9] * 2)
    assert coverage(limited, networks, 6.0)["rounding_limited"] == 1
    assert first_draw(scores)[7] == 0.4


def test_a_sample_of_a_space():
    table = sample_table(NasBenchNLP(), 5, np.random.default_rng(0))
    assert table["index"].tolist() == list(range(5))
    assert table["architecture"].tolist() == NasBenchNLP().sample(5, np.random.default_rng(0))
