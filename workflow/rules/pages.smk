# Scores and performances to pages: one rule makes all tables, one all figures. On a cluster those of many scores are jobs,
# and the others are made where Snakemake runs: they take seconds, of which a job would spend most in a queue.


localrules:
    make_table,
    make_table_of_draws,
    make_figure,


rule make_table:
    input:
        lambda wildcards: PLAN.files(REQUESTS[wildcards.page]),
    output:
        table=reported(f"{RESULTS}/tables/{{page}}.csv", "Tables"),
        latex=f"{RESULTS}/tables/{{page}}.tex",
        markdown=f"{RESULTS}/tables/{{page}}.md",
    log:
        f"{LOGS}/make_table/{{page}}.log",
    benchmark:
        f"{TIMES}/make_table/{{page}}.tsv"
    wildcard_constraints:
        page=either(page.name for page in SMALL_TABLES if not page.with_draws),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: attempt * PAGES[wildcards.page].memory,
    params:
        study=lambda wildcards: STUDY.extract(REQUESTS[wildcards.page].spaces),
        caption=lambda wildcards: PAGES[wildcards.page].caption,
    script:
        STAGE


use rule make_table as make_table_of_draws with:
    output:
        table=reported(f"{RESULTS}/tables/{{page}}.csv", "Tables"),
        latex=f"{RESULTS}/tables/{{page}}.tex",
        markdown=f"{RESULTS}/tables/{{page}}.md",
        draws=f"{RESULTS}/tables/{{page}}.draws.csv",
    log:
        f"{LOGS}/make_table_of_draws/{{page}}.log",
    benchmark:
        f"{TIMES}/make_table/{{page}}.tsv"
    wildcard_constraints:
        page=either(page.name for page in SMALL_TABLES if page.with_draws),


use rule make_table as make_large_table with:
    wildcard_constraints:
        page=either(page.name for page in LARGE_TABLES if not page.with_draws),


use rule make_table_of_draws as make_large_table_of_draws with:
    wildcard_constraints:
        page=either(page.name for page in LARGE_TABLES if page.with_draws),


rule make_figure:
    input:
        lambda wildcards: PLAN.figure_input(PAGES[wildcards.page]),
    output:
        reported(f"{PLAN.figures}/{{page}}.svg", "Figures"),
        f"{PLAN.figures}/{{page}}.pdf",
    log:
        f"{LOGS}/make_figure/{{page}}.log",
    benchmark:
        f"{TIMES}/make_figure/{{page}}.tsv"
    wildcard_constraints:
        page=either(page.name for page in SMALL_FIGURES),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: attempt * PAGES[wildcards.page].memory,
    params:
        study=lambda wildcards: STUDY.extract(REQUESTS[wildcards.page].spaces),
        caption=lambda wildcards: PAGES[wildcards.page].caption,
    script:
        STAGE


use rule make_figure as make_large_figure with:
    wildcard_constraints:
        page=either(page.name for page in LARGE_FIGURES),
