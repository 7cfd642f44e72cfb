# Scores and performances to tables.

TARGETS.append(f"{RESULTS}/tables/table1.csv")


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
