import numpy as np
import pandas as pd
import pytest

from epsinas.pages.noise import agreement_of_batches, agreement_of_trainings
from epsinas.paper.compared import Compared
from epsinas.sources import packaged

OPTIONS = {"split": "test", "epochs": 12}


def performance(values: dict, measure: str = "accuracy", **labels) -> pd.DataFrame:
    """Rows of five networks for each seed, None for the mean, in the schema of performances."""
    labels = {"dataset": "mine", "split": "test", "epochs": 12} | labels
    tables = [
        pd.DataFrame({"index": range(5), **labels, "seed": pd.array([seed] * 5, dtype="Int8"), measure: reached})
        for seed, reached in values.items()
    ]
    return pd.concat(tables, ignore_index=True)


def networks(reached=(1.0, 2.0, 3.0, 4.0, 5.0), dataset: str = "mine") -> Compared:
    table = pd.DataFrame({"trained_as": range(len(reached))})
    scores = pd.DataFrame(index=table.index)
    return Compared("s", dataset, scores, pd.Series(reached), table, scores, {}, [], np.nan)


def test_every_pair_of_seeds():
    trainings = {
        None: [5.0] * 5,
        0: [10.0, 20.0, 30.0, 40.0, 50.0],
        1: [20.0, 10.0, 30.0, 40.0, 50.0],
        2: [90.0, np.nan, 70.0, 60.0, 50.0],
    }
    pairs = list(agreement_of_trainings(networks(), performance(trainings), OPTIONS))
    assert [(pair["kind"], pair["of"]) for pair in pairs] == [
        ("seeds", "0 and 1"),
        ("seeds", "0 and 2"),
        ("seeds", "1 and 2"),
    ]
    assert all(pair["trainings"] == pytest.approx(14 / 5) for pair in pairs)
    assert pairs[1]["first"].corr(pairs[1]["second"], method="spearman") == pytest.approx(-1)


def test_shorter_trainings_of_the_same_measure():
    longer = performance({None: [1.0, 2.0, 3.0, 4.0, 5.0]}, epochs=200)
    shorter = performance({None: [1.0, 3.0, 2.0, 4.0, 5.0], 0: [5.0, 4.0, 3.0, 2.0, 1.0]})
    valid = performance({0: [1.0, 2.0, 3.0, 4.0, 5.0], 1: [3.0, 2.0, 3.0, 4.0, 5.0]}, split="valid")
    table = pd.concat([longer, shorter, valid, performance({None: [1.0] * 5}, dataset="other")])
    pairs = list(agreement_of_trainings(networks(), table, {"split": "test", "epochs": 200}))
    assert [(pair["kind"], pair["of"]) for pair in pairs] == [
        ("epochs", "test, 12 and 200"),
        ("epochs", "valid, 12 and 200"),
    ]
    assert pairs[0]["first"].tolist() == [1, 3, 2, 4, 5]  # the benchmark's mean
    assert pairs[1]["first"].tolist() == [2, 2, 3, 4, 5]  # that of its seeds


def test_lower_losses_are_better():
    tables = [performance({0: [1.0, 2.0, 3.0, 4.0, 5.0]}, measure="loss", epochs=epochs) for epochs in (12, 50)]
    pairs = agreement_of_trainings(networks(), pd.concat(tables), {"split": "test", "epochs": 50})
    (pair,) = pairs
    assert pair["first"].tolist() == [-1, -2, -3, -4, -5]


@pytest.mark.parametrize("values", [{None: [1.0] * 5}, {0: [1.0] * 5}, {0: [np.nan] * 5, 1: [np.nan] * 5}])
def test_without_two_trainings_there_are_no_pairs(values):
    assert list(agreement_of_trainings(networks(), performance(values), OPTIONS)) == []


def test_the_published_accuracies():
    """CIFAR-10, 200 epochs: as a metric, the accuracy of one training would rank those of another so well."""
    table = packaged.performance("nas-bench-201")
    one = networks(np.arange(15625.0), "cifar10")
    pairs = list(agreement_of_trainings(one, table, {"split": "test", "epochs": 200}))
    seeds = [pair for pair in pairs if pair["kind"] == "seeds"]
    assert [pair["of"] for pair in seeds] == ["0 and 1", "0 and 2", "1 and 2"]
    assert all(pair["first"].corr(pair["second"], method="spearman") > 0.98 for pair in seeds)
    assert [pair["of"] for pair in pairs if pair["kind"] == "epochs"] == ["test, 12 and 200", "valid, 12 and 200"]


def test_batches_by_hand():
    """Of three pairs of batches one agrees by 1 and two by one half; the last network has no score on one."""
    scores = pd.DataFrame({0: [1, 2, 3, 9.0], 1: [10, 20, 30, np.nan], 2: [1, 3, 2, 9]})
    found = agreement_of_batches(scores, pd.Series([90.0, 91.0, 92.0, 93.0]), -1)
    assert found["archs"] == 3
    assert found["agreement"] == pytest.approx(2 / 3)
    assert found["spearman"] == pytest.approx(-2.5 / 3)
    assert found["agreement_low"] == pytest.approx(0.5)
