"""The plan of a study: which runs it has, how they are divided into jobs, and where everything is written."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import product
from typing import Any, get_type_hints

from epsinas.datasets.base import DATASETS
from epsinas.engines.base import PRECISIONS
from epsinas.errors import InputError
from epsinas.metrics.base import CONSTANT_WEIGHTS, Metric
from epsinas.spaces.base import SPACES
from epsinas.study.config import Section, Study
from epsinas.study.page import Page, Request

_WORD = r"[A-Za-z0-9_.]+"

WILDCARDS = {
    "dataset": r"[A-Za-z0-9_-]+",
    "inputs": _WORD,
    "size": r"\d+",
    "draws": r"\d+",
    "metric": r"[A-Za-z0-9_]+",
    "precision": "|".join(PRECISIONS),
    "settings": r"[a-z]+",
    "networks": r"all|first-\d+|random(?:-\d+)?",
    "part": r"\d+-(?:of|by)-\d+",
}
"""What the parts of the names of score files look like; the search spaces are those of the registry."""

TOGETHER = "random_weights"
"""The metric of runs that score by several: those of a study's comparison that need networks with random weights."""

SMALL = 100_000
"""Scores that a table or a figure is made of within some ten seconds of one core."""

_CHEAPER = {"nothing": 1, "milliseconds": 1, "seconds": 100, "minutes": 10_000}
"""By what a metric's cost divides the networks that one job takes."""


@dataclass(frozen=True)
class Run:
    """Scores of networks of a space by one metric, on some batches of one kind.

    Attributes:
        space: name of the search space.
        dataset: name of the data set.
        inputs: kind of inputs.
        size: of a batch.
        draws: number of batches, the first ones.
        metric: its name, or TOGETHER.
        precision: of constant-weight outputs.
        settings: name of the metric's list of settings.
        networks: `all`, `first-N` in the benchmark's order, or `random-N`, the beginning of a seeded random order.
    """

    space: str
    dataset: str
    inputs: str
    size: int
    draws: int
    metric: str
    precision: str
    settings: str
    networks: str

    PATTERN = "{space}/{dataset}/{inputs}-{size}-{draws}/{metric}-{precision}-{settings}-{networks}"

    @property
    def path(self) -> str:
        """The run as a path without suffix."""
        return self.PATTERN.format(**{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def of(cls, wildcards: Any) -> Run:
        """Return the run of a rule's wildcards, or of any object with these attributes."""
        types = get_type_hints(cls)
        return cls(**{field.name: types[field.name](getattr(wildcards, field.name)) for field in fields(cls)})

    @classmethod
    def parse(cls, path: str) -> Run:
        """Return the run that `path` came from.

        Raises:
            InputError: there is none.
        """
        forms = {"space": "|".join(map(re.escape, SPACES.names)), **WILDCARDS}
        pattern = re.sub(r"\\{(\w+)\\}", lambda match: f"(?P<{match[1]}>{forms[match[1]]})", re.escape(cls.PATTERN))
        match = re.fullmatch(pattern, path)
        if match is None:
            raise InputError(f"run: found {path}, expected {cls.PATTERN}")
        types = get_type_hints(cls)
        return cls(**{name: types[name](value) for name, value in match.groupdict().items()})

    @property
    def columns(self) -> dict[str, str | int]:
        """What identifies the run in a table of scores, beside the table's own columns."""
        return {
            "space": self.space,
            "dataset": self.dataset,
            "inputs": self.inputs,
            "batch_size": self.size,
            "precision": self.precision,
        }

    @property
    def order(self) -> str:
        """Which order of the networks the run takes: `all`, `first` or `random`."""
        return self.networks.partition("-")[0]

    @property
    def count(self) -> int | None:
        """How many networks of that order, None for all."""
        number = self.networks.partition("-")[2]
        return int(number) if number else None


class Plan:
    """What a study computes, and in which files.

    Args:
        study: checked, or the part of it that a job needs.
    """

    def __init__(self, study: Study):
        self.study = study
        self.results = f"results/{study.name}"
        self.figures = f"figures/{study.name}"

    @property
    def sections(self) -> dict[str, Section]:
        """The sections of the study's search spaces."""
        return self.study.sections

    # Where everything is written.

    def scores(self, run: Run) -> str:
        """Scores of a run."""
        return f"{self.results}/scores/{run.path}.parquet"

    def networks(self, space: str) -> str:
        """Description of the networks of a space."""
        return f"{self.results}/networks/{space}.parquet"

    def data(self, name: str) -> str:
        """A retrieved file."""
        return f"{self.results}/data/{name}"

    def source(self, space: str, dataset: str, inputs: str | None = None) -> list[str]:
        """The file, if any, that batches of a data set are drawn from, of the usual kind of inputs or of another."""
        section = self.sections[space]
        name = section.family.source(section.options, dataset, inputs or section.inputs)
        return [] if name is None else [self.data(name)]

    def shape_source(self, space: str, dataset: str) -> list[str]:
        """The file, if any, that says what shape a data set's inputs have; of known ones nothing is needed."""
        section = self.sections[space]
        name = section.family.shape_source(section.options, dataset)
        return [] if name is None else [self.data(name)]

    def weights(self, space: str, dataset: str) -> str:
        """Which weights were chosen for a data set."""
        return f"{self.results}/weights/{space}/{dataset}.csv"

    def table(self, page: Page, draws: bool = False) -> str:
        """A page's table, or that of its draws."""
        return f"{self.results}/tables/{page.name}{'.draws' if draws else ''}.csv"

    def drawn(self, page: Page) -> list[str]:
        """A page's figure."""
        return [f"{self.figures}/{page.name}.{suffix}" for suffix in ("svg", "pdf")]

    def scores_of(self, run: Run) -> list[str]:
        """Files of a run's scores: its own, or of a sample, which is small, those of the jobs that compute it."""
        return [self.scores(run)] if run.count is None else self.parts(run)

    def files(self, request: Request) -> list[str]:
        """All files of a request."""
        sampled = [run.space for run in request.runs if run.count is not None]
        return [
            *dict.fromkeys(path for run in request.runs for path in self.scores_of(run)),
            *(self.networks(space) for space in dict.fromkeys([*request.networks, *sampled])),
            *(self.data(name) for name in request.data),
            *(self.weights(*choice) for choice in request.weights),
            *request.files,
        ]

    def figure_input(self, page: Page) -> list[str]:
        """The files that a page's figure is drawn of: its tables, or what it requested."""
        if page.table:
            return [self.table(page), *([self.table(page, draws=True)] if page.with_draws else [])]
        request = page.request(self)
        return self.files(request) if request else []

    # Which runs there are.

    def runs(self, space: str, networks: int | str | None = None, **features: Any) -> list[Run]:
        """Return the runs of a space with these features, each a value or a list of them; others are the study's own.

        Args:
            space: name of the search space.
            networks: how many, the first ones; None for all; or as `Run.networks`.
            features: attributes of `Run`.
        """
        section = self.sections[space]
        name = str(features.get("metric", next(iter(section.metrics))))
        usual: dict[str, Any] = {
            "space": space,
            "dataset": section.datasets,
            "inputs": section.inputs,
            "size": section["batch_size"],
            "draws": 1,
            "metric": name,
            "precision": section["precisions"][0],
            "settings": "usual" if name == TOGETHER else next(iter(section.metric(name).settings)),
            "networks": "all" if networks is None else networks if isinstance(networks, str) else f"first-{networks}",
        }
        wanted = {key: value if isinstance(value, list) else [value] for key, value in (usual | features).items()}
        return [Run(**dict(zip(wanted, values, strict=True))) for values in product(*wanted.values())]

    def whole_runs(self, space: str) -> list[Run]:
        """Return the runs over all networks: of every data set, metric and precision.

        The first precision is the published one, of which several batches show the scatter.
        """
        section = self.sections[space]
        found = []
        for dataset, metric in product(section.datasets, section.metrics.values()):
            features = {"dataset": dataset, "metric": metric.name}
            if CONSTANT_WEIGHTS not in metric.needs:
                found += self.runs(space, **features)
                continue
            found += self.runs(space, draws=section["draws"], **features)
            others = section["further_networks"]
            found += self.runs(space, others, precision=section["precisions"][1:], **features)
        return found

    def main_runs(self, space: str) -> list[Run]:
        """Return the first of the runs over all networks, of every data set and metric."""
        first = self.sections[space]["precisions"][0]
        return [run for run in self.whole_runs(space) if run.precision == first]

    def comparison_runs(self, space: str) -> list[Run]:
        """Return the runs of a space's comparison: one for each of its data sets, by all metrics that need one."""
        section = self.sections[space]
        options = section["comparison"]
        if not options or not section.together or options["networks"] == 0:
            return []
        return self.runs(
            space,
            networks=None if options["networks"] is None else f"random-{options['networks']}",
            dataset=section.datasets_of(options),
            inputs=options["inputs"] or section.inputs,
            size=options["batch_size"],
            draws=options["draws"],
            metric=TOGETHER,
            precision="single",
        )

    def scores_real_inputs(self, space: str) -> bool:
        """Say whether a space's comparison is on real images, beside scores of the package on synthetic ones."""
        section = self.sections[space]
        options = section["comparison"]
        return bool(options and options["shipped"]) and (options["inputs"] or section.inputs) == "real"

    def settings(self, run: Run) -> list[str] | None:
        """Return the settings of a run's metric; None where its pair of weights is chosen by a job."""
        section, metric = self.sections[run.space], self.metric(run)
        if section["weights"] == "auto" and run.settings == "pair":
            return None
        return list(metric.settings[run.settings](section.options))

    def metric(self, run: Run) -> Metric:
        """Return the metric of a run that has a single one."""
        return self.sections[run.space].metric(run.metric)

    def metrics(self, run: Run) -> list[Metric]:
        """Return the metrics of a run."""
        return [metric for metric, _ in self._asked(run)]

    # How they are divided into jobs.

    def networks_tried(self, run: Run) -> int:
        """Return the number of architecture strings that a run tries."""
        section, train = self.sections[run.space], self.study.train
        trained = train["networks"] if train and train["space"] == run.space else None
        known = section["sample"] or trained or section["networks"]
        return known if run.count is None else run.count

    def computed(self, run: Run) -> Run:
        """Return the run whose jobs compute a run.

        A run over some networks, or on some batches, is part of the run over all of them, if the study has that one.
        A random sample is part of a larger one. Data sets with the same inputs are scored once, as the first of them.
        """
        if run.order == "random":
            return self._on_first_inputs(replace(run, networks="random"))
        whole = replace(run, networks="all", draws=self.sections[run.space]["draws"])
        return self._on_first_inputs(whole if run.draws <= whole.draws and whole in self._whole_runs else run)

    def _on_first_inputs(self, run: Run) -> Run:
        """Return the same run on the first data set that has the same inputs."""
        section = self.sections[run.space]
        if section["weights"] == "auto":
            return run
        own = section.family.inputs_of(section.options, run.dataset, run.inputs)
        for dataset in section.datasets:
            if section.family.inputs_of(section.options, dataset, run.inputs) == own:
                return replace(run, dataset=dataset)
        return run

    def stand_in(self, run: Run) -> str:
        """Say what stands in the place of the inputs that the paper takes; empty where nothing does."""
        section = self.sections[run.space]
        return section.family.stand_in(section.options, run.dataset, run.inputs)

    @cached_property
    def _whole_runs(self) -> frozenset[Run]:
        return frozenset(run for space in self.sections for run in self.whole_runs(space))

    def parts(self, run: Run) -> list[str]:
        """Return the score files of the jobs that compute a run.

        The smaller the batches and the fewer the settings, the more networks make a job. Those of a random sample are
        so many of its order, and stay when it grows by more than one job; others share all networks evenly.
        """
        computed, section = self.computed(run), self.sections[run.space]
        work = sum(
            _CHEAPER[metric.cost] * (1 if settings is None else metric.work(settings))
            for metric, settings in self._asked(run)
        )
        share = computed.draws * computed.size / section["batch_size"]
        per_job = self.study.config["networks_per_job"] / work / share
        if run.order == "random":
            size = max(min(math.floor(per_job), self.networks_tried(run)), 1)
            numbers = math.ceil(self.networks_tried(run) / size)
            names = [f"{number}-by-{size}" for number in range(1, numbers + 1)]
        else:
            numbers = max(math.ceil(self.networks_tried(computed) / per_job), 1)
            names = [f"{number}-of-{numbers}" for number in range(1, numbers + 1)]
        return [f"{self.results}/scores/{computed.path}/{name}.parquet" for name in names]

    def _asked(self, run: Run) -> list[tuple[Metric, list[str] | None]]:
        """Return the metrics of a run with their settings; None for a pair of weights that a job chooses."""
        if run.metric == TOGETHER:
            return list(self.sections[run.space].together)
        return [(self.metric(run), self.settings(run))]

    def chosen_weights(self, run: Run) -> list[str]:
        """Return the file that says which weights were chosen for a run, if they are."""
        return [self.weights(run.space, run.dataset)] if self._asked(run)[0][1] is None else []

    def job(self, run: Run) -> dict[str, Any]:
        """Return what the jobs of a run must know, and whose change makes them run again."""
        section, asked = self.sections[run.space], self._asked(run)
        skeleton = dict(section["skeleton"])
        for metric, _ in asked:
            skeleton |= metric.skeleton(section.options)
        if run.metric == TOGETHER and run.dataset in DATASETS and "classes" in skeleton:
            skeleton["classes"] = DATASETS[run.dataset].classes
        return {
            "metrics": [[section.full_name(metric.name), settings] for metric, settings in asked],
            "skeleton": skeleton,
            "section": section.batch_options,
            "seed": self.study.seed,
            "device": self.study.config["device"],
        }

    def is_small(self, runs: Iterable[Run]) -> bool:
        """Say whether what is made of the scores of these runs takes seconds, and need not be a cluster's job."""
        return sum(self.networks_tried(run) * run.draws for run in runs) <= SMALL

    def memory(self, run: Run) -> int:
        """Return the megabytes that a job of a run takes."""
        if run.metric != TOGETHER:
            return 2000
        # Gradients keep every map: 2 to 3 GB with NAS-Bench-201's 16 channels, 4 to 8 GB with NAS-Bench-101's 128 and
        # the metrics of the paper. Up to 4 GiB of what is freed is kept (`epsinas.engines.memory`).
        widths = getattr(self.sections[run.space].space(), "widths", (20,))
        return 3000 + 50 * widths[0]
