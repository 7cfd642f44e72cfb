# A benchmark of one's own: networks trained on labelled images.

if TRAIN:
    TRAINED_FILES = ["nas-bench-201.architectures.parquet", "nas-bench-201.performance.parquet"]

    ruleorder: choose_networks > gather_training > retrieve

    rule choose_networks:
        output:
            f"{RESULTS}/data/nas-bench-201.architectures.parquet",
        params:
            networks=TRAIN["networks"],
            seed=config["seed"],
        log:
            f"{LOGS}/train/choose_networks.log",
        benchmark:
            f"{BENCHMARKS}/train/choose_networks.tsv"
        conda:
            ENVIRONMENT
        script:
            "../scripts/choose_networks.py"

    rule train_chunk:
        input:
            networks=f"{RESULTS}/data/nas-bench-201.architectures.parquet",
            images=f"{RESULTS}/data/{TRAIN['dataset']}.npz",
        output:
            f"{RESULTS}/training/{{chunk}}-of-{{chunks}}.parquet",
        params:
            train=TRAIN,
            seed=config["seed"],
        threads: 1
        resources:
            mem_mb=1500,
        log:
            f"{LOGS}/train/{{chunk}}-of-{{chunks}}.log",
        benchmark:
            f"{BENCHMARKS}/train/{{chunk}}-of-{{chunks}}.tsv"
        conda:
            ENVIRONMENT
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
        params:
            dataset=TRAIN["dataset"],
            epochs=TRAIN["recipe"]["epochs"],
        log:
            f"{LOGS}/train/gather.log",
        benchmark:
            f"{BENCHMARKS}/train/gather.tsv"
        conda:
            ENVIRONMENT
        script:
            "../scripts/gather_training.py"
