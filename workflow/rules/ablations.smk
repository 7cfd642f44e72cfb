# What the metric depends on: weights, initialisation, inputs and batch size.

ABLATIONS = NAS_BENCH_201["ablations"]
WEIGHTS = ABLATIONS.get("weights")
INITIALISATION = ABLATIONS.get("initialisation")
INPUTS = ABLATIONS.get("inputs")
BATCH_SIZE = ABLATIONS.get("batch_size")

# The runs behind every table of draws.
DRAWS = {}

if WEIGHTS:
    repeated = (
        NAS_BENCH_201["datasets"]
        if WEIGHTS["repeated"] is None
        else WEIGHTS["repeated"]
    )
    DRAWS["table6"] = [
        run
        for dataset in NAS_BENCH_201["datasets"]
        for run in runs(
            datasets=dataset,
            draw=range(NAS_BENCH_201["draws"] if dataset in repeated else 1),
            grid="grid",
            networks=WEIGHTS["networks"],
        )
    ]
    if "wide" in WEIGHTS:
        DRAWS["weights"] = runs(
            datasets=WEIGHTS["wide"]["datasets"] or NAS_BENCH_201["datasets"],
            precision=WEIGHTS["wide"]["precision"],
            grid="wide",
            networks=WEIGHTS["wide"]["networks"],
        )

if INPUTS:
    DRAWS["table11"] = [
        run
        for dataset in INPUTS["datasets"] or NAS_BENCH_201["datasets"]
        for kind in INPUTS["kinds"]
        for run in runs(
            datasets=dataset,
            inputs=kind,
            # A kind without randomness is the same in every draw.
            draw=range(1 if kind in DETERMINISTIC else NAS_BENCH_201["draws"]),
            networks=INPUTS["networks"],
        )
    ]

if DRAWS:
    TARGETS.extend(expand(f"{RESULTS}/tables/{{table}}.csv", table=DRAWS))

    rule tabulate_draws:
        input:
            scores=lambda wildcards: scores_of(DRAWS[wildcards.table]),
            performance=f"{RESULTS}/data/nas-bench-201.performance.parquet",
        output:
            table=f"{RESULTS}/tables/{{table}}.csv",
            draws=f"{RESULTS}/tables/{{table}}.draws.csv",
        log:
            f"{LOGS}/tables/{{table}}.log",
        benchmark:
            f"{BENCHMARKS}/tables/{{table}}.tsv"
        wildcard_constraints:
            table="|".join(DRAWS),
        conda:
            ENVIRONMENT
        params:
            rows=NAS_BENCH_201["performance"],
        script:
            "../scripts/tabulate_draws.py"


if INITIALISATION:
    TARGETS.append(f"{RESULTS}/tables/table9.csv")
    INITIALISED = f"{RESULTS}/initialisations/nas-bench-201/{{dataset}}/{{initialisation}}-{{size}}-{{draw}}"
    # A chunk does not depend on the size of the sample, which may grow without losing what was scored.
    SAMPLED = INITIALISATION["networks"] or networks_tried("nas-bench-201")
    PER_JOB = INITIALISATION["networks_per_job"]

    rule score_initialisation:
        input:
            networks=f"{RESULTS}/networks/nas-bench-201.parquet",
            batch=f"{RESULTS}/batches/{{dataset}}/real-{{size}}-{{draw}}.npy",
        output:
            f"{INITIALISED}/{{chunk}}-by-{{per_job}}.parquet",
        log:
            f"{LOGS}/initialisations/{{dataset}}/{{initialisation}}-{{size}}-{{draw}}/{{chunk}}-by-{{per_job}}.log",
        benchmark:
            f"{BENCHMARKS}/initialisations/{{dataset}}/{{initialisation}}-{{size}}-{{draw}}/{{chunk}}-by-{{per_job}}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=2000,
        params:
            skeleton=NAS_BENCH_201["skeleton"] | {"classes": INITIALISATION["classes"]},
            zeros=NAS_BENCH_201["zeros"],
            start=lambda wildcards: (int(wildcards.chunk) - 1) * PER_JOB,
            stop=lambda wildcards: min(int(wildcards.chunk) * PER_JOB, SAMPLED),
            seed=config["seed"],
        script:
            "../scripts/score_initialisation.py"

    rule table_9:
        input:
            scores=expand(
                f"{INITIALISED}/{{chunk}}-by-{{per_job}}.parquet",
                dataset=INITIALISATION["datasets"] or NAS_BENCH_201["datasets"],
                initialisation=INITIALISATION["names"],
                size=NAS_BENCH_201["batch_size"],
                draw=range(INITIALISATION["draws"]),
                chunk=range(1, math.ceil(SAMPLED / PER_JOB) + 1),
                per_job=PER_JOB,
            ),
            performance=f"{RESULTS}/data/nas-bench-201.performance.parquet",
        output:
            table=f"{RESULTS}/tables/table9.csv",
            draws=f"{RESULTS}/tables/table9.draws.csv",
        log:
            f"{LOGS}/tables/table9.log",
        benchmark:
            f"{BENCHMARKS}/tables/table9.tsv"
        conda:
            ENVIRONMENT
        params:
            rows=NAS_BENCH_201["performance"],
            printed=config["ledger"],
        script:
            "../scripts/tabulate_initialisations.py"


if BATCH_SIZE:
    TARGETS.append(f"{RESULTS}/tables/figure4.csv")
    # The study's own size is part of Table 1, if that has as many draws.
    SIZE_DRAWS = BATCH_SIZE["draws"] or NAS_BENCH_201["draws"]
    KNOWN_SIZES = (
        [NAS_BENCH_201["batch_size"]] if SIZE_DRAWS <= NAS_BENCH_201["draws"] else []
    )
    KNOWN_SIZES = [size for size in KNOWN_SIZES if size in BATCH_SIZE["sizes"]]
    SIZED = f"{RESULTS}/batch-sizes/nas-bench-201/{{dataset}}/{{size}}-{SIZE_DRAWS}"

    rule score_batch_size:
        input:
            networks=f"{RESULTS}/networks/nas-bench-201.parquet",
            images=f"{RESULTS}/data/{{dataset}}.npz",
            weights=chosen_weights,
        output:
            f"{SIZED}/{{chunk}}-of-{{chunks}}.parquet",
        log:
            f"{LOGS}/batch-sizes/{{dataset}}/{{size}}/{{chunk}}-of-{{chunks}}.log",
        benchmark:
            f"{BENCHMARKS}/batch-sizes/{{dataset}}/{{size}}/{{chunk}}-of-{{chunks}}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=2000,
        params:
            skeleton=NAS_BENCH_201["skeleton"],
            weights=NAS_BENCH_201["weights"],
            zeros=NAS_BENCH_201["zeros"],
            precision=NAS_BENCH_201["precisions"][0],
            draws=SIZE_DRAWS,
            networks=BATCH_SIZE["networks"],
            seed=config["seed"],
        script:
            "../scripts/score_batch_size.py"

    rule gather_batch_size:
        input:
            networks=f"{RESULTS}/networks/nas-bench-201.parquet",
            chunks=lambda wildcards: expand(
                f"{SIZED}/{{chunk}}-of-{{chunks}}.parquet",
                dataset=wildcards.dataset,
                size=wildcards.size,
                chunk=range(1, size_chunks(int(wildcards.size)) + 1),
                chunks=size_chunks(int(wildcards.size)),
            ),
        output:
            f"{SIZED}.parquet",
        log:
            f"{LOGS}/batch-sizes/{{dataset}}/{{size}}.log",
        benchmark:
            f"{BENCHMARKS}/batch-sizes/{{dataset}}/{{size}}.tsv"
        conda:
            ENVIRONMENT
        params:
            networks=BATCH_SIZE["networks"],
            precision=NAS_BENCH_201["precisions"][0],
        script:
            "../scripts/gather_batch_size.py"

    rule figure_4_table:
        input:
            scores=scores_of(
                runs(
                    size=KNOWN_SIZES,
                    draw=range(SIZE_DRAWS),
                    networks=BATCH_SIZE["networks"],
                )
            ),
            draws=expand(
                f"{SIZED}.parquet",
                dataset=NAS_BENCH_201["datasets"],
                size=[size for size in BATCH_SIZE["sizes"] if size not in KNOWN_SIZES],
            ),
            performance=f"{RESULTS}/data/nas-bench-201.performance.parquet",
        output:
            table=f"{RESULTS}/tables/figure4.csv",
            draws=f"{RESULTS}/tables/figure4.draws.csv",
        log:
            f"{LOGS}/tables/figure4.log",
        benchmark:
            f"{BENCHMARKS}/tables/figure4.tsv"
        conda:
            ENVIRONMENT
        params:
            rows=NAS_BENCH_201["performance"],
        script:
            "../scripts/tabulate_draws.py"
