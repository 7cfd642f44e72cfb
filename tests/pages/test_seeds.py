import numpy as np
import pandas as pd
import pytest

from epsinas.pages.seeds import PAGE, seed_agreement
from epsinas.sources import packaged
from epsinas.study.config import read_study
from epsinas.study.plan import Plan


def performance(values, measure="accuracy", **labels):
    """Rows of five networks for each seed, None for the mean, in the schema of performances."""
    labels = {"dataset": "mine", "split": "test", "epochs": 12} | labels
    tables = [
        pd.DataFrame({"index": range(5), **labels, "seed": pd.array([seed] * 5, dtype="Int8"), measure: reached})
        for seed, reached in values.items()
    ]
    return pd.concat(tables, ignore_index=True)


def test_every_pair_of_seeds():
    # The second seed swaps two neighbours, which is one of ten pairs; the third failed once.
    trainings = {
        None: [5.0, 5.0, 5.0, 5.0, 5.0],
        0: [10.0, 20.0, 30.0, 40.0, 50.0],
        1: [20.0, 10.0, 30.0, 40.0, 50.0],
        2: [90.0, np.nan, 70.0, 60.0, 50.0],
    }
    table = seed_agreement(performance(trainings))
    assert table[["dataset", "split", "epochs"]].drop_duplicates().to_numpy().tolist() == [["mine", "test", 12]]
    assert table[["seed", "other_seed", "networks"]].to_numpy().tolist() == [[0, 1, 5], [0, 2, 4], [1, 2, 4]]
    assert table["spearman"].tolist() == pytest.approx([0.9, -1, -1])
    assert table["kendall"].tolist() == pytest.approx([0.8, -1, -1])


def test_data_sets_splits_and_epochs_are_apart():
    trainings = {0: [1.0, 2.0, 3.0, 4.0, 5.0], 3: [5.0, 4.0, 3.0, 2.0, 1.0]}
    tables = [performance(trainings), performance(trainings, split="valid"), performance(trainings, epochs=200)]
    table = seed_agreement(pd.concat(tables))
    assert table[["split", "epochs"]].to_numpy().tolist() == [["test", 12], ["valid", 12], ["test", 200]]
    assert table["spearman"].tolist() == pytest.approx([-1] * 3)


def test_losses():
    losses = {0: [1.0, 2.0, 3.0, 4.0, 5.0], 1: [1.0, 3.0, 2.0, 4.0, np.nan]}
    (row,) = seed_agreement(performance(losses, measure="loss")).to_dict("records")
    assert (row["networks"], row["spearman"]) == (4, pytest.approx(0.8))


@pytest.mark.parametrize("values", [{None: [1.0] * 5}, {0: [1.0] * 5}, {0: [np.nan] * 5, 1: [np.nan] * 5}])
def test_without_two_trainings_there_are_no_rows(values):
    table = seed_agreement(performance(values))
    assert table.empty
    assert {"seed", "other_seed", "spearman"} <= set(table)


def test_seeds_of_the_published_accuracies():
    """CIFAR-10, 200 epochs: as a metric, the accuracy of one training would rank those of another so well."""
    table = seed_agreement(packaged.performance("nas-bench-201"))
    assert table[["dataset", "split", "epochs"]].drop_duplicates().to_numpy().tolist() == [["cifar10", "test", 200]]
    assert table[["seed", "other_seed"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 2]]
    assert table["spearman"].between(0.9, 1).all()


def test_only_studies_with_performances_have_the_page():
    section = {"datasets": ["mine"]}
    assert PAGE.request(Plan(read_study({"study": "s", "nas-bench-101": section}))) is None
    compared = {"nas-bench-201": section | {"performance": {"split": "test", "epochs": 12}}}
    request = PAGE.request(Plan(read_study({"study": "s", "nas-bench-101": section} | compared)))
    assert request.spaces == ("nas-bench-201",)
    assert request.data == ("nas-bench-201.performance.parquet",)
