# Scores and performances to tables.

for name, space in (
    ("table1", "nas-bench-201"),
    ("table3", "nas-bench-101"),
    ("table4", "nas-bench-nlp"),
):
    if space in SPACES:
        add_table(name, space, WHOLE_RUNS[space])


rule tabulate_draws:
    input:
        scores=lambda wildcards: scores_of(TABLES[wildcards.table][1]),
        performance=lambda wildcards: f"{RESULTS}/data/{TABLES[wildcards.table][0]}.performance.parquet",
    output:
        table=f"{RESULTS}/tables/{{table}}.csv",
        draws=f"{RESULTS}/tables/{{table}}.draws.csv",
    log:
        f"{LOGS}/tables/{{table}}.log",
    benchmark:
        f"{BENCHMARKS}/tables/{{table}}.tsv"
    wildcard_constraints:
        # Tables of other rules files follow; only names that are in TABLES have input.
        table="table(1|3|4|5|6|7|10|11)|weights|figure4",
    conda:
        ENVIRONMENT
    params:
        rows=lambda wildcards: config[TABLES[wildcards.table][0]]["performance"],
        # Tables that have the printed shares of networks with a score beside the run's.
        shares=lambda wildcards: config["ledger"]
        and {"table5": 5, "table7": 7}.get(wildcards.table),
        resamples=lambda wildcards: config[TABLES[wildcards.table][0]]["resamples"],
        seed=config["seed"],
    script:
        "../scripts/tabulate_draws.py"


TARGETS.append(f"{RESULTS}/tables/table8.csv")


rule table_8:
    input:
        [
            f"{RESULTS}/weights/{space}/{dataset}.csv"
            for space in SPACES
            for dataset in DATASETS[space]
        ],
    output:
        f"{RESULTS}/tables/table8.csv",
    log:
        f"{LOGS}/tables/table8.log",
    benchmark:
        f"{BENCHMARKS}/tables/table8.tsv"
    conda:
        ENVIRONMENT
    params:
        choices=[
            (space, dataset, config[space]["weights"])
            for space in SPACES
            for dataset in DATASETS[space]
        ],
    script:
        "../scripts/compare_weights.py"


# How many networks have a score, what the scores are like and what they cost, with or without performances.
COVERED = [run for space in SPACES for run in WHOLE_RUNS[space]]
TARGETS.append(f"{RESULTS}/tables/coverage.csv")


rule coverage:
    input:
        scores=scores_of(COVERED),
        networks=expand(f"{RESULTS}/networks/{{space}}.parquet", space=SPACES),
        seconds=[path for run in COVERED for path in seconds_of(run)],
    output:
        f"{RESULTS}/tables/coverage.csv",
    log:
        f"{LOGS}/tables/coverage.log",
    benchmark:
        f"{BENCHMARKS}/tables/coverage.tsv"
    conda:
        ENVIRONMENT
    params:
        runs=[(run, len(seconds_of(run))) for run in COVERED],
        spaces=SPACES,
    script:
        "../scripts/cover.py"


# How far rounding limits the scores of recurrent networks.
if "nas-bench-nlp" in SPACES:
    TARGETS.append(f"{RESULTS}/tables/rounding.csv")

    rule rounding:
        input:
            scores_of(WHOLE_RUNS["nas-bench-nlp"]),
        output:
            f"{RESULTS}/tables/rounding.csv",
        log:
            f"{LOGS}/tables/rounding.log",
        benchmark:
            f"{BENCHMARKS}/tables/rounding.tsv"
        conda:
            ENVIRONMENT
        params:
            reference=config["nas-bench-nlp"]["precisions"][-1],
        script:
            "../scripts/compare_precisions.py"
