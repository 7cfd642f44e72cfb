"""Objects of one's own: a metric, a search space and a page, each in a file of its own and named by one line."""

import csv
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from epsinas.files.images import write_images
from epsinas.files.tables import read_scores, write_architectures, write_performance
from tests.workflow.running import run

METRIC = """\
def size(network, batch):
    assert network.architecture and batch.shape[1] == 3
    return sum(parameter.numel() for parameter in network.parameters())
"""

SPACE = '''\
from dataclasses import dataclass

from epsinas.errors import InputError
from epsinas.spaces.base import SPACES


@SPACES.register
@dataclass(frozen=True)
class Chain:
    """A chain of one to nine convolutions with an average pooling behind each."""

    channels: int = 4
    classes: int = 10
    name = "chain"
    title = "Chains"
    family = "images"
    summary = "chains of 1 to 9 convolutions"
    size = 9
    weights = (1e-2, 1.0)

    @property
    def widths(self):
        return (self.channels,)

    def parse(self, architecture):
        if architecture not in self.architectures():
            raise InputError(f"found {architecture!r}, expected a number from 1 to 9")
        return int(architecture)

    def architectures(self):
        return iter("123456789")

    def sample(self, count, rng):
        return [str(number + 1) for number in rng.permutation(9)[:count]]

    def traits(self, architecture):
        return {"length": int(architecture)}

    def cell(self, ops, architecture, x, channels):
        for _ in range(self.parse(architecture)):
            x = ops.add([x, ops.avg_pool(ops.batch_norm(ops.conv(ops.relu(x), channels, 3)), 3, 1)])
        return x

    def network(self, ops, architecture, images):
        x = self.cell(ops, architecture, ops.conv(images, self.channels, 3), self.channels)
        return ops.linear(ops.global_avg_pool(ops.relu(x)), self.classes)
'''

PAGE = """\
from epsinas.study.page import PAGES, Page, Request


def _table(results):
    return results.scores(results.runs[0]).groupby("metric", as_index=False)["score"].max()


PAGES.register(Page("largest", "Largest", lambda plan: Request(runs=tuple(plan.main_runs("chain"))), table=_table))
"""


@pytest.fixture
def project(checkout):
    """The workflow with the three files, and a mirror with accuracies of the nine chains."""
    for name, content in {"my_metric": METRIC, "my_space": SPACE, "my_page": PAGE}.items():
        (checkout / f"{name}.py").write_text(content)
    rng = np.random.default_rng(0)
    networks = pd.DataFrame({"index": range(9), "architecture": list("987654321")})
    write_architectures(networks, checkout / "mirror" / "chain.architectures.parquet")
    performance = networks[["index"]].assign(
        dataset="cifar10", split="test", epochs=1, seed=pd.array([None] * 9, dtype="Int8"), accuracy=90.0 - np.arange(9)
    )
    write_performance(performance, checkout / "mirror" / "chain.performance.parquet")
    images = rng.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    write_images(images, rng.integers(0, 10, 40), "made up", checkout / "mirror" / "cifar10.npz")
    return checkout


def test_a_metric_a_space_and_a_page_need_no_other_file(project):
    section = {"datasets": ["cifar10"], "performance": {"split": "test", "epochs": 1}, "batch_size": 16}
    config = {"study": "own", "mirror": "mirror", "chain": section}
    config["modules"] = ["my_space", "my_page"]
    section["metrics"] = ["epsilon", "my_metric:size"]
    code, output = run(project, config)
    assert code == 0, output
    results = project / "results" / "own"

    scores = read_scores(results / "scores" / "chain" / "cifar10" / "real-16-1" / "size-single-one-all.parquet")
    assert scores["metric"].unique().tolist() == ["size"]
    assert scores["setting"].unique().tolist() == [""]
    # A convolution of 4 channels more with its normalisation: 4 * 4 * 9 + 4 + 4.
    assert scores["score"].diff().dropna().tolist() == [-152] * 8

    table = pd.read_csv(results / "tables" / "table1.csv").set_index(["space", "metric", "precision"])
    assert table.loc[("chain", "size", "single"), "spearman_global"] == pytest.approx(1)
    assert table.loc[("chain", "epsilon", "extended"), ["weight_low", "weight_high"]].tolist() == [1e-2, 1.0]
    coverage = pd.read_csv(results / "tables" / "coverage.csv")
    assert set(coverage["metric"]) == {"epsilon", "size"}
    for name in ("figure1", "distributions"):
        drawing = (project / "figures" / "own" / f"{name}.svg").read_text()
        assert "size" in drawing
        assert "epsilon" in drawing
    largest = pd.read_csv(results / "tables" / "largest.csv")
    assert largest["metric"].tolist() == ["epsilon"]

    np.save(project / "batch.npy", np.random.default_rng(0).standard_normal((4, 3, 8, 8)).astype(np.float32))
    words = ["--import", "my_space", "score", "chain", "--architectures", "all", "--images", "batch.npy"]
    command = [sys.executable, "-m", "epsinas.cli", *words, "--metric", "my_metric:size"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [float(row["score"]) for row in csv.DictReader(done.stdout.splitlines())] == sorted(scores["score"])


def test_a_failing_metric_is_a_reason_and_not_the_end(project):
    (project / "my_metric.py").write_text("def size(network, batch):\n    return 1 / (int(network.architecture) - 5)\n")
    section = {"datasets": ["cifar10"], "batch_size": 16, "metrics": ["my_metric:size"]}
    config = {"study": "own", "mirror": "mirror", "modules": ["my_space"], "chain": section}
    code, output = run(project, config, "results/own/tables/coverage.csv")
    assert code == 0, output
    coverage = pd.read_csv(project / "results" / "own" / "tables" / "coverage.csv")
    assert coverage[["scored", "failed"]].to_numpy().tolist() == [[8, 1]]
    (log,) = (project / "results" / "own" / "logs" / "score_chunk").rglob("*.log")
    assert "epsinas: size failed on 5: ZeroDivisionError: " in log.read_text()
