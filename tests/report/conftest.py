"""A small study on three search spaces, made without Snakemake, and its report."""

import os
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from epsinas import stages
from epsinas.files.tables import read_architectures, write_architectures
from epsinas.study.config import read_study
from epsinas.study.page import PAGES, Page
from epsinas.study.plan import Plan

COMPARISON = {"metrics": ["parameters", "flops", "random"], "networks": 0}
CONFIG = {
    "study": "small",
    "mirror": "package",
    "ledger": True,
    "nas-bench-201": {
        "skeleton": {"channels": 2, "cells": 1},
        "datasets": ["cifar10", "cifar100"],
        "inputs": "pink_noise",
        "performance": {"split": "test", "epochs": 200},
        "weights": [1e-3, 1.0],
        "batch_size": 16,
        "precisions": ["single", "extended"],
        "further_networks": 10,
        "networks": 200,
        "comparison": COMPARISON,
        "statistics": {"resamples": 20},
    },
    "nas-bench-101": {
        "skeleton": {"channels": 4, "cells": 1},
        "datasets": ["cifar10"],
        "inputs": "pink_noise",
        "performance": {"split": "valid", "epochs": 108},
        "weights": [1e-3, 1.0],
        "batch_size": 16,
        "precisions": ["single"],
        "networks": 30,
        "comparison": COMPARISON,
        "statistics": {"resamples": 20},
    },
    "nas-bench-nlp": {
        "skeleton": {"hidden_size": 8, "layers": 1, "embedding": 400},
        "corpora": {"ptb": "zipf"},
        "performance": {"split": "test", "epochs": 50},
        "weights": [1e-5, 1e-3],
        "batch_size": 16,
        "steps": 5,
        "embedding": "uniform_positive_1",
        "precisions": ["single"],
        "networks": 20,
        "comparison": COMPARISON,
        "statistics": {"resamples": 20},
    },
}
TABLES = ("coverage", "statistics", "differences", "table1", "table3", "table4")
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 200"><circle cx="99" cy="99" r="90" fill="#07b"/></svg>'
)


class SmallStudy:
    """What the rules do, in this process, in the working directory."""

    def __init__(self, config: dict):
        self.study = read_study(config)
        self.plan = Plan(self.study)

    def do(self, rule: str, output, wildcards=None, params=None, input=None) -> None:
        """Do one job."""
        stages.STAGES[rule](SimpleNamespace(output=output, wildcards=wildcards, params=params, input=input))

    def retrieve(self, name: str) -> None:
        output = SimpleNamespace(file=self.plan.data(name), provenance=f"{self.plan.results}/provenance/{name}.json")
        for path in (output.file, output.provenance):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        params = SimpleNamespace(mirror="package", cache="resources", sha256=None)
        self.do("retrieve", output, SimpleNamespace(file=name), params)

    def score(self, run) -> None:
        params = SimpleNamespace(job=self.plan.job(run))
        source = self.plan.source(run.space, run.dataset, run.inputs)
        inputs = SimpleNamespace(networks=self.plan.networks(run.space), source=source)
        for path in self.plan.parts(run):
            part = path.rpartition("/")[2].removesuffix(".parquet")
            computed = self.plan.computed(run)
            self.do("score_chunk", [path], SimpleNamespace(**asdict(computed), part=part), params, inputs)
        if run.count is None:
            facts = {"metrics": [run.metric], "stand_in": self.plan.stand_in(run), "seed": self.study.seed}
            inputs = SimpleNamespace(networks=self.plan.networks(run.space), parts=self.plan.parts(run))
            wildcards = SimpleNamespace(**asdict(run))
            self.do("gather_scores", [self.plan.scores(run)], wildcards, SimpleNamespace(**facts), inputs)

    def make(self, page: Page) -> None:
        table = self.plan.table(page)
        files = {"table": table, "draws": self.plan.table(page, draws=True)}
        files |= {name: table.replace(".csv", end) for name, end in {"latex": ".tex", "markdown": ".md"}.items()}
        Path(table).parent.mkdir(parents=True, exist_ok=True)
        params = SimpleNamespace(study=self.study.config)
        self.do("make_table", SimpleNamespace(**files), SimpleNamespace(page=page.name), params)

    def everything(self) -> None:
        self.retrieve("zipf/train.txt")
        for space, section in self.plan.sections.items():
            names = [f"{space}.{kind}.parquet" for kind in ("architectures", "performance")]
            for name in names:
                self.retrieve(name)
            # The package has all of them.
            path = Path(self.plan.data(names[0]))
            write_architectures(read_architectures(path)[: section["networks"]], path)
        for space, section in self.plan.sections.items():
            sources = {dataset: self.plan.shape_source(space, dataset) for dataset in section.datasets}
            params = SimpleNamespace(sources=sources, skeleton=section["skeleton"])
            inputs = SimpleNamespace(networks=self.plan.data(f"{space}.architectures.parquet"))
            self.do("describe_networks", [self.plan.networks(space)], SimpleNamespace(space=space), params, inputs)
            for run in self.plan.whole_runs(space):
                self.score(run)
        for name in TABLES:
            self.make(PAGES[name])
        for page in PAGES:
            if page.figure and page.request(self.plan):
                for path in map(Path, self.plan.drawn(page)):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(DRAWING)
        self.report()

    def report(self) -> None:
        plan = self.plan
        compared = [name for name in TABLES if PAGES[name].cells]
        ledger = f"{plan.results}/ledger.csv"
        params = SimpleNamespace(pages=compared)
        self.do("write_ledger", [ledger], params=params, input=[plan.table(PAGES[name]) for name in compared])
        provenance = f"{plan.results}/provenance.json"
        self.do("write_provenance", [provenance], params=SimpleNamespace(config=self.study.config))
        tables = [plan.table(PAGES[name]) for name in TABLES]
        output = SimpleNamespace(page=f"{plan.results}/report.html", lines=f"{plan.results}/closing-lines.txt")
        inputs = SimpleNamespace(tables=tables, ledger=[ledger], provenance=provenance)
        self.do("write_report", output, params=SimpleNamespace(study=self.study.config, pages=TABLES), input=inputs)


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Path:
    """The results of a small study, with its report."""
    folder, before = tmp_path_factory.mktemp("small"), os.getcwd()
    os.chdir(folder)
    try:
        SmallStudy(CONFIG).everything()
    finally:
        os.chdir(before)
    return folder / "results" / "small"
