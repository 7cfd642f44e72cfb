import numpy as np
import pandas as pd
import pytest

from epsinas.evaluation.ranking import SIX
from epsinas.pages.table9 import initialisation_table, nearer


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


def test_the_first_draws_intervals_over_networks_are_kept():
    row = {"dataset": "mine", "initialisation": "normal", "networks": 4, "archs": 4} | dict.fromkeys(SIX, 0.1)
    ends = [{"kendall_global_sample_low": 0.05}, {"kendall_global_sample_low": np.nan}]
    draws = pd.DataFrame([row | {"draw": draw} | end for draw, end in enumerate(ends)])
    assert initialisation_table(draws, printed=False).loc[0, "kendall_global_sample_low"] == 0.05
