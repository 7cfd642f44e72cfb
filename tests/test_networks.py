import numpy as np
import pandas as pd
import pytest

from epsinas import InputError, NasBench201, score_architectures
from epsinas.networks import chunk, describe, gather, score_table

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


def test_scores_reach_every_network(networks, batch):
    pairs = [(1e-3, 1.0), (1e-2, 1.0)]
    parts = [
        score_table(TINY, chunk(networks, None, number, 3), batch, pairs, "double", "masked") for number in (1, 2, 3)
    ]
    table = gather(networks, None, pd.concat(parts))
    assert table["index"].tolist() == [2, 2, 5, 5, 7, 7]
    for pair in pairs:
        rows = table[table["weight_low"] == pair[0]]
        expected = score_architectures(TINY, networks["architecture"], batch, pair, precision="double")
        np.testing.assert_array_equal(rows["score"], expected)


def test_missing_chunk(networks, batch):
    scores = score_table(TINY, networks.head(1), batch, [(1e-3, 1.0)], "single", "masked")
    with pytest.raises(InputError, match="scores: network 5 and 0 others are missing from the chunks"):
        gather(networks, None, scores)


def test_subset_larger_than_the_table(networks):
    with pytest.raises(InputError, match="networks: found 3 in the table, expected at least 4"):
        chunk(networks, 4, 1, 1)
