import numpy as np
import pandas as pd
import pytest

from epsinas.paper.presentation import columns, heading, milestones, present, show
from epsinas.study.page import PAGES, Page


def cells(table: pd.DataFrame, title: str) -> tuple[str, ...]:
    (found,) = [column.cells for column in present(table).columns if column.title == title]
    return found


def test_intervals_join_their_values():
    table = pd.DataFrame(
        {
            "metric": ["epsilon", "synflow", "random"],
            "spearman_global": [0.80839, -0.0004, np.nan],
            "spearman_global_low": [0.7871, -0.0312, np.nan],
            "spearman_global_high": [0.8249, np.nan, np.nan],
            "spearman_global_sample_low": [0.7, -0.1, np.nan],
            "spearman_global_sample_high": [0.9, 0.1, np.nan],
        }
    )
    shown = present(table)
    assert [column.title for column in shown.columns] == ["metric", "Spearman's ρ"]
    # An end that is not known leaves the interval out; a value that is not known has none.
    assert shown.columns[1].cells == ("0.808 [0.79, 0.82] {0.70, 0.90}", "0.000 {-0.10, 0.10}", "")
    assert shown.columns[1].keys[0] == 0.80839
    assert shown.notes == (
        "In brackets the interval of 95 %.",
        "In braces the interval of 95 % over samples of networks.",
    )


def test_what_does_not_change_is_a_note():
    table = pd.DataFrame(
        {
            "space": ["nas-bench-101"] * 2,
            "dataset": "cifar10",
            "draw": 0,
            "stand_in": ["", np.nan],
            "networks": [15000, 300],
            "layer": np.nan,
        }
    )
    shown = present(table)
    assert [column.title for column in shown.columns] == ["networks tried"]
    assert shown.columns[0].cells == ("15,000", "300")
    assert shown.notes == ("In every row: search space NAS-Bench-101; data set CIFAR-10.",)
    # One row has nothing to compare with.
    assert [column.title for column in present(table[:1]).columns][:2] == ["search space", "data set"]


def test_deviations_quartiles_and_pairs():
    table = pd.DataFrame(
        {
            "cifar10_test_mean": [93.92, 87.5],
            "cifar10_test_sd": [0.404, 3.0],
            "weight_low": [1e-7, 1e-3],
            "weight_high": [1.0, 10.0],
            "median": [0.5, 0.25],
            "lower": [0.4, 0.2],
            "upper": [0.6, 0.3],
        }
    )
    assert cells(table, "CIFAR-10 test") == ("93.92 ± 0.40", "87.50 ± 3.00")
    assert cells(table, "weights") == ("1e-07, 1", "0.001, 10")
    assert cells(table, "median") == ("0.50 [0.40, 0.60]", "0.25 [0.20, 0.30]")
    assert present(table).notes == ("In brackets the quartiles.",)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("coverage", [0.590464, 1.0], ("59.0", "100.0")),
        ("spearman", [0.8, 0.75], ("0.80", "0.75")),
        ("spearman", [0.81234, -0.00012], ("0.812", "0.000")),
        ("milliseconds", [2159.4, 0.0312, 13.307], ("2,159", "0.0312", "13.3")),
        ("largest_difference", [4.466e-08, 0.0], ("4.47e-08", "0")),
        ("accuracy", [93.919, 10.0], ("93.92", "10.00")),
        ("networks", [423624, 10], ("423,624", "10")),
        ("seconds", [450.25, 120.0], ("450.2", "120.0")),
    ],
)
def test_digits(name, values, expected):
    (column,) = present(pd.DataFrame({name: values})).columns
    assert column.cells == expected


def test_names_as_they_are_called():
    table = pd.DataFrame(
        {
            "metric": ["nwot@published", "grad_norm"],
            "same_as": ["snip, fisher", ""],
            "dataset": ["ImageNet16-120", "mine"],
            "inputs": ["pink_noise", "real"],
            "ndcg_at": [1, 2],
            "together": [True, False],
        }
    )
    shown = present(table)
    assert [column.title for column in shown.columns][-2:] == ["nDCG at", "together"]
    assert shown.rows[0] == ("NASWOT (published as nwot)", "SNIP, Fisher", "ImageNet16-120", "pink noise", "1", "yes")
    assert shown.rows[1] == ("gradient norm", "", "mine", "real", "2", "no")


def test_columns_take_their_intervals_along():
    table = pd.DataFrame(
        columns=["a", "rho", "rho_low", "rho_high", "rho_sample_low", "x_mean", "x_sd", "w_low", "w_high"]
    )
    assert list(columns("rho", "a", "absent")(table)) == ["rho", "rho_low", "rho_high", "rho_sample_low", "a"]
    assert list(columns("w", "x_mean")(table)) == ["w_low", "w_high", "x_mean", "x_sd"]


def test_milestones_of_curves():
    table = pd.DataFrame({"trained": range(1, 51), "median": 0.0})
    assert list(milestones(10, 30, 100)(table)["trained"]) == [10, 30, 50]


TABLE = pd.DataFrame({"metric": ["a_b", "c&d"], "weight_low": [1e-7, 2.5e-7], "weight_high": [1, 1], "rho": [-0.5, 1]})


def test_latex():
    text = present(TABLE).latex("Table 1. A title", "90 % of it.", "table1")
    lines = text.splitlines()
    assert lines[0] == r"\begin{longtable}{lrr}"
    assert lines[1] == r"\caption{Table 1. A title. 90 \% of it.}\label{tab:table1} \\"
    assert lines[3] == r"metric & weights & $\rho$ \\"
    assert lines[-3:] == [
        r"a\_b & $10^{-7}$, 1 & $-0.5$ \\",
        r"c\&d & $2.5\cdot 10^{-7}$, 1 & 1.0 \\",
        r"\end{longtable}",
    ]
    assert lines.count(r"\midrule") == 2
    table = pd.DataFrame({"rho": [-0.5, 1], "rho_sample_low": [-0.7, 0.1], "rho_sample_high": [0.1, 1]})
    assert r"$-0.5$ \{$-0.70$, 0.10\} \\" in present(table).latex("").splitlines()


def test_markdown():
    text = present(TABLE.assign(metric=["a|b", "c"])).markdown("Table 1. A title", "A caption.")
    assert text.splitlines() == [
        "# Table 1. A title",
        "",
        "| metric | weights | ρ |",
        "| --- | ---: | ---: |",
        "| a\\|b | 1e-07, 1 | -0.5 |",
        "| c | 2.5e-07, 1 | 1.0 |",
        "",
        "A caption.",
    ]


def test_html():
    text = present(TABLE).html()
    assert '<th scope="col" class="number">ρ</th>' in text
    assert '<td class="short">c&amp;d</td>' in text
    assert '<td class="number" data-order="-0.5">−0.5</td>' in text
    assert '<td class="number" data-order="1e-07">10<sup>−7</sup>, 1</td>' in text
    assert '<td class="number" data-order="2.5e-07">2.5·10<sup>−7</sup>, 1</td>' in text


def test_headings_have_the_papers_numbers():
    assert heading(PAGES["table11"]).startswith("Table 11. ")
    assert heading(PAGES["figure2"]).startswith("Figure 2. ")
    assert heading(PAGES["coverage"]) == PAGES["coverage"].title


def test_pages_say_what_is_shown():
    page = Page(name="x", title="X", request=lambda plan: None, shown=columns("rho"))
    assert [column.title for column in show(page, TABLE).columns] == ["ρ"]


@pytest.mark.parametrize("page", list(PAGES), ids=lambda page: page.name)
def test_every_page_has_two_sentences(page):
    assert page.caption.endswith(".")
    assert page.caption.count(". ") == 1
