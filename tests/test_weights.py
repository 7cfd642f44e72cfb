import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from epsinas import InputError, NasBench201, score, score_architectures
from epsinas.models.running import run
from epsinas.weights import choose_weights, chosen_pair, windows

TINY = NasBench201(channels=2, cells=1)


def test_windows_go_from_the_widest_up_from_the_low_end():
    assert windows([-2, -1, 0]) == [(0.01, 1.0), (0.01, 0.1), (0.1, 1.0)]
    assert len(windows()) == 28
    assert windows()[0] == (1e-7, 1.0)


def test_first_window_that_passes_is_chosen(batch):
    rng = np.random.default_rng(0)
    table = choose_weights(TINY, batch, rng, number=30)
    sample = TINY.sample(30, np.random.default_rng(0))
    scores = score_architectures(TINY, sample, batch, windows())
    assert table["archs"].tolist() == np.isfinite(scores).sum(axis=0).tolist()
    passing = np.flatnonzero(30 - table["archs"] < 3)
    assert table["chosen"].sum() == 1
    assert table["chosen"][passing[0]]
    assert chosen_pair(table) == windows()[passing[0]]


def test_no_window_passes(batch):
    disconnected = choose_weights(TINY, batch, np.random.default_rng(0), number=5, limit=1e-9)
    if not disconnected["chosen"].any():
        with pytest.raises(InputError, match="weights: auto: no window passes; the best"):
            chosen_pair(disconnected)
    table = pd.DataFrame({"weight_low": [0.1], "weight_high": [1.0], "networks": [10], "archs": [4], "chosen": [False]})
    with pytest.raises(InputError, match=r"weights: auto: no window passes; the best, 0.1 1, scores 4 of 10 networks"):
        chosen_pair(table)


def test_bad_limit(batch):
    with pytest.raises(InputError, match="limit: found 0, expected a share above 0 and at most 1"):
        choose_weights(TINY, batch, np.random.default_rng(0), limit=0)


def test_number_must_be_positive(batch):
    with pytest.raises(InputError, match="number: found 0, expected 1 or more networks"):
        choose_weights(TINY, batch, np.random.default_rng(0), number=0)


def test_a_search_space_needs_a_generator(batch):
    with pytest.raises(InputError, match=r"rng: found none, expected a numpy.random.Generator, which draws networks"):
        choose_weights(TINY, batch)


# Models of one's own.


def chain(depth: int) -> nn.Sequential:
    """Outputs are (8 w)^depth times the sum of the inputs."""
    return nn.Sequential(*[nn.Linear(8, 8, bias=False) for _ in range(depth)])


def test_windows_of_models_are_those_of_scores():
    # Below 7e-46 numbers are 0 in float32. (8 w)^8 is 2e-49 for w = 1e-7 and 2e-41 for 1e-6; (8 w)^12 is 7e-50 for 1e-5
    # and 7e-38 for 1e-4; (8 w)^23 is 6e-49 for 1e-3 and 6e-26 for 1e-2.
    models = [chain(depth) for depth in (1, 8, 12, 23)]
    samples = torch.eye(8) * torch.arange(1.0, 9.0)
    table = choose_weights(models, samples)
    assert list(table.columns) == ["weight_low", "weight_high", "networks", "archs", "chosen"]
    assert list(zip(table["weight_low"], table["weight_high"], strict=True)) == windows()
    assert table["networks"].eq(4).all()
    least = {1e-7: 1, 1e-6: 2, 1e-5: 2, 1e-4: 3, 1e-3: 3, 1e-2: 4, 1e-1: 4}
    assert table["archs"].tolist() == [least[low] for low in table["weight_low"]]
    assert chosen_pair(table) == (1e-2, 1.0)
    for low, high, _, archs, _ in table.itertuples(index=False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores = [score(model, samples, (low, high)) for model in models]
        assert np.isfinite(scores).sum() == archs


def test_fewer_than_a_tenth_of_the_models_may_lack_a_score():
    for count, chosen in ((10, 1e-6), (11, 1e-7)):
        models = [chain(8), *[chain(1)] * (count - 1)]
        assert chosen_pair(choose_weights(models, torch.eye(8) * torch.arange(1.0, 9.0)))[0] == chosen


def test_outputs_are_computed_once_for_each_weight(monkeypatch):
    weights = []

    def counted(model, batch, weight):
        weights.append(weight)
        return run(model, batch, weight)

    monkeypatch.setattr("epsinas.models.running.run", counted)
    choose_weights([chain(1)], torch.eye(8), exponents=(-2, -1, 0))
    assert sorted(weights) == [0.01, 0.1, 1.0]


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ([], "networks: found no models, expected one or more"),
        (chain(1), "networks: found Sequential, expected a search space or a list of models"),
        ([chain(1), 3], "networks[1]: model: found int, expected a torch.nn.Module"),
        ([chain(1), nn.ReLU()], "networks[1]: model: found no weights (it has no parameters; "),
        ([nn.Linear(3, 1)], "networks[0]: RuntimeError: mat1 and mat2 shapes cannot be multiplied"),
    ],
)
def test_what_are_no_models(networks, message):
    with pytest.raises(InputError) as caught:
        choose_weights(networks, torch.eye(8))
    assert str(caught.value).startswith(message)
