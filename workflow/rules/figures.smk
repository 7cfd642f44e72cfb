# Scores and performances to figures.

# Scatter figures: the spaces whose networks they show.
SCATTERS = {"figure1": ["nas-bench-201"], "figure2": ["nas-bench-101", "nas-bench-nlp"]}
SCATTERS = {
    figure: [
        space for space in spaces if space in SPACES and config[space]["performance"]
    ]
    for figure, spaces in SCATTERS.items()
}
DRAWN = [figure for figure, spaces in SCATTERS.items() if spaces]


rule draw_scatter:
    input:
        scores=lambda wildcards: [
            path
            for space in SCATTERS[wildcards.figure]
            for path in scores_of(main_runs(space))
        ],
        networks=lambda wildcards: expand(
            f"{RESULTS}/networks/{{space}}.parquet", space=SCATTERS[wildcards.figure]
        ),
        performance=lambda wildcards: expand(
            f"{RESULTS}/data/{{space}}.performance.parquet",
            space=SCATTERS[wildcards.figure],
        ),
    output:
        expand(f"{FIGURES}/{{{{figure}}}}.{{format}}", format=["svg", "pdf"]),
    log:
        f"{LOGS}/figures/{{figure}}.log",
    benchmark:
        f"{BENCHMARKS}/figures/{{figure}}.tsv"
    wildcard_constraints:
        figure="|".join(SCATTERS),
    conda:
        ENVIRONMENT
    params:
        panels=lambda wildcards: [
            (space, dataset)
            for space in SCATTERS[wildcards.figure]
            for dataset in DATASETS[space]
        ],
        rows=lambda wildcards: {
            space: config[space]["performance"] for space in SCATTERS[wildcards.figure]
        },
    script:
        "../scripts/draw_scatter.py"


rule draw_distributions:
    input:
        scores_of(run for space in SPACES for run in main_runs(space)),
    output:
        expand(f"{FIGURES}/distributions.{{format}}", format=["svg", "pdf"]),
    log:
        f"{LOGS}/figures/distributions.log",
    benchmark:
        f"{BENCHMARKS}/figures/distributions.tsv"
    conda:
        ENVIRONMENT
    params:
        panels=[(space, dataset) for space in SPACES for dataset in DATASETS[space]],
    script:
        "../scripts/draw_distributions.py"


# Figures that show one table: the table's name, the figure's name, and what draws it.
CURVES = {
    "figure3": (f"{RESULTS}/tables/figure3.csv", "search_curves"),
    "figure4": (f"{RESULTS}/tables/figure4.draws.csv", "batch_sizes"),
    "weights": (f"{RESULTS}/tables/weights.csv", "weight_pairs"),
}
DRAWN += [
    name
    for name, wanted in (
        ("distributions", True),
        ("figure3", SEARCH),
        ("figure4", "figure4" in TABLES),
        ("weights", "weights" in TABLES),
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
