# What the run used, and how it compares with the paper.


localrules:
    write_ledger,
    count_verdicts,
    write_provenance,
    write_report,


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
        rules.write_ledger.output,
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


rule write_report:
    input:
        PLAN.files(explored_request(PLAN)),
        tables=[PLAN.table(page) for page in TABLES],
        figures=[PLAN.drawn(page) for page in FIGURES],
        ledger=rules.write_ledger.output if config["ledger"] else [],
        provenance=rules.write_provenance.output[0],
    output:
        page=report(
            f"{RESULTS}/report.html",
            category="Report",
            labels={"page": "everything on one page"},
        ),
        lines=CLOSING_LINES,
    log:
        f"{LOGS}/write_report.log",
    benchmark:
        f"{TIMES}/report/write_report.tsv"
    conda:
        ENVIRONMENT
    params:
        study=config,
        pages=[page.name for page in TABLES],
    script:
        STAGE
