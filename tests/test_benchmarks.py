"""What `benchmarks/study.py` makes of the times that a run leaves."""

import runpy
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

INPUTS = "nas-bench-201/cifar10/pink_noise-256-1"
RUN = f"{INPUTS}/epsilon-single-pair-all"


@pytest.fixture
def study():
    return runpy.run_path(str(PROJECT / "benchmarks" / "study.py"))


@pytest.mark.parametrize(
    ("path", "part"),
    [
        (f"score_chunk/{RUN}/1-of-4.tsv", "scores of all networks"),
        (f"score_chunk/{RUN.replace('single', 'extended')}/1-of-4.tsv", "double and extended precision"),
        (
            f"score_chunk/{RUN.replace('all', 'first-300')}/1-of-4.tsv",
            "ablations of epsilon (Tables 5 to 7, 11, Figure 4)",
        ),
        (f"score_chunk/{RUN.replace('pair', 'grid')}/1-of-4.tsv", "ablations of epsilon (Tables 5 to 7, 11, Figure 4)"),
        (f"score_chunk/{INPUTS}/random_weights-single-usual-random/2-by-11.tsv", "metrics with random weights"),
        (f"score_chunk/{INPUTS}/activity-single-one-random/2-by-11.tsv", "explanations and predictors"),
        (f"score_chunk/{INPUTS}/brightness-single-weights-all/1-of-4.tsv", "explanations and predictors"),
        (f"score_chunk/{INPUTS}/layerwise-single-layers-random/1-by-9.tsv", "explanations and predictors"),
        (f"score_chunk/{INPUTS}/spectrum-extended-weights-random/1-by-9.tsv", "explanations and predictors"),
        (f"score_chunk/{INPUTS}/epsilon-extended-pair-random/2-by-11.tsv", "explanations and predictors"),
        (
            f"score_chunk/{INPUTS}/random_pair-single-initialisations-random/1-by-1.tsv",
            "random initialisations (Table 9)",
        ),
        ("describe_networks/nas-bench-101.tsv", "description of the networks"),
        ("make_table/partial.tsv", "statistics with intervals"),
        ("make_table/every_network.tsv", "statistics with intervals"),
        ("make_table/few_labels.tsv", "explanations and predictors"),
        ("make_table/table3.tsv", "other tables"),
        ("make_figure/statistics.tsv", "figures and the report"),
        (f"gather_scores/{RUN}.tsv", "inputs, gathering"),
    ],
)
def test_the_part_of_a_job(study, path, part):
    assert study["part"](Path(path))[0] == part


def test_costs_are_summed_over_jobs(study, tmp_path, capsys, monkeypatch):
    for name, seconds, megabytes in (("table1", 2.0, "300.0"), ("table2", 3.0, "-"), ("partial", 9.0, "400.0")):
        path = tmp_path / "times" / "make_table" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\tmax_rss\n{seconds}\t{megabytes}\n")
    monkeypatch.setattr(sys, "argv", ["study.py", str(tmp_path)])
    study["main"]()
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| statistics with intervals | 1 | 9 | 400 | `statistics.resamples` |",
        "| other tables | 2 | 5 | 300 | `resamples`, `selection`, `search` |",
        "| all | 3 | 14 | 400 | |",
    ]
