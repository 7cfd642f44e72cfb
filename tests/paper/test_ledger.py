import numpy as np
import pandas as pd
import pytest

from epsinas import InputError
from epsinas.evaluation.ranking import SIX
from epsinas.paper.cells import with_published_shares
from epsinas.paper.ledger import VERDICTS, count_verdicts, ledger, verdict
from epsinas.paper.published import read_published

NAN = float("nan")
KEY = ["table", "block", "row", "column"]


def test_the_published_record():
    published = read_published()
    assert len(published) == 860
    assert not published.duplicated(KEY).any()
    grad_norm = published.query("table == 1 and block == 'CIFAR-10' and row == 'grad_norm'").iloc[0]
    assert grad_norm[["column", "value", "original_authors_value"]].tolist() == ["spearman_global", "0.59", "0.58"]
    # The last digit counts: how precisely a number is printed decides whether it is reproduced.
    assert "94.20" in published.query("table == 2 and row == 'Optimal'")["value"].tolist()


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


def test_columns_that_seem_to_be_interchanged():
    """Printed of synflow: 89.91 as validation, 90.12 as test; the half's test accuracy is 89.87."""
    row = {"block": "Trainless (N=1000)", "method": "synflow", "runs": 500, "cost_hours": NAN, "origin": "recomputed"}
    means = {"cifar10_valid": NAN, "cifar10_test": 93.41, "cifar10-valid_test": 89.87}
    row |= {f"{name}_mean": mean for name, mean in means.items()}
    row |= {"cifar10_valid_sd": NAN, "cifar10_test_sd": 0.63, "cifar10-valid_test_sd": 0.84, "stand_in": NAN}
    found = entries({"table2": pd.DataFrame([row])}, 2, "Trainless (N=1000)", "synflow")
    assert found.loc["cifar10_valid", ["verdict", "reproduced"]].tolist() == ["reproduced", 89.87]
    assert found.loc["cifar10_test", "verdict"] == "differs"
    assert "interchanged" in found.loc["cifar10_valid", "note"]
    assert "interchanged" in found.loc["cifar10_test", "note"]


def test_a_number_that_came_from_other_inputs_agrees_but_is_not_reproduced():
    identity = IDENTITY | {"networks": 15625, "archs": 9226}
    # Published: 0.87 0.55 0.70 0.40 67.39 59.
    row = identity | six([0.87, 0.60, 0.70, 0.40, 67.0, 59.0], 0.01) | {"stand_in": "1/f noise images"}
    found = entries({"table1": pd.DataFrame([row])}, 1, "CIFAR-10", "epsilon")
    assert found["verdict"].tolist() == ["agrees", "differs", "agrees", "agrees", "differs", "agrees"]
    assert (found["note"] == "on 1/f noise images in the place of the paper's inputs").all()
    real = entries({"table1": pd.DataFrame([row | {"stand_in": NAN}])}, 1, "CIFAR-10", "epsilon")
    assert real["verdict"].tolist()[0] == "reproduced"


IDENTITY = {
    "space": "nas-bench-201",
    "metric": "epsilon",
    "dataset": "cifar10",
    "precision": "single",
    "origin": "computed",
}


def six(values, width=NAN):
    row = dict(zip(SIX, values, strict=True))
    row |= {f"{name}_low": value - width for name, value in zip(SIX, values, strict=True)}
    return row | {f"{name}_high": value + width for name, value in zip(SIX, values, strict=True)}


def entries(tables, table, block, row):
    """The ledger's entries of one printed row, by column."""
    return ledger(tables).query("table == @table and block == @block and row == @row").set_index("column")


def test_every_published_number_has_one_row():
    found = ledger({})
    assert len(found) == 860
    assert found[KEY].equals(read_published()[KEY])
    assert set(found["verdict"]) <= set(VERDICTS)
    assert (found["note"] != "").all()
    assert (found["verdict"] != "reproduced").all()


def test_table_1():
    # Published: 0.87 0.55 0.70 0.40 67.39 59.
    identity = IDENTITY | {"networks": 15625, "archs": 9226}
    shown = identity | six([0.871, 0.60, 0.70, 0.40, 67.0, 59.0], 0.04)
    other = identity | six([0.44] * 6) | {"precision": "extended"}
    tables = {"table1": pd.DataFrame([shown, other])}
    epsilon = entries(tables, 1, "CIFAR-10", "epsilon")
    assert epsilon["verdict"].tolist() == ["reproduced", "differs", "reproduced", "reproduced", "differs", "reproduced"]
    assert epsilon.loc["spearman_top10", ["reproduced", "interval_low", "interval_high"]].tolist() == pytest.approx(
        [0.6, 0.56, 0.64]
    )
    assert entries(tables, 1, "CIFAR-100", "epsilon")["note"].unique().tolist() == ["the run has no such row"]
    assert entries(tables, 1, "CIFAR-100", "snip")["note"].unique().tolist() == [
        "the study does not compare this metric"
    ]
    absent = ledger(tables).query("table == 5")
    assert (absent["verdict"] == "not run").all()
    assert (absent["note"] == "table 5 is not part of this run").all()


def test_the_source_of_most_networks_is_compared():
    """Printed for snip on CIFAR-10: 0.58 and others."""
    shipped = IDENTITY | six([0.1] * 6) | {"metric": "snip", "networks": 15625, "archs": 300, "origin": "shipped"}
    imported = IDENTITY | six([0.58] * 6) | {"metric": "snip@published", "networks": 15625, "archs": 9445}
    imported["origin"] = "imported"
    found = entries({"table1": pd.DataFrame([shipped, imported])}, 1, "CIFAR-10", "snip")
    assert (found["reproduced"] == 0.58).all()
    assert found.loc["spearman_global", "note"] == "scores as others published them"
    alone = entries({"table1": pd.DataFrame([shipped])}, 1, "CIFAR-10", "snip")
    assert alone.loc["spearman_global", "note"] == "over 300 of 15,625 networks; scores of the package"
    assert alone.loc["top64_top5", "verdict"] == "not run"


def test_scores_of_recurrent_networks_with_a_loss_are_quoted():
    found = entries({}, 4, "PTB", "snip")
    assert (found["verdict"] == "quoted").all()
    assert "no head and no loss" in found["note"].iloc[0]


def test_table_2():
    rows = pd.DataFrame(
        [
            {
                "block": "Trainless (N=1000)",
                "method": "epsilon",
                "runs": 500,
                "cost_hours": 0.002,
                "cost_measured": True,
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
    found = entries({"table2": rows}, 2, "Trainless (N=1000)", "epsilon")
    # 93.86 is published: outside of 93.79 +- 1.96 * 0.54 * sqrt(2 / 500) = 93.79 +- 0.0669.
    assert found.loc["cifar10_test", "verdict"] == "differs"
    assert found.loc["cifar10_test", "interval_high"] == pytest.approx(93.8569, abs=1e-4)
    assert found.loc["cifar10_test", "note"] == "sd 0.54 over 500 runs"
    valid = found.loc["cifar10_valid"]
    assert (valid["verdict"], valid["note"]) == ("not run", "not in the data source")
    assert "depends on the machine" in found.loc["cost_hours", "note"]
    bohb = entries({"table2": rows}, 2, "State-of-the-art", "BOHB")
    # Quoted where the table has the column; it has only CIFAR-10's.
    assert bohb["verdict"][bohb["verdict"] == "quoted"].index.tolist() == [
        "cost_hours",
        "cifar10_valid",
        "cifar10_test",
    ]
    assert bohb["reproduced"].isna().all()


def test_table_6_counts_are_exact():
    row = {
        "space": "nas-bench-201",
        "dataset": "cifar10",
        "precision": "single",
        "weight_low": 1e-7,
        "weight_high": 1.0,
        "networks": 5000,
    }
    row |= {"archs": 2958, "median_score": 0.4} | six([0.87, 0.59, 0.70, 0.43, 65.88, 45.0])
    found = entries({"table6": pd.DataFrame([row])}, 6, "CIFAR-10", "1e-07,1")
    assert found["verdict"].tolist() == ["differs", *["reproduced"] * 6]
    assert found["note"].tolist() == ["of 5000 networks"] + [""] * 6
    tiny = entries({"table6": pd.DataFrame([row | {"median_score": 1.5e-7}])}, 6, "CIFAR-10", "1e-07,1")
    assert tiny["note"].iloc[1].startswith("the median score, 1.5e-07, is within 100 roundings of single precision")


def test_counts_over_other_networks_than_the_papers_are_not_compared():
    row = {"space": "nas-bench-201", "dataset": "cifar10", "precision": "single", "networks": 300, "archs": 170}
    row |= {"weight_low": 1e-7, "weight_high": 1.0, "median_score": 0.4} | six([0.87, 0.59, 0.70, 0.43, 65.88, 45.0])
    found = entries({"table6": pd.DataFrame([row])}, 6, "CIFAR-10", "1e-07,1")
    assert found.loc[["archs", "top64_top5"], "verdict"].tolist() == ["not run", "not run"]
    assert found.loc["archs", "note"] == "a count among 5,000 networks; the run has 300"
    assert found.loc["spearman_global", "verdict"] == "reproduced"


def test_table_8():
    row = {"space": "nas-bench-201", "dataset": "cifar10", "networks": 100}
    row |= {"automatic_low": 1e-3, "automatic_high": 1.0}
    row |= {"automatic_archs": 96, "published_archs": 59}
    tables = {"table8": pd.DataFrame([row])}
    found = entries(tables, 8, "NAS-Bench-201", "CIFAR-10")
    assert found["verdict"].to_dict() == {"weight_low": "differs", "weight_high": "reproduced"}
    assert "96 of 100 random networks have a score, 59 under the published pair" in found["note"].iloc[0]
    assert (entries(tables, 8, "NAS-Bench-NLP", "PTB")["verdict"] == "not run").all()


def sampled(values, width, sample_width, **columns):
    """A row of a table over a sample: the second width is that of the intervals over networks."""
    row = six(values, width) | {"median_score": 0.1} | columns
    row |= {f"{name}_sample_low": value - sample_width for name, value in zip(SIX, values, strict=True)}
    return row | {f"{name}_sample_high": value + sample_width for name, value in zip(SIX, values, strict=True)}


def test_table_9_on_a_sample():
    row = {"dataset": "cifar10", "initialisation": "kaiming_uniform", "draws": 3, "networks": 1000, "archs": 978}
    row |= sampled([0.08, 0.1, 0.06, 0.07, 27.0, 12.0], 0.03, 0.04)
    row |= {"paper": 0.32, "notebook": 0.07, "supports": "notebook"}
    found = entries({"table9": pd.DataFrame([row])}, 9, "CIFAR-10", "Kaiming uniform")
    assert found.loc["spearman_global", "verdict"] == "differs"
    assert found.loc["spearman_global", "note"].endswith("the released notebook has 0.07; nearer to the notebook")
    assert found.loc["kendall_top10", "verdict"] == "reproduced"
    assert found.loc["kendall_top10", ["interval_low", "interval_high"]].tolist() == pytest.approx([0.02, 0.12])
    assert found.loc[["archs", "top64_top5"], "verdict"].tolist() == ["not run", "not run"]
    whole = entries({"table9": pd.DataFrame([row | {"networks": 15625}])}, 9, "CIFAR-10", "Kaiming uniform")
    assert whole.loc["kendall_top10", ["interval_low", "interval_high"]].tolist() == pytest.approx([0.04, 0.10])


def test_table_11():
    row = {"dataset": "cifar10", "inputs": "random_uniform_positive", "precision": "single", "space": "nas-bench-201"}
    row |= {"networks": 5000}
    row |= six([0.61, 0.17, 0.43, 0.16, 16.22, 3.0])
    found = entries({"table11": pd.DataFrame([row])}, 11, "CIFAR-10", "Random uniform (+)")
    assert found["verdict"].tolist() == [*["reproduced"] * 5, "differs"]


def test_table_4_joins_the_intervals_over_batches_and_networks():
    # Published: -0.34 -0.12 -0.23 -0.08 24.87 11.
    row = sampled([-0.295, -0.5, -0.2, -0.1, 20.0, 5.0], 0.03, 0.04, networks=344, archs=300, scored=320)
    table = pd.DataFrame([row | IDENTITY | {"space": "nas-bench-nlp", "dataset": "ptb"}])
    found = entries({"table4": table}, 4, "PTB", "epsilon")
    assert found["verdict"].tolist() == ["reproduced", "differs", "reproduced", "reproduced", "differs", "not run"]
    # 0.03 and 0.04 make 0.05.
    assert found.loc["spearman_global", ["interval_low", "interval_high"]].tolist() == pytest.approx([-0.345, -0.245])
    assert found.loc["spearman_global", "note"].startswith("over 300 of 344 networks")
    limited = entries({"table4": table.assign(rounding_limited=309)}, 4, "PTB", "epsilon")
    assert "rounding limits 309 of 320 scores" in limited.loc["spearman_global", "note"]


@pytest.mark.parametrize(("number", "networks", "counted"), [(5, 5000, True), (5, 500, False)])
def test_counts_of_a_sample_are_compared_as_shares(number, networks, counted):
    # Published for (1e-4, 1): 2120 of 5,000 networks.
    row = sampled([0.6] * 6, 0.1, 0.1, networks=networks, archs=networks // 2, scored=round(0.424 * networks))
    table = pd.DataFrame([row | {"weight_low": 1e-4, "weight_high": 1.0, "dataset": "cifar10", "precision": "single"}])
    found = entries({f"table{number}": table}, number, "CIFAR-10", "0.0001,1")
    assert found.loc["archs", "verdict"] == "reproduced"
    assert found.loc["archs", "reproduced"] == pytest.approx(2120)
    assert found.loc["archs", "note"].startswith(f"42.4% of {networks:,} networks, as a number of 5,000")
    assert "underflow" in found.loc["archs", "note"]
    assert not found["note"].drop("archs").str.contains("underflow").any()
    assert (found.loc["top64_top5", "verdict"] != "not run") is counted


def test_printed_shares_stand_beside_those_of_the_run():
    table = pd.DataFrame({"dataset": ["ptb", "ptb", "wikitext-2"], "weight_low": 1e-5, "weight_high": [1e-3, 10, 1e-3]})
    found = with_published_shares(table.assign(scored=[327, 3, 330], networks=344), 7)
    assert found["share"].tolist() == [327 / 344, 3 / 344, 330 / 344]
    # 3892 of 5,000 networks.
    assert found["published_share"][0] == 0.7784
    assert found["published_share"][1:].isna().all()


def test_table_3_7_and_10():
    row = sampled([0.62, 0.12, 0.44, 0.08, 40.33, 10.0], 0.0, 0.0, networks=344, archs=300, scored=344)
    row |= {"metric": "epsilon", "precision": "single", "weight_low": 1e-7, "weight_high": 1e-6}
    third = entries({"table3": pd.DataFrame([row | IDENTITY])}, 3, "CIFAR-10", "epsilon")
    assert third["verdict"].tolist() == ["reproduced"] * 5 + ["not run"]
    seventh = entries({"table7": pd.DataFrame([row | {"dataset": "ptb"}])}, 7, "PTB", "1e-07,1e-06")
    assert seventh.loc["archs", "reproduced"] == 5000
    assert "training failed" in seventh.loc["archs", "note"]
    tenth = pd.DataFrame([row | {"dataset": "ptb", "inputs": "random_0.1"}])
    assert entries({"table10": tenth}, 10, "PTB", "Random 0.1").loc["archs", "reproduced"] == 1000


def test_summary_counts_verdicts():
    table = pd.DataFrame({"table": [1, 1, 2, 2, 2], "verdict": ["quoted", "differs", "reproduced", "quoted", "quoted"]})
    counts = count_verdicts(table)
    assert counts.columns.tolist() == ["table", "numbers", *VERDICTS]
    assert counts.to_numpy().tolist() == [["1", 2, 0, 0, 1, 0, 1], ["2", 3, 1, 0, 0, 0, 2], ["all", 5, 1, 0, 1, 0, 3]]


def test_unknown_table():
    with pytest.raises(InputError, match="unknown page 'table12': expected one of combinations, "):
        ledger({"table12": pd.DataFrame()})
