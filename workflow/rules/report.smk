# What the run used, and how it compares with the paper.

if config["ledger"]:
    LEDGER_TABLES = {
        number: f"{RESULTS}/tables/table{number}.csv"
        for number in range(1, 12)
        if f"{RESULTS}/tables/table{number}.csv" in TARGETS
    }
    # The summary waits for everything else, so that it is the last thing that the run prints.
    EVERYTHING_ELSE = list(TARGETS)
    TARGETS.append(f"{RESULTS}/ledger-summary.csv")

    rule ledger:
        input:
            LEDGER_TABLES.values(),
        output:
            f"{RESULTS}/ledger.csv",
        log:
            f"{LOGS}/ledger.log",
        benchmark:
            f"{BENCHMARKS}/report/ledger.tsv"
        conda:
            ENVIRONMENT
        params:
            numbers=list(LEDGER_TABLES),
        script:
            "../scripts/write_ledger.py"

    rule summarise_ledger:
        input:
            ledger=f"{RESULTS}/ledger.csv",
            everything_else=EVERYTHING_ELSE,
        output:
            f"{RESULTS}/ledger-summary.csv",
        log:
            f"{LOGS}/ledger-summary.log",
        benchmark:
            f"{BENCHMARKS}/report/ledger-summary.tsv"
        conda:
            ENVIRONMENT
        script:
            "../scripts/summarise_ledger.py"


rule provenance:
    input:
        TARGETS,
    output:
        f"{RESULTS}/provenance.json",
    log:
        f"{LOGS}/provenance.log",
    conda:
        ENVIRONMENT
    params:
        config=config,
        command=" ".join(sys.argv),
        folder=lambda wildcards, output: os.path.dirname(output[0]),
    script:
        "../scripts/write_provenance.py"
