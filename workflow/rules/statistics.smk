# Scores and performances to tables.

TABLE_1_RUNS = expand(
    "nas-bench-201/{dataset}/real-{size}-0/{precision}-pair-all",
    dataset=NAS_BENCH_201["datasets"],
    size=NAS_BENCH_201["batch_size"],
    precision=NAS_BENCH_201["precisions"],
)
TARGETS.extend([f"{RESULTS}/tables/table1.csv", f"{RESULTS}/tables/table8.csv"])


rule evaluate_scores:
    input:
        scores=f"{RESULTS}/scores/{RUN}.parquet",
        performance=f"{RESULTS}/data/{{space}}.performance.parquet",
    output:
        f"{RESULTS}/statistics/{RUN}.csv",
    log:
        f"{LOGS}/statistics/{RUN}.log",
    benchmark:
        f"{BENCHMARKS}/statistics/{RUN}.tsv"
    conda:
        ENVIRONMENT
    params:
        rows=lambda wildcards: config[wildcards.space]["performance"],
    script:
        "../scripts/evaluate_scores.py"


rule table_1:
    input:
        expand(f"{RESULTS}/statistics/{{run}}.csv", run=TABLE_1_RUNS),
    output:
        f"{RESULTS}/tables/table1.csv",
    log:
        f"{LOGS}/tables/table1.log",
    benchmark:
        f"{BENCHMARKS}/tables/table1.tsv"
    conda:
        ENVIRONMENT
    script:
        "../scripts/join_statistics.py"


rule table_8:
    input:
        expand(
            f"{RESULTS}/weights/nas-bench-201/{{dataset}}.csv",
            dataset=NAS_BENCH_201["datasets"],
        ),
    output:
        f"{RESULTS}/tables/table8.csv",
    log:
        f"{LOGS}/tables/table8.log",
    benchmark:
        f"{BENCHMARKS}/tables/table8.tsv"
    conda:
        ENVIRONMENT
    params:
        datasets=NAS_BENCH_201["datasets"],
        weights=NAS_BENCH_201["weights"],
    script:
        "../scripts/compare_weights.py"
