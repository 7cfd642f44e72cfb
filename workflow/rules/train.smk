# A benchmark of one's own: networks trained on labelled images.

if STUDY.train:
    TRAIN = STUDY.train
    TRAINED = f"{RESULTS}/data/{TRAIN['space']}"
    IMAGES = f"{RESULTS}/data/{TRAIN['dataset']}.npz"
    OUTCOMES = f"{RESULTS}/training/{{chunk}}-of-{{chunks}}.parquet"

    localrules:
        choose_networks,
        gather_training,

    ruleorder: choose_networks > gather_training > retrieve

    rule choose_networks:
        output:
            f"{TRAINED}.architectures.parquet",
        log:
            f"{LOGS}/choose_networks.log",
        benchmark:
            f"{TIMES}/train/choose_networks.tsv"
        conda:
            ENVIRONMENT
        params:
            space=TRAIN["space"],
            networks=TRAIN["networks"],
            seed=STUDY.seed,
        script:
            STAGE

    if TRAIN["images"]:

        localrules:
            check_images,

        ruleorder: check_images > retrieve

        rule check_images:
            input:
                TRAIN["images"],
            output:
                file=IMAGES,
                provenance=f"{RESULTS}/provenance/{TRAIN['dataset']}.npz.json",
            log:
                f"{LOGS}/check_images.log",
            benchmark:
                f"{TIMES}/train/check_images.tsv"
            conda:
                ENVIRONMENT
            script:
                STAGE

    rule train_chunk:
        input:
            networks=f"{TRAINED}.architectures.parquet",
            images=IMAGES,
        output:
            OUTCOMES,
        log:
            f"{LOGS}/train_chunk/{{chunk}}-of-{{chunks}}.log",
        benchmark:
            f"{TIMES}/train/{{chunk}}-of-{{chunks}}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, attempt: attempt * 1500,
        params:
            train=TRAIN,
            seed=STUDY.seed,
        script:
            STAGE

    rule gather_training:
        input:
            networks=f"{TRAINED}.architectures.parquet",
            chunks=expand(
                OUTCOMES,
                chunk=range(1, TRAIN["jobs"] + 1),
                chunks=TRAIN["jobs"],
            ),
        output:
            f"{TRAINED}.performance.parquet",
        log:
            f"{LOGS}/gather_training.log",
        benchmark:
            f"{TIMES}/train/gather_training.tsv"
        conda:
            ENVIRONMENT
        params:
            dataset=TRAIN["dataset"],
            epochs=TRAIN["schedule"]["epochs"],
        script:
            STAGE
