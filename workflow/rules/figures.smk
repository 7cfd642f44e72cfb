# Scores and performances to figures.

TARGETS.extend(expand(f"{FIGURES}/figure1.{{format}}", format=["svg", "pdf"]))


rule figure_1:
    input:
        scores=expand(
            f"{RESULTS}/scores/nas-bench-201/{{dataset}}/real-{{size}}-0/{{precision}}-pair-all.parquet",
            dataset=NAS_BENCH_201["datasets"],
            size=NAS_BENCH_201["batch_size"],
            precision=NAS_BENCH_201["precisions"][0],
        ),
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
