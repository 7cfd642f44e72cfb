# Architectures and inputs to scores: one job for each share of the networks, which takes all batches of a run.


# On a cluster networks are computed on its nodes; what only reads files is done where Snakemake runs if it takes seconds.
localrules:
    gather_scores,


rule describe_networks:
    input:
        networks=f"{RESULTS}/data/{{space}}.architectures.parquet",
        sources=lambda wildcards: [
            path
            for dataset in STUDY.sections[wildcards.space].datasets
            for path in PLAN.shape_source(wildcards.space, dataset)
        ],
    output:
        f"{RESULTS}/networks/{{space}}.parquet",
    log:
        f"{LOGS}/describe_networks/{{space}}.log",
    benchmark:
        f"{TIMES}/describe_networks/{{space}}.tsv"
    conda:
        ENVIRONMENT
    params:
        skeleton=lambda wildcards: STUDY.sections[wildcards.space]["skeleton"],
        sources=lambda wildcards: {
            dataset: PLAN.shape_source(wildcards.space, dataset)
            for dataset in STUDY.sections[wildcards.space].datasets
        },
    script:
        STAGE


rule choose_weights:
    input:
        lambda wildcards: PLAN.source(wildcards.space, wildcards.dataset),
    output:
        f"{RESULTS}/weights/{{space}}/{{dataset}}.csv",
    log:
        f"{LOGS}/choose_weights/{{space}}/{{dataset}}.log",
    benchmark:
        f"{TIMES}/choose_weights/{{space}}/{{dataset}}.tsv"
    conda:
        ENVIRONMENT
    params:
        section=lambda wildcards: STUDY.sections[wildcards.space].batch_options,
        precision=lambda wildcards: STUDY.sections[wildcards.space]["precisions"][0],
        seed=STUDY.seed,
    script:
        STAGE


rule score_chunk:
    input:
        networks=f"{RESULTS}/networks/{{space}}.parquet",
        source=lambda wildcards: PLAN.source(
            wildcards.space, wildcards.dataset, wildcards.inputs
        ),
        weights=lambda wildcards: PLAN.chosen_weights(Run.of(wildcards)),
    output:
        f"{RESULTS}/scores/{Run.PATTERN}/{{part}}.parquet",
    log:
        f"{LOGS}/score_chunk/{Run.PATTERN}/{{part}}.log",
    benchmark:
        f"{TIMES}/score_chunk/{Run.PATTERN}/{{part}}.tsv"
    wildcard_constraints:
        metric=f"(?!{TOGETHER}-){WILDCARDS['metric']}",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt * PLAN.memory(Run.of(wildcards)),
    params:
        job=lambda wildcards: PLAN.job(Run.of(wildcards)),
    script:
        STAGE


# Apart since each takes the memory of its own space: all jobs of an array are given that of the first.
use rule score_chunk as score_comparison_chunk with:
    wildcard_constraints:
        metric=TOGETHER,


rule gather_scores:
    input:
        networks=f"{RESULTS}/networks/{{space}}.parquet",
        parts=lambda wildcards: PLAN.parts(Run.of(wildcards)),
    output:
        f"{RESULTS}/scores/{Run.PATTERN}.parquet",
    log:
        f"{LOGS}/gather_scores/{Run.PATTERN}.log",
    benchmark:
        f"{TIMES}/gather_scores/{Run.PATTERN}.tsv"
    wildcard_constraints:
        space=either(SMALL_SPACES),
    conda:
        ENVIRONMENT
    resources:
        # Ten draws of 423,624 networks.
        mem_mb=lambda wildcards, attempt: attempt * 3000,
    params:
        metrics=lambda wildcards: [
            name for name, _ in PLAN.job(Run.of(wildcards))["metrics"]
        ],
        stand_in=lambda wildcards: PLAN.stand_in(Run.of(wildcards)),
        seed=STUDY.seed,
    script:
        STAGE


use rule gather_scores as gather_scores_of_large_space with:
    wildcard_constraints:
        space=either(LARGE_SPACES),
