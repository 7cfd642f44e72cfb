import subprocess
import sys

import pytest

from epsinas import rank
from epsinas.cli import main
from epsinas.report.standing import render_standing
from epsinas.sources.packaged import networks


@pytest.fixture
def scores(tmp_path):
    """The depth of every 20th recipe or network, whose names hold commas and quotes."""

    def written(benchmark):
        path = tmp_path / "depth.csv"
        table = networks(benchmark).iloc[::20]
        table.rename(columns={"depth": "score"})[["architecture", "score"]].to_csv(path, index=False)
        return str(path)

    return written


@pytest.mark.parametrize("benchmark", ["nas-bench-201", "nas-bench-101", "nas-bench-nlp"])
def test_it_prints_what_rank_returns(capsys, scores, benchmark):
    path = scores(benchmark)
    assert main(["rank", path, "--benchmark", benchmark, "--resamples", "20", "--seed", "3"]) == 0
    found = capsys.readouterr()
    assert found.out == f"{rank(path, benchmark, resamples=20, seed=3)}\n"
    assert found.err == ""


def test_every_option_is_passed_on(capsys, scores, tmp_path):
    path, page = scores("nas-bench-201"), tmp_path / "new" / "page.html"
    options = ["--dataset", "cifar100", "--split", "valid", "--epochs", "12", "--lower-is-better", "--resamples", "5"]
    assert main(["rank", path, *options, "--report", str(page)]) == 0
    expected = rank(path, "nas-bench-201", "cifar100", split="valid", epochs=12, higher_is_better=False, resamples=5)
    found = capsys.readouterr()
    assert found.out.startswith("NAS-Bench-201, CIFAR-100, validation accuracy (%) after 12 epochs\n")
    assert found.out == f"{expected}\n"
    assert found.err == f"epsinas: {page}\n"
    assert page.read_text(encoding="utf-8") == render_standing(expected, "depth.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", "-1"], "--seed: found -1, expected 0 or more"),
        (
            ["--benchmark", "nats"],
            "benchmark: found 'nats', expected one of nas-bench-101, nas-bench-201, nas-bench-nlp",
        ),
        (["--report", "/dev"], "--report: found '/dev', expected the name of a file"),
        (["--report", "{scores}"], "--report: found {scores}, the file of the scores, expected another"),
    ],
)
def test_mistakes_are_one_line(capsys, scores, options, message):
    path = scores("nas-bench-nlp")
    assert main(["rank", path, *(option.format(scores=path) for option in options)]) == 2
    found = capsys.readouterr()
    assert (found.out, found.err) == ("", f"epsinas: {message.format(scores=path)}\n")


def test_no_scores(capsys, tmp_path):
    path = tmp_path / "empty.csv"
    path.write_text("architecture,score\n")
    assert main(["rank", str(path), "--report", str(tmp_path / "page.html")]) == 2
    assert capsys.readouterr().err == f"epsinas: {path}: found no scores, expected scores of some\n"
    assert not (tmp_path / "page.html").exists()


def test_it_loads_nothing_heavy(scores):
    """A bench of some seconds cannot wait for torch."""
    program = "import sys; from epsinas.cli import main; main(sys.argv[1:]); print(*sys.modules)"
    command = [sys.executable, "-c", program, "rank", scores("nas-bench-201"), "--resamples", "2"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "epsinas.bench.standing" in loaded
    assert {"torch", "matplotlib", "bokeh", "requests"}.isdisjoint(loaded)
