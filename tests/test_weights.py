import numpy as np
import pandas as pd
import pytest

from epsinas import InputError, NasBench201, score_architectures
from epsinas.weights import choose_weights, chosen_pair, windows

TINY = NasBench201(channels=2, cells=1)


def test_windows_go_from_the_widest_up_from_the_low_end():
    assert windows([-2, -1, 0]) == [(0.01, 1.0), (0.01, 0.1), (0.1, 1.0)]
    assert len(windows()) == 28
    assert windows()[0] == (1e-7, 1.0)


def test_first_window_that_passes_is_chosen(batch):
    rng = np.random.default_rng(0)
    table = choose_weights(TINY, batch, rng, networks=30)
    sample = TINY.sample(30, np.random.default_rng(0))
    scores = score_architectures(TINY, sample, batch, windows())
    assert table["archs"].tolist() == np.isfinite(scores).sum(axis=0).tolist()
    passing = np.flatnonzero(30 - table["archs"] < 3)
    assert table["chosen"].sum() == 1
    assert table["chosen"][passing[0]]
    assert chosen_pair(table) == windows()[passing[0]]


def test_no_window_passes(batch):
    disconnected = choose_weights(TINY, batch, np.random.default_rng(0), networks=5, limit=1e-9)
    if not disconnected["chosen"].any():
        with pytest.raises(InputError, match="weights: auto: no window passes; the best"):
            chosen_pair(disconnected)
    table = pd.DataFrame({"weight_low": [0.1], "weight_high": [1.0], "networks": [10], "archs": [4], "chosen": [False]})
    with pytest.raises(InputError, match=r"weights: auto: no window passes; the best, 0.1 1, scores 4 of 10 networks"):
        chosen_pair(table)


def test_bad_limit(batch):
    with pytest.raises(InputError, match="limit: found 0, expected a share above 0 and at most 1"):
        choose_weights(TINY, batch, np.random.default_rng(0), limit=0)


def test_networks_must_be_positive(batch):
    with pytest.raises(InputError, match="networks: found 0, expected 1 or more"):
        choose_weights(TINY, batch, np.random.default_rng(0), networks=0)
