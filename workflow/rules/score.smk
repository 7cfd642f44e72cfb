# Architectures and inputs to scores: one job for each chunk of networks.

NAS_BENCH_201 = config["nas-bench-201"]


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


def pairs(wildcards):
    """The weight pairs of a grid."""
    if wildcards.grid == "pair":
        return [config[wildcards.space]["weights"]]
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


# Table 1: all networks. Its first precision is the published one, of which the draws show the scatter.
WHOLE_RUNS = [
    *runs(draw=range(NAS_BENCH_201["draws"])),
    *runs(precision=NAS_BENCH_201["precisions"][1:]),
]


rule describe_networks:
    input:
        f"{RESULTS}/data/{{space}}.architectures.parquet",
    output:
        f"{RESULTS}/networks/{{space}}.parquet",
    log:
        f"{LOGS}/networks/{{space}}.log",
    benchmark:
        f"{BENCHMARKS}/networks/{{space}}.tsv"
    conda:
        ENVIRONMENT
    params:
        skeleton=lambda wildcards: config[wildcards.space]["skeleton"],
    script:
        "../scripts/describe_networks.py"


rule make_image_batch:
    input:
        f"{RESULTS}/data/{{dataset}}.npz",
    output:
        f"{RESULTS}/batches/{{dataset}}/{{inputs}}-{{size}}-{{draw}}.npy",
    log:
        f"{LOGS}/batches/{{dataset}}/{{inputs}}-{{size}}-{{draw}}.log",
    benchmark:
        f"{BENCHMARKS}/batches/{{dataset}}/{{inputs}}-{{size}}-{{draw}}.tsv"
    conda:
        ENVIRONMENT
    params:
        seed=config["seed"],
    script:
        "../scripts/make_image_batch.py"


rule score_chunk:
    input:
        networks=f"{RESULTS}/networks/{{space}}.parquet",
        batch=f"{RESULTS}/batches/{{dataset}}/{{inputs}}-{{size}}-{{draw}}.npy",
    output:
        f"{RESULTS}/scores/{RUN}/{{chunk}}-of-{{chunks}}.parquet",
    log:
        f"{LOGS}/scores/{RUN}/{{chunk}}-of-{{chunks}}.log",
    benchmark:
        f"{BENCHMARKS}/scores/{RUN}/{{chunk}}-of-{{chunks}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
    params:
        skeleton=lambda wildcards: config[wildcards.space]["skeleton"],
        zeros=lambda wildcards: config[wildcards.space]["zeros"],
        pairs=pairs,
    script:
        "../scripts/score_chunk.py"


rule gather_scores:
    input:
        networks=f"{RESULTS}/networks/{{space}}.parquet",
        chunks=lambda wildcards: chunk_files(**dict(wildcards.items())),
    output:
        f"{RESULTS}/scores/{RUN}.parquet",
    log:
        f"{LOGS}/scores/{RUN}.log",
    benchmark:
        f"{BENCHMARKS}/scores/{RUN}.tsv"
    conda:
        ENVIRONMENT
    script:
        "../scripts/gather_scores.py"
