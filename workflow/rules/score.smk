# Architectures and inputs to scores: one job for each chunk of networks.

NAS_BENCH_201 = config["nas-bench-201"]


def number_of_networks(wildcards):
    """Number of architecture strings that a run tries."""
    subset = wildcards.networks.partition("-")[2]
    return int(subset) if subset else config.get("train", {}).get("networks") or 15625


def score_chunks(wildcards):
    """The chunk files of one run."""
    chunks = math.ceil(number_of_networks(wildcards) / config["networks_per_job"])
    return expand(
        f"{RESULTS}/scores/{{run}}/{{chunk}}-of-{{chunks}}.parquet",
        run="{space}/{dataset}/{inputs}-{size}-{draw}/{precision}-{grid}-{networks}".format(
            **wildcards
        ),
        chunk=range(1, chunks + 1),
        chunks=chunks,
    )


def chosen_weights(wildcards):
    """The file that says which weights were chosen automatically, if they are."""
    if config[wildcards.space]["weights"] == "auto":
        return f"{RESULTS}/weights/{wildcards.space}/{wildcards.dataset}.csv"
    return []


def pairs(wildcards):
    """The weight pairs of a grid; none where they are chosen automatically."""
    weights = config[wildcards.space]["weights"]
    return None if weights == "auto" else [weights]


RUN = "{space}/{dataset}/{inputs}-{size}-{draw}/{precision}-{grid}-{networks}"


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


rule choose_weights:
    input:
        lambda wildcards: f"{RESULTS}/batches/{wildcards.dataset}/real-{config[wildcards.space]['batch_size']}-0.npy",
    output:
        f"{RESULTS}/weights/{{space}}/{{dataset}}.csv",
    log:
        f"{LOGS}/weights/{{space}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/weights/{{space}}/{{dataset}}.tsv"
    conda:
        ENVIRONMENT
    params:
        skeleton=lambda wildcards: config[wildcards.space]["skeleton"],
        precision=lambda wildcards: config[wildcards.space]["precisions"][0],
        seed=config["seed"],
    script:
        "../scripts/choose_weights.py"


rule score_chunk:
    input:
        networks=f"{RESULTS}/networks/{{space}}.parquet",
        batch=f"{RESULTS}/batches/{{dataset}}/{{inputs}}-{{size}}-{{draw}}.npy",
        weights=chosen_weights,
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
        chunks=score_chunks,
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
