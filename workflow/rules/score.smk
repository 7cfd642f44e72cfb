# Architectures and inputs to scores: one job for each chunk of networks.

NAS_BENCH_201 = config["nas-bench-201"]


def spaces_networks(wildcards):
    """Number of architecture strings that a run tries."""
    subset = wildcards.networks.partition("-")[2]
    return int(subset) if subset else 15625


def score_chunks(wildcards):
    """The chunk files of one run."""
    chunks = math.ceil(spaces_networks(wildcards) / config["networks_per_job"])
    return expand(
        f"{RESULTS}/scores/{{run}}/{{chunk}}-of-{{chunks}}.parquet",
        run="{space}/{dataset}/{inputs}-{size}-{draw}/{precision}-{grid}-{networks}".format(
            **wildcards
        ),
        chunk=range(1, chunks + 1),
        chunks=chunks,
    )


def pairs(wildcards):
    """The weight pairs of a grid."""
    return [config[wildcards.space]["weights"]]


RUN = "{space}/{dataset}/{inputs}-{size}-{draw}/{precision}-{grid}-{networks}"


rule describe_networks:
    input:
        f"{RESULTS}/data/{{space}}.architectures.parquet",
    output:
        f"{RESULTS}/networks/{{space}}.parquet",
    params:
        skeleton=lambda wildcards: config[wildcards.space]["skeleton"],
    log:
        f"{LOGS}/networks/{{space}}.log",
    benchmark:
        f"{BENCHMARKS}/networks/{{space}}.tsv"
    conda:
        ENVIRONMENT
    script:
        "../scripts/describe_networks.py"


rule make_image_batch:
    input:
        f"{RESULTS}/data/{{dataset}}.npz",
    output:
        f"{RESULTS}/batches/{{dataset}}/{{inputs}}-{{size}}-{{draw}}.npy",
    params:
        seed=config["seed"],
    log:
        f"{LOGS}/batches/{{dataset}}/{{inputs}}-{{size}}-{{draw}}.log",
    benchmark:
        f"{BENCHMARKS}/batches/{{dataset}}/{{inputs}}-{{size}}-{{draw}}.tsv"
    conda:
        ENVIRONMENT
    script:
        "../scripts/make_image_batch.py"


rule score_chunk:
    input:
        networks=f"{RESULTS}/networks/{{space}}.parquet",
        batch=f"{RESULTS}/batches/{{dataset}}/{{inputs}}-{{size}}-{{draw}}.npy",
    output:
        f"{RESULTS}/scores/{RUN}/{{chunk}}-of-{{chunks}}.parquet",
    params:
        skeleton=lambda wildcards: config[wildcards.space]["skeleton"],
        zeros=lambda wildcards: config[wildcards.space]["zeros"],
        pairs=pairs,
    threads: 1
    resources:
        mem_mb=1000,
    log:
        f"{LOGS}/scores/{RUN}/{{chunk}}-of-{{chunks}}.log",
    benchmark:
        f"{BENCHMARKS}/scores/{RUN}/{{chunk}}-of-{{chunks}}.tsv"
    conda:
        ENVIRONMENT
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
