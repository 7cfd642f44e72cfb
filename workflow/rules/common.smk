import itertools
import math
import os
import re

from snakemake.exceptions import WorkflowError

from epsinas.engines.images.batches import DETERMINISTIC
from epsinas.errors import InputError
from epsinas.study.config import read_study

try:
    config = read_study(config, workflow.source_path("../schemas/study.schema.yaml"))
except InputError as error:
    raise WorkflowError(str(error))

RESULTS = f"results/{config['study']}"
FIGURES = f"figures/{config['study']}"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
ENVIRONMENT = "../../envs/epsinas.yaml"

# Every rules file adds the tables and figures that it makes.
TARGETS = []


wildcard_constraints:
    space="nas-bench-[a-z0-9]+",
    dataset="[A-Za-z0-9_-]+",
    inputs=r"[a-z0-9_.]+",
    size=r"\d+",
    draw=r"\d+",
    draws=r"\d+",
    precision="single|double|extended",
    grid="pair|grid|wide",
    initialisation="[a-z_]+",
    networks=r"all|first-\d+",
    chunk=r"\d+",
    chunks=r"\d+",
    per_job=r"\d+",


# Search spaces of the study, and the data on which the networks of each are scored.
SPACES = [name for name in config if name.startswith("nas-bench-")]
DATASETS = {
    space: list(config[space].get("datasets") or config[space]["corpora"])
    for space in SPACES
}
NAS_BENCH_201 = config["nas-bench-201"]
TRAIN = config.get("train")


def source(wildcards):
    """The file that batches are made of: images or a text."""
    space = dict(wildcards.items()).get("space", "nas-bench-201")
    if "corpora" in config[space]:
        part = config[space]["corpora"][wildcards.dataset]
        return f"{RESULTS}/data/{wildcards.dataset}/{part}.txt"
    return f"{RESULTS}/data/{wildcards.dataset}.npz"


# A run: all networks, or the first so many, on so many random batches with one pair or a grid of weights.
RUN = "{space}/{dataset}/{inputs}-{size}-{draws}/{precision}-{grid}-{networks}"


def runs(space="nas-bench-201", networks=None, **features):
    """The runs of a space with these features, each a value or a list of them; others are the study's own."""
    section = config[space]
    usual = {
        "dataset": DATASETS[space],
        "inputs": section.get("embedding", "real"),
        "size": section["batch_size"],
        "draws": 1,
        "precision": section["precisions"][0],
        "grid": "pair",
    }
    return expand(
        RUN,
        space=space,
        networks="all" if networks is None else f"first-{networks}",
        **(usual | features),
    )


# All networks. The first precision is the published one, of which several batches show the scatter.
WHOLE_RUNS = {
    space: [
        run
        for dataset in DATASETS[space]
        for run in (
            *runs(space, dataset=dataset, draws=config[space]["draws"]),
            *runs(space, dataset=dataset, precision=config[space]["precisions"][1:]),
        )
    ]
    for space in SPACES
}


def main_runs(space="nas-bench-201"):
    """The first of the runs over all networks on each dataset."""
    return runs(space, draws=config[space]["draws"])


def scores_of(names):
    """The score files of runs."""
    return expand(f"{RESULTS}/scores/{{run}}.parquet", run=names)


def networks_tried(space, networks="all"):
    """Number of architecture strings that a run tries."""
    subset = networks.partition("-")[2]
    sampled = config[space].get("sample") or (TRAIN or {}).get("networks")
    return int(subset) if subset else sampled or config[space]["networks"]


def chunk_files(**run):
    """The chunk files of the run with these wildcards.

    A run over some networks, or on some batches, is part of the run over all of them, if the study has that one.
    """
    space = config[run["space"]]
    whole = {**run, "networks": "all", "draws": str(space["draws"])}
    if (
        int(run["draws"]) <= space["draws"]
        and RUN.format(**whole) in WHOLE_RUNS[run["space"]]
    ):
        run = whole
    # The smaller the batches and the fewer the weights, the more networks make a job.
    share = int(run["draws"]) * int(run["size"]) / space["batch_size"]
    if run["grid"] != "pair":
        share *= len(grid_weights(run["space"], run["grid"])) / 2
    networks = networks_tried(run["space"], run["networks"])
    chunks = max(math.ceil(networks * share / config["networks_per_job"]), 1)
    return expand(
        f"{RESULTS}/scores/{{run}}/{{chunk}}-of-{{chunks}}.parquet",
        run=RUN.format(**run),
        chunk=range(1, chunks + 1),
        chunks=chunks,
    )


def seconds_of(run):
    """The files that say what the scoring jobs of a run took."""
    names = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+?)", RUN), run).groupdict()
    return [
        re.sub(f"^{RESULTS}/(.*)parquet$", rf"{BENCHMARKS}/\1tsv", path)
        for path in chunk_files(**names)
    ]


def chosen_weights(wildcards):
    """The file that says which weights were chosen automatically, if they are."""
    if config[wildcards.space]["weights"] == "auto":
        return f"{RESULTS}/weights/{wildcards.space}/{wildcards.dataset}.csv"
    return []


def grid_weights(space, grid):
    """The weights of a grid, ascending."""
    weights = config[space]["ablations"]["weights"]
    return sorted(weights["values"] if grid == "grid" else weights["wide"]["values"])


def pairs(wildcards):
    """The weight pairs of a grid; none where they are chosen automatically."""
    if wildcards.grid == "pair":
        weights = config[wildcards.space]["weights"]
        return None if weights == "auto" else [weights]
    return list(
        itertools.combinations(grid_weights(wildcards.space, wildcards.grid), 2)
    )


# The runs behind every table of scores, and their space.
TABLES = {}


def add_table(name, space, wanted):
    """Make a table of these runs, if the study knows how good the networks are."""
    if config[space]["performance"]:
        TABLES[name] = (space, wanted)
        TARGETS.append(f"{RESULTS}/tables/{name}.csv")
