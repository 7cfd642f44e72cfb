# What the run used, and how it compares with the paper.


localrules:
    write_ledger,
    count_verdicts,
    write_provenance,


PAGES_MADE = [
    *(PLAN.table(page) for page in TABLES),
    *(path for page in FIGURES for path in PLAN.drawn(page)),
]

COMPARED = [page for page in TABLES if page.cells] if config["ledger"] else []


rule write_ledger:
    input:
        [PLAN.table(page) for page in COMPARED],
    output:
        f"{RESULTS}/ledger.csv",
    log:
        f"{LOGS}/write_ledger.log",
    benchmark:
        f"{TIMES}/report/write_ledger.tsv"
    conda:
        ENVIRONMENT
    params:
        pages=[page.name for page in COMPARED],
    script:
        STAGE


rule count_verdicts:
    input:
        ledger=f"{RESULTS}/ledger.csv",
        # It waits for everything else, so that it is the last thing that the run prints.
        pages=PAGES_MADE,
    output:
        f"{RESULTS}/ledger-summary.csv",
    log:
        f"{LOGS}/count_verdicts.log",
    benchmark:
        f"{TIMES}/report/count_verdicts.tsv"
    conda:
        ENVIRONMENT
    script:
        STAGE


rule write_provenance:
    input:
        PAGES_MADE,
        rules.count_verdicts.output if config["ledger"] else [],
    output:
        f"{RESULTS}/provenance.json",
    log:
        f"{LOGS}/write_provenance.log",
    conda:
        ENVIRONMENT
    params:
        config=config,
    script:
        STAGE
