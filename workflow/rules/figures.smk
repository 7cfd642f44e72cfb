# Scores and performances to figures.

TARGETS.extend(expand(f"{FIGURES}/figure1.{{format}}", format=["svg", "pdf"]))


rule figure_1:
    input:
        scores=scores_of(runs()),
        networks=f"{RESULTS}/networks/nas-bench-201.parquet",
        performance=f"{RESULTS}/data/nas-bench-201.performance.parquet",
    output:
        expand(f"{FIGURES}/figure1.{{format}}", format=["svg", "pdf"]),
    log:
        f"{LOGS}/figures/figure1.log",
    benchmark:
        f"{BENCHMARKS}/figures/figure1.tsv"
    conda:
        ENVIRONMENT
    params:
        datasets=NAS_BENCH_201["datasets"],
        rows=NAS_BENCH_201["performance"],
    script:
        "../scripts/draw_scatter.py"


# Figures that show one table: the table's name, the figure's name, and what draws it.
CURVES = {
    "figure3": (f"{RESULTS}/tables/figure3.csv", "search_curves"),
    "figure4": (f"{RESULTS}/tables/figure4.draws.csv", "batch_sizes"),
    "weights": (f"{RESULTS}/tables/weights.csv", "weight_pairs"),
}
DRAWN = [
    name
    for name, wanted in (
        ("figure3", SEARCH),
        ("figure4", BATCH_SIZE),
        ("weights", "weights" in DRAWS),
    )
    if wanted
]
TARGETS.extend(
    expand(f"{FIGURES}/{{figure}}.{{format}}", figure=DRAWN, format=["svg", "pdf"])
)


rule draw_table:
    input:
        lambda wildcards: CURVES[wildcards.figure][0],
    output:
        expand(f"{FIGURES}/{{{{figure}}}}.{{format}}", format=["svg", "pdf"]),
    log:
        f"{LOGS}/figures/{{figure}}.log",
    benchmark:
        f"{BENCHMARKS}/figures/{{figure}}.tsv"
    wildcard_constraints:
        figure="|".join(CURVES),
    conda:
        ENVIRONMENT
    params:
        kind=lambda wildcards: CURVES[wildcards.figure][1],
    script:
        "../scripts/draw_table.py"
