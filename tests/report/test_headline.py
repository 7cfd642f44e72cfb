import numpy as np
import pandas as pd
import pytest

from epsinas.report.headline import closing_lines, headline, key_numbers, rankings
from epsinas.study.config import read_study
from epsinas.study.plan import Plan

CONFIG = {
    "study": "toy",
    "nas-bench-201": {
        "datasets": ["cifar10"],
        "inputs": "pink_noise",
        "performance": {"split": "test", "epochs": 200},
        "weights": [1e-7, 1.0],
        "batch_size": 256,
        "precisions": ["single", "extended"],
        "networks": 1000,
    },
}
REASONS = {"disconnected": 0, "underflow": 0, "overflow": 0, "constant": 0, "failed": 0}
IDENTITY = {"space": "nas-bench-201", "dataset": "cifar10", "metric": "epsilon"}


def coverage_row(precision="single", networks=1000, scored=600, **changes):
    facts = {"precision": precision, "networks": networks, "scored": scored, "milliseconds": 12.3}
    return IDENTITY | facts | REASONS | {"underflow": 390, "disconnected": 10} | changes


def statistics_row(metric, coverage, rho, archs=500, precision="single", networks=1000, scored=600):
    ends = {"spearman": rho, "spearman_low": rho - 0.1, "spearman_high": rho + 0.1}
    facts = {"metric": metric, "precision": precision, "coverage": coverage, "population": "all", "archs": archs}
    facts |= {"networks": networks, "scored": scored}
    return IDENTITY | facts | ends | {"ceiling": 0.98}


@pytest.fixture
def plan():
    return Plan(read_study(CONFIG))


@pytest.fixture
def tables():
    return {
        "coverage": pd.DataFrame([coverage_row(), coverage_row("extended", 300, 290), coverage_row(metric="synflow")]),
        "statistics": pd.DataFrame(
            [
                statistics_row("epsilon", "own", 0.8, 600),
                statistics_row("epsilon", "common", 0.75),
                statistics_row("epsilon", "last", -0.25, 1000),
                statistics_row("epsilon", "first", 0.5, 1000),
                statistics_row("epsilon", "own", 0.45, 970, "extended", 1000, 970),
                statistics_row("parameters", "common", 0.7),
                statistics_row("flops", "common", 0.6),
                statistics_row("synflow", "common", 0.85),
                statistics_row("synflow", "own", 0.99),
                statistics_row("naswot@published", "common", 0.9),
            ]
        ),
        "differences": pd.DataFrame(
            [
                IDENTITY
                | {"precision": "single", "other": "parameters"}
                | {"difference": 0.05, "difference_low": -0.01, "difference_high": 0.11}
            ]
        ),
    }


def test_rankings_are_on_the_networks_that_metrics_share(plan, tables):
    table = rankings(plan, tables, {})
    assert table["precision"].tolist() == ["single", "extended"]
    first = table.iloc[0]
    assert first[["spearman", "spearman_low", "spearman_last", "spearman_first"]].tolist() == pytest.approx(
        [0.8, 0.7, -0.25, 0.5]
    )
    assert first[["common", "spearman_common"]].tolist() == [500, 0.75]
    assert first[["baseline", "baseline_spearman", "best", "best_spearman"]].tolist() == [
        "parameters",
        0.7,
        "NASWOT (published)",
        0.9,
    ]
    assert first["baseline_difference"] == "0.05 [−0.01, 0.11]"
    assert np.isnan(table["common"][1])


def test_the_sentences_say_on_which_networks(plan, tables):
    ((lead, more),) = headline(plan, tables, {"nas-bench-201": "accuracy"}).sentences
    assert lead == (
        "On NAS-Bench-201, epsilon scores 60\xa0% of the 1,000 networks, and ranks these by their accuracy on CIFAR-10 "
        "with Spearman's ρ 0.80."
    )
    assert more == (
        "The others have no score: input and output are not connected (10), signals vanish below the range of the "
        "numbers (390). Over all networks ρ is −0.25 if those are ranked last and 0.50 if first. In extended precision "
        "it scores 970 of 1,000 networks, and ρ is 0.45. On the 500 networks that most metrics share its ρ is 0.75, "
        "that of parameters 0.70 (difference 0.05 [−0.01, 0.11]), that of NASWOT (published) 0.90. The noise of "
        "training leaves no metric more than 0.980. A network takes 12.3 ms of one core."
    )


def test_few_common_networks_say_nothing(plan, tables):
    tables["statistics"].loc[tables["statistics"]["coverage"] == "common", "archs"] = 99
    found = headline(plan, tables, {})
    assert "share" not in found.sentences[0][1]
    assert [number for number, _ in key_numbers(found)] == ["0.80", "60\xa0%", "0.980", "12.3 ms"]


def test_key_numbers(plan, tables):
    assert key_numbers(headline(plan, tables, {})) == [
        ("0.80", "Spearman's ρ of epsilon, NAS-Bench-201, CIFAR-10"),
        ("60\xa0%", "of 1,000 networks have a score"),
        ("0.75 : 0.70", "epsilon to parameters, on 500 networks"),
        ("0.980", "at most, by the noise of training"),
        ("12.3 ms", "of one core for a network"),
    ]


def test_without_performances_there_is_a_coverage(plan, tables):
    found = headline(plan, {"coverage": tables["coverage"]}, {})
    lead, more = found.sentences[0]
    assert lead == "On NAS-Bench-201, epsilon scores 60\xa0% of the 1,000 networks."
    assert more.endswith("(390). A network takes 12.3 ms of one core.")
    assert closing_lines(found, None, "report.html") == (
        "epsilon, NAS-Bench-201, CIFAR-10: a score for 600 of 1,000 networks",
        "no numbers of the paper to compare with",
        "report.html",
    )


def test_without_statistics_there_is_rho_and_that_with_a_loss_is_turned(plan, tables):
    row = IDENTITY | {"precision": "single", "spearman_global": -0.25}
    found = {"coverage": tables["coverage"], "table1": pd.DataFrame([row | {"metric": "synflow"}, row])}
    assert rankings(plan, found, {"nas-bench-201": "accuracy"})["spearman"][0] == -0.25
    assert rankings(plan, found, {"nas-bench-201": "loss"})["spearman"][0] == 0.25


def test_closing_lines(plan, tables):
    counts = pd.DataFrame(
        [("1", 3, 2, 0, 1), ("all", 3, 2, 0, 1)], columns=["table", "numbers", "reproduced", "agrees", "differs"]
    )
    assert closing_lines(headline(plan, tables, {}), counts, "results/toy/report.html") == (
        "epsilon, NAS-Bench-201, CIFAR-10: Spearman's rho 0.800 over 600 of 1,000 networks",
        "3 numbers of the paper: 2 reproduced, 1 differs",
        "results/toy/report.html",
    )


def test_differences_from_the_paper(plan, tables):
    grid = pd.DataFrame([{"space": "nas-bench-201", "networks": count, "origin": "computed"} for count in (1000, 300)])
    shipped = pd.DataFrame([{"space": "nas-bench-201", "networks": 1000, "origin": "shipped", "metric": "zen"}])
    found = headline(plan, tables | {"table6": grid, "table1": shipped}, {}).differences
    assert found == (
        "1/f noise images in the place of real inputs: NAS-Bench-201, CIFAR-10.",
        "1,000 of the 15,625 networks of NAS-Bench-201.",
        "Samples of networks in some rows of Tables 6 (300).",
        "Scores of 1 metrics come with the package; the table “Scores of the package” checks them.",
    )
