# What the metric depends on: weights, initialisation, inputs and batch size.


for name, space in (
    ("table5", "nas-bench-101"),
    ("table6", "nas-bench-201"),
    ("table7", "nas-bench-nlp"),
):
    weights = config.get(space, {}).get("ablations", {}).get("weights")
    if weights:
        repeated = weights.get("repeated")
        add_table(
            name,
            space,
            [
                run
                for dataset in DATASETS[space]
                for run in runs(
                    space,
                    dataset=dataset,
                    draws=(
                        config[space]["draws"]
                        if repeated is None or dataset in repeated
                        else 1
                    ),
                    grid="grid",
                    networks=weights["networks"],
                )
            ],
        )
        if "wide" in weights:
            wide = weights["wide"]
            add_table(
                "weights",
                space,
                runs(
                    dataset=wide["datasets"] or DATASETS[space],
                    precision=wide["precision"],
                    grid="wide",
                    networks=wide["networks"],
                ),
            )

for name, space, key in (
    ("table10", "nas-bench-nlp", "embeddings"),
    ("table11", "nas-bench-201", "inputs"),
):
    inputs = config.get(space, {}).get("ablations", {}).get(key)
    if inputs:
        add_table(
            name,
            space,
            [
                run
                for dataset in inputs["datasets"] or DATASETS[space]
                for kind in inputs["kinds"]
                for run in runs(
                    space,
                    dataset=dataset,
                    inputs=kind,
                    # Without randomness all batches are the same.
                    draws=1 if kind in DETERMINISTIC else config[space]["draws"],
                    networks=inputs["networks"],
                )
            ],
        )

BATCH_SIZE = NAS_BENCH_201["ablations"].get("batch_size")
if BATCH_SIZE:
    add_table(
        "figure4",
        "nas-bench-201",
        runs(
            size=BATCH_SIZE["sizes"],
            draws=BATCH_SIZE["draws"] or NAS_BENCH_201["draws"],
            networks=BATCH_SIZE["networks"],
        ),
    )


INITIALISATION = NAS_BENCH_201["ablations"].get("initialisation")
if INITIALISATION:
    TARGETS.append(f"{RESULTS}/tables/table9.csv")
    INITIALISED = f"{RESULTS}/initialisations/nas-bench-201/{{dataset}}/{{initialisation}}-{{size}}-{{draw}}"
    # A chunk does not depend on the size of the sample, which may grow without losing what was scored.
    SAMPLED = INITIALISATION["networks"] or networks_tried("nas-bench-201")
    PER_JOB = INITIALISATION["networks_per_job"]

    rule score_initialisation:
        input:
            networks=f"{RESULTS}/networks/nas-bench-201.parquet",
            images=f"{RESULTS}/data/{{dataset}}.npz",
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
            resamples=INITIALISATION["resamples"],
            seed=config["seed"],
            printed=config["ledger"],
        script:
            "../scripts/tabulate_initialisations.py"
