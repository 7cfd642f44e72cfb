# A benchmark of one's own: networks trained on labelled images.

TRAIN = config.get("train")

if TRAIN:

    ruleorder: choose_networks > gather_training > retrieve

    rule choose_networks:
        output:
            f"{RESULTS}/data/nas-bench-201.architectures.parquet",
        log:
            f"{LOGS}/train/choose_networks.log",
        benchmark:
            f"{BENCHMARKS}/train/choose_networks.tsv"
        conda:
            ENVIRONMENT
        params:
            networks=TRAIN["networks"],
            seed=config["seed"],
        script:
            "../scripts/choose_networks.py"

    if TRAIN["images"]:

        ruleorder: check_images > retrieve

        rule check_images:
            input:
                TRAIN["images"],
            output:
                file=f"{RESULTS}/data/{TRAIN['dataset']}.npz",
                provenance=f"{RESULTS}/provenance/{TRAIN['dataset']}.npz.json",
            log:
                f"{LOGS}/train/check_images.log",
            benchmark:
                f"{BENCHMARKS}/train/check_images.tsv"
            conda:
                ENVIRONMENT
            script:
                "../scripts/check_images.py"

    rule train_chunk:
        input:
            networks=f"{RESULTS}/data/nas-bench-201.architectures.parquet",
            images=f"{RESULTS}/data/{TRAIN['dataset']}.npz",
        output:
            f"{RESULTS}/training/{{chunk}}-of-{{chunks}}.parquet",
        log:
            f"{LOGS}/train/{{chunk}}-of-{{chunks}}.log",
        benchmark:
            f"{BENCHMARKS}/train/{{chunk}}-of-{{chunks}}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=1500,
        params:
            train=TRAIN,
            seed=config["seed"],
        script:
            "../scripts/train_chunk.py"

    rule gather_training:
        input:
            networks=f"{RESULTS}/data/nas-bench-201.architectures.parquet",
            chunks=expand(
                f"{RESULTS}/training/{{chunk}}-of-{{chunks}}.parquet",
                chunk=range(1, TRAIN["jobs"] + 1),
                chunks=TRAIN["jobs"],
            ),
        output:
            f"{RESULTS}/data/nas-bench-201.performance.parquet",
        log:
            f"{LOGS}/train/gather.log",
        benchmark:
            f"{BENCHMARKS}/train/gather.tsv"
        conda:
            ENVIRONMENT
        params:
            dataset=TRAIN["dataset"],
            epochs=TRAIN["recipe"]["epochs"],
        script:
            "../scripts/gather_training.py"

    rule embed_benchmark:
        input:
            networks=f"{RESULTS}/data/nas-bench-201.architectures.parquet",
            chunks=rules.gather_training.input.chunks,
        output:
            table=f"{RESULTS}/embedded/digits.parquet",
            record=f"{RESULTS}/embedded/digits.json",
        params:
            train=TRAIN,
            config=config,
            command=" ".join(sys.argv),
            folder=RESULTS,
        log:
            f"{LOGS}/train/embed.log",
        benchmark:
            f"{BENCHMARKS}/train/embed.tsv"
        conda:
            ENVIRONMENT
        script:
            "../scripts/embed_benchmark.py"
