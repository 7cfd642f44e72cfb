import numpy as np
import pandas as pd
import pytest

from epsinas import InputError
from epsinas.evaluation.performance import guiding_accuracy, performance_label, performance_of, performances
from tests.performances import random_performance


def test_the_benchmarks_mean_is_taken(performance):
    assert performance_of(performance, "a", "test", 200).tolist() == [50, 51, 52, 53, 54, 55]


def test_seeds_are_averaged_where_there_is_no_mean(performance):
    assert performance_of(performance, "b", "test", 200)[3] == 31


def test_losses_where_there_is_no_accuracy(performance):
    losses = performance.rename(columns={"accuracy": "loss"})
    assert performance_of(losses, "a", "test", 200)[0] == 50


def test_no_such_rows(performance):
    with pytest.raises(InputError, match="performance: found no rows for dataset a, split test, epochs 12"):
        performance_of(performance, "a", "test", 12)


def test_trainings_that_all_failed(performance):
    failed = performance.assign(accuracy=np.nan)
    message = "performance: found no value for dataset a, split test, epochs 200, expected at least one training"
    with pytest.raises(InputError, match=message):
        performance_of(failed, "a", "test", 200)
    assert performances(failed, ["a"], ["test"], 200, pd.Index([0])) == {"a_test": None}


def test_labels():
    assert performance_label("loss", "test") == "test loss (nats a word)"
    assert performance_label("accuracy", "valid") == "validation accuracy (%)"


def test_columns_that_the_data_source_lacks(performance):
    found = performances(performance, ["a", "c"], ["valid", "test"], 200, pd.Index([5, 7]))
    assert {name for name, values in found.items() if values is None} == {"a_valid", "c_valid", "c_test"}
    assert found["a_test"][5] == 55
    assert np.isnan(found["a_test"][7])


def test_searches_are_guided_by_the_test_accuracy_only_where_there_is_no_other():
    both, test_only = random_performance([0, 1]), random_performance([0, 1], splits=["test"])
    assert guiding_accuracy(both, "cifar10", 200, pd.Index([1, 0]))[1] == "valid"
    assert guiding_accuracy(test_only, "cifar10", 200, pd.Index([1, 0]))[1] == "test"
    with pytest.raises(InputError, match="found no rows for dataset cifar10, split test, epochs 12"):
        guiding_accuracy(both, "cifar10", 12, pd.Index([0, 1]))
