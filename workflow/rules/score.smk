# Architectures and inputs to scores: one job for each chunk of networks.


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
