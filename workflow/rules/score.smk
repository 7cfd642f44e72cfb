# Architectures and inputs to scores: one job for each chunk of networks, which takes all batches of a run.


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


rule choose_weights:
    input:
        source,
    output:
        f"{RESULTS}/weights/{{space}}/{{dataset}}.csv",
    log:
        f"{LOGS}/weights/{{space}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/weights/{{space}}/{{dataset}}.tsv"
    conda:
        ENVIRONMENT
    params:
        section=lambda wildcards: config[wildcards.space],
        seed=config["seed"],
    script:
        "../scripts/choose_weights.py"


rule score_chunk:
    input:
        networks=f"{RESULTS}/networks/{{space}}.parquet",
        source=source,
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
        mem_mb=2000,
    params:
        section=lambda wildcards: {
            key: config[wildcards.space].get(key)
            for key in ("skeleton", "zeros", "steps")
        },
        pairs=pairs,
        seed=config["seed"],
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
