import itertools
import math
import os
import re

from snakemake.exceptions import WorkflowError

from epsinas.batches import DETERMINISTIC
from epsinas.errors import InputError
from epsinas.studies import read_study

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
    space="[a-z0-9-]+",
    dataset="[A-Za-z0-9_-]+",
    inputs="[a-z_]+",
    size=r"\d+",
    draw=r"\d+",
    precision="single|double|extended",
    grid="pair|grid|wide",
    initialisation="[a-z_]+",
    networks=r"all|first-\d+",
    chunk=r"\d+",
    chunks=r"\d+",
    per_job=r"\d+",


NAS_BENCH_201 = config["nas-bench-201"]
TRAIN = config.get("train")


def networks_tried(space, networks="all"):
    """Number of architecture strings that a run tries."""
    subset = networks.partition("-")[2]
    return (
        int(subset)
        if subset
        else (TRAIN or {}).get("networks") or config[space]["networks"]
    )


def networks_wildcard(count):
    """What a run is called that tries so many networks, all if None."""
    return "all" if count is None else f"first-{count}"


def chunk_files(**run):
    """The chunk files of the run with these wildcards.

    A run over some networks is part of the run over all of them, if the study has that one.
    """
    if RUN.format(**{**run, "networks": "all"}) in WHOLE_RUNS:
        run["networks"] = "all"
    # The smaller the batch, the more networks make a job.
    share = min(1, int(run["size"]) / config[run["space"]]["batch_size"])
    networks = networks_tried(run["space"], run["networks"])
    chunks = math.ceil(networks * share / config["networks_per_job"])
    return expand(
        f"{RESULTS}/scores/{{run}}/{{chunk}}-of-{{chunks}}.parquet",
        run=RUN.format(**run),
        chunk=range(1, chunks + 1),
        chunks=chunks,
    )


def chosen_weights(wildcards):
    """The file that says which weights were chosen automatically, if they are."""
    space = dict(wildcards.items()).get("space", "nas-bench-201")
    if config[space]["weights"] == "auto":
        return f"{RESULTS}/weights/{space}/{wildcards.dataset}.csv"
    return []


def pairs(wildcards):
    """The weight pairs of a grid; none where they are chosen automatically."""
    if wildcards.grid == "pair":
        weights = config[wildcards.space]["weights"]
        return None if weights == "auto" else [weights]
    weights = config[wildcards.space]["ablations"]["weights"]
    values = (
        weights["values"] if wildcards.grid == "grid" else weights["wide"]["values"]
    )
    return list(itertools.combinations(sorted(values), 2))


RUN = "{space}/{dataset}/{inputs}-{size}-{draw}/{precision}-{grid}-{networks}"


def runs(
    datasets=NAS_BENCH_201["datasets"],
    inputs="real",
    size=NAS_BENCH_201["batch_size"],
    draw=0,
    precision=NAS_BENCH_201["precisions"][0],
    grid="pair",
    networks=None,
):
    """The runs of NAS-Bench-201 with these features, each a value or a list of them."""
    return expand(
        RUN,
        space="nas-bench-201",
        dataset=datasets,
        inputs=inputs,
        size=size,
        draw=draw,
        precision=precision,
        grid=grid,
        networks=networks_wildcard(networks),
    )


def scores_of(names):
    """The score files of runs."""
    return expand(f"{RESULTS}/scores/{{run}}.parquet", run=names)


def size_chunks(size):
    """Number of jobs for one size of batch; each takes all draws, to build a network's graph once."""
    networks = NAS_BENCH_201["ablations"]["batch_size"]["networks"] or networks_tried(
        "nas-bench-201"
    )
    share = size / NAS_BENCH_201["batch_size"]
    return math.ceil(networks * share / config["networks_per_job"])


# Table 1: all networks. Its first precision is the published one, of which the draws show the scatter.
WHOLE_RUNS = [
    run
    for dataset in NAS_BENCH_201["datasets"]
    for run in (
        *runs(datasets=dataset, draw=range(NAS_BENCH_201["draws"])),
        *runs(datasets=dataset, precision=NAS_BENCH_201["precisions"][1:]),
    )
]
