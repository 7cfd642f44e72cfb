import numpy as np
import pandas as pd
import pytest

from epsinas import InputError, NasBench201, score_architectures
from epsinas.weights import choose_weights, chosen_pair, compare_weights, windows

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


def test_comparison_with_the_published_choice():
    table = pd.DataFrame(
        {
            "weight_low": [1e-7, 1e-3],
            "weight_high": [1.0, 1.0],
            "networks": [100, 100],
            "archs": [55, 96],
            "chosen": [False, True],
        }
    )
    compared = compare_weights("nas-bench-201", "cifar10", table, (1e-7, 1.0))
    assert (compared["automatic_low"], compared["automatic_archs"]) == (1e-3, 96)
    assert (compared["published_low"], compared["published_archs"]) == (1e-7, 55)
    other = compare_weights("nas-bench-nlp", "ptb", table, None)
    # The paper's pair was not among those tried.
    assert (other["published_low"], other["published_high"], other["published_archs"]) == (1e-5, 1e-3, None)
    assert other["used_low"] == 1e-3
    assert compare_weights("nas-bench-201", "mine", table, None)["published_low"] is None
