# Scores and performances to tables.

TARGETS.extend([f"{RESULTS}/tables/table1.csv", f"{RESULTS}/tables/table8.csv"])


rule table_1:
    input:
        scores=scores_of(WHOLE_RUNS),
        performance=f"{RESULTS}/data/nas-bench-201.performance.parquet",
    output:
        table=f"{RESULTS}/tables/table1.csv",
        draws=f"{RESULTS}/tables/table1.draws.csv",
    log:
        f"{LOGS}/tables/table1.log",
    benchmark:
        f"{BENCHMARKS}/tables/table1.tsv"
    conda:
        ENVIRONMENT
    params:
        rows=NAS_BENCH_201["performance"],
    script:
        "../scripts/tabulate_draws.py"


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
