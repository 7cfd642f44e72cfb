"""What `benchmarks/study.py` makes of the times that a run leaves."""

import runpy
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

RUN = "nas-bench-201/cifar10/pink_noise-256-1/epsilon-single-pair-all"


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
        (
            "score_chunk/nas-bench-201/cifar10/pink_noise-64-1/random_weights-single-usual-random/2-by-11.tsv",
            "metrics with random weights",
        ),
        ("describe_networks/nas-bench-101.tsv", "description of the networks"),
        ("make_table/partial.tsv", "statistics with intervals"),
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
