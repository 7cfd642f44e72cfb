# Scores and performances to searches: one network of a pool, and step by step.

SELECTION = NAS_BENCH_201.get("selection")
SEARCH = NAS_BENCH_201.get("search")

if SELECTION:
    TARGETS.append(f"{RESULTS}/tables/table2.csv")

    rule table_2:
        input:
            scores=scores_of(main_runs()),
            # The cost of scoring is what these jobs took, for all batches.
            seconds=seconds_of(main_runs()[0]),
            networks=f"{RESULTS}/networks/nas-bench-201.parquet",
            performance=f"{RESULTS}/data/nas-bench-201.performance.parquet",
            cost=(
                f"{RESULTS}/data/nas-bench-201.training-cost.parquet"
                if "trained" in SELECTION
                else []
            ),
            published_scores=(
                f"{RESULTS}/data/nas-bench-201.published-scores.parquet"
                if SELECTION["published_scores"]
                else []
            ),
        output:
            f"{RESULTS}/tables/table2.csv",
        log:
            f"{LOGS}/tables/table2.log",
        benchmark:
            f"{BENCHMARKS}/tables/table2.tsv"
        conda:
            ENVIRONMENT
        params:
            datasets=NAS_BENCH_201["datasets"],
            epochs=NAS_BENCH_201["performance"]["epochs"],
            selection=SELECTION,
            draws=NAS_BENCH_201["draws"],
            skeleton=NAS_BENCH_201["skeleton"],
            seed=config["seed"],
            quoted=config["ledger"],
        script:
            "../scripts/select_networks.py"


if SEARCH:
    TARGETS.append(f"{RESULTS}/tables/figure3.csv")

    rule search_networks:
        input:
            scores=scores_of(main_runs()),
            networks=f"{RESULTS}/networks/nas-bench-201.parquet",
            performance=f"{RESULTS}/data/nas-bench-201.performance.parquet",
        output:
            f"{RESULTS}/tables/figure3.csv",
        log:
            f"{LOGS}/tables/figure3.log",
        benchmark:
            f"{BENCHMARKS}/tables/figure3.tsv"
        conda:
            ENVIRONMENT
        params:
            datasets=NAS_BENCH_201["datasets"],
            epochs=NAS_BENCH_201["performance"]["epochs"],
            search=SEARCH,
            skeleton=NAS_BENCH_201["skeleton"],
            seed=config["seed"],
        script:
            "../scripts/search_networks.py"
