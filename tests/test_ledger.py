import numpy as np
import pandas as pd
import pytest

from epsinas import InputError
from epsinas.evaluation import SIX
from epsinas.ledger import VERDICTS, ledger, summarise, verdict
from epsinas.published import read_published

NAN = float("nan")
KEY = ["table", "block", "row", "column"]


def test_the_published_record():
    published = read_published()
    assert len(published) == 860
    assert not published.duplicated(KEY).any()
    row = published.set_index(KEY).loc[(1, "CIFAR-10", "grad_norm", "spearman_global")]
    assert row["value"] == "0.59"
    assert row["original_authors_value"] == "0.58"
    # The last digit counts: how precisely a number is printed decides whether it is reproduced.
    assert published.set_index(KEY).loc[(2, "Baselines (N=1000)", "Optimal", "cifar10_test"), "value"] == "94.20"


@pytest.mark.parametrize(
    ("published", "reproduced", "low", "high", "expected"),
    [
        ("0.87", 0.8749, NAN, NAN, "reproduced"),  # rounds to 0.87
        ("0.87", 0.8751, NAN, NAN, "differs"),  # rounds to 0.88
        ("0.870", 0.8749, NAN, NAN, "differs"),
        ("0.12", 0.125, NAN, NAN, "reproduced"),
        ("0.13", 0.125, NAN, NAN, "reproduced"),
        ("0.70", 0.75, 0.70, 0.80, "reproduced"),  # ends belong to the interval
        ("0.69", 0.75, 0.70, 0.80, "differs"),
        ("0.75", 0.75, 0.80, 0.90, "reproduced"),  # equal, though other batches do better
        ("59", 59.0, NAN, NAN, "reproduced"),
        ("59", 58.0, NAN, NAN, "differs"),
        ("1e-7", 1e-7, NAN, NAN, "reproduced"),
        ("1e-7", 1e-6, NAN, NAN, "differs"),
        ("-0.06", -0.0601, NAN, NAN, "reproduced"),
        ("-0.06", 0.06, NAN, NAN, "differs"),
    ],
)
def test_verdicts_by_hand(published, reproduced, low, high, expected):
    assert verdict(published, reproduced, low, high) == expected


def test_published_must_be_a_number():
    with pytest.raises(InputError, match="published: found 'n/a', expected a number"):
        verdict("n/a", 1.0)


def six(values, width=NAN):
    row = dict(zip(SIX, values, strict=True))
    row |= {f"{name}_low": value - width for name, value in zip(SIX, values, strict=True)}
    return row | {f"{name}_high": value + width for name, value in zip(SIX, values, strict=True)}


def entries(tables):
    return ledger(tables).set_index(KEY)


def test_every_published_number_has_one_row():
    found = ledger({})
    assert len(found) == 860
    assert found[KEY].equals(read_published()[KEY])
    assert set(found["verdict"]) <= set(VERDICTS)
    assert (found["note"] != "").all()
    assert (found["verdict"] != "reproduced").all()


def test_table_1():
    # Published: 0.87 0.55 0.70 0.40 67.39 59.
    identity = {"metric": "epsilon", "dataset": "cifar10", "precision": "single"}
    shown = identity | six([0.871, 0.60, 0.70, 0.40, 67.0, 59.0], 0.04)
    other = identity | six([0.44] * 6) | {"precision": "extended"}
    found = entries({1: pd.DataFrame([shown, other])})
    epsilon = found.loc[(1, "CIFAR-10", "epsilon")]
    assert epsilon["verdict"].tolist() == ["reproduced", "differs", "reproduced", "reproduced", "differs", "reproduced"]
    assert epsilon.loc["spearman_top10", ["reproduced", "interval_low", "interval_high"]].tolist() == [0.6, 0.56, 0.64]
    assert found.loc[(1, "CIFAR-100", "epsilon", "top64_top5"), "note"] == "the run has no such row"
    assert found.loc[(1, "CIFAR-10", "grad_sign", "spearman_global"), "verdict"] == "quoted"
    assert found.loc[(3,), "verdict"].isin(["not run", "quoted"]).all()
    assert "NAS-Bench-101" in found.loc[(3, slice(None), "epsilon", "spearman_global"), "note"].iloc[0]


def test_table_2():
    rows = pd.DataFrame(
        [
            {
                "block": "Trainless (N=1000)",
                "method": "epsilon",
                "runs": 500,
                "cost_hours": 0.002,
                "cost_origin": "measured: here",
                "cifar10_valid_mean": NAN,
                "cifar10_valid_sd": NAN,
                "cifar10_test_mean": 93.79,
                "cifar10_test_sd": 0.54,
                "origin": "recomputed",
                "missing": "not in the data source: cifar10_valid",
                "note": np.nan,
            },
            {"block": "State-of-the-art", "method": "BOHB", "runs": 0, "cifar10_test_mean": 93.92, "origin": "quoted"},
        ]
    )
    found = entries({2: rows})
    # 93.86 is published: outside of 93.79 +- 1.96 * 0.54 * sqrt(2 / 500) = 93.79 +- 0.0669.
    test = found.loc[(2, "Trainless (N=1000)", "epsilon", "cifar10_test")]
    assert test["verdict"] == "differs"
    assert test["interval_high"] == pytest.approx(93.8569, abs=1e-4)
    assert test["note"] == "sd 0.54 over 500 runs"
    valid = found.loc[(2, "Trainless (N=1000)", "epsilon", "cifar10_valid")]
    assert (valid["verdict"], valid["note"]) == ("not run", "not in the data source: cifar10_valid")
    assert "depends on the machine" in found.loc[(2, "Trainless (N=1000)", "epsilon", "cost_hours"), "note"]
    assert found.loc[(2, "State-of-the-art", "BOHB", "cifar10_test"), "verdict"] == "quoted"
    assert np.isnan(found.loc[(2, "State-of-the-art", "BOHB", "cifar10_test"), "reproduced"])


def test_table_6_counts_are_exact():
    row = {"dataset": "cifar10", "precision": "single", "weight_low": 1e-7, "weight_high": 1.0, "networks": 5000}
    row |= {"archs": 2958} | six([0.87, 0.59, 0.70, 0.43, 65.88, 45.0])
    found = entries({6: pd.DataFrame([row])}).loc[(6, "CIFAR-10", "1e-07,1")]
    assert found["verdict"].tolist() == ["differs", *["reproduced"] * 6]


def test_table_8():
    row = {"dataset": "cifar10", "networks": 100, "automatic_low": 1e-3, "automatic_high": 1.0}
    row |= {"automatic_archs": 96, "published_archs": 59}
    found = entries({8: pd.DataFrame([row])})
    low = found.loc[(8, "NAS-Bench-201", "CIFAR-10", "weight_low")]
    assert low["verdict"] == "differs"
    assert "96 of 100 random networks have a score, 59 under the published pair" in low["note"]
    assert found.loc[(8, "NAS-Bench-201", "CIFAR-10", "weight_high"), "verdict"] == "reproduced"
    assert found.loc[(8, "NAS-Bench-NLP", "PTB", "weight_low"), "verdict"] == "not run"


def test_table_9_on_a_sample():
    row = {"dataset": "cifar10", "initialisation": "kaiming_uniform", "draws": 3, "networks": 1000, "archs": 978}
    row |= six([0.08, 0.1, 0.06, 0.07, 27.0, 12.0], 0.02) | {"paper": 0.32, "notebook": 0.07, "supports": "notebook"}
    found = entries({9: pd.DataFrame([row])}).loc[(9, "CIFAR-10", "Kaiming uniform")]
    assert found.loc["spearman_global", "verdict"] == "differs"
    assert found.loc["spearman_global", "note"].endswith("the released notebook has 0.07; nearer to the notebook")
    assert found.loc["kendall_top10", "verdict"] == "reproduced"
    assert found.loc[["archs", "top64_top5"], "verdict"].tolist() == ["not run", "not run"]


def test_table_11():
    row = {"dataset": "cifar10", "inputs": "random_uniform_positive", "precision": "single"}
    row |= six([0.61, 0.17, 0.43, 0.16, 16.22, 3.0])
    found = entries({11: pd.DataFrame([row])}).loc[(11, "CIFAR-10", "Random uniform (+)")]
    assert found["verdict"].tolist() == [*["reproduced"] * 5, "differs"]


def test_summary_counts_verdicts():
    table = pd.DataFrame({"table": [1, 1, 2, 2, 2], "verdict": ["quoted", "differs", "reproduced", "quoted", "quoted"]})
    counts = summarise(table)
    assert counts.columns.tolist() == ["table", "numbers", *VERDICTS]
    assert counts.to_numpy().tolist() == [["1", 2, 0, 1, 0, 1], ["2", 3, 1, 0, 0, 2], ["all", 5, 1, 1, 0, 3]]


def test_unknown_table():
    with pytest.raises(InputError, match="ledger: found table 4, expected one of 1, 2, 6, 8, 9, 11"):
        ledger({4: pd.DataFrame()})
