# Input files, from a mirror or from their official addresses.


rule retrieve:
    output:
        file=f"{RESULTS}/data/{{file}}",
        provenance=f"{RESULTS}/provenance/{{file}}.json",
    log:
        f"{LOGS}/retrieve/{{file}}.log",
    benchmark:
        f"{BENCHMARKS}/retrieve/{{file}}.tsv"
    retries: 0
    conda:
        ENVIRONMENT
    params:
        mirror=config["mirror"],
        cache=config["cache"],
        sha256=lambda wildcards: config["sha256"].get(wildcards.file),
    script:
        "../scripts/retrieve.py"


# Spaces whose networks are a random sample rather than a benchmark's.
SAMPLED_SPACES = [
    name for name, section in config.items() if name in SPACES and section.get("sample")
]

if SAMPLED_SPACES:

    ruleorder: sample_networks > retrieve

    rule sample_networks:
        output:
            f"{RESULTS}/data/{{space}}.architectures.parquet",
        log:
            f"{LOGS}/retrieve/{{space}}.sample.log",
        benchmark:
            f"{BENCHMARKS}/retrieve/{{space}}.sample.tsv"
        wildcard_constraints:
            space="|".join(SAMPLED_SPACES),
        conda:
            ENVIRONMENT
        params:
            skeleton=lambda wildcards: config[wildcards.space]["skeleton"],
            networks=lambda wildcards: config[wildcards.space]["sample"],
            seed=config["seed"],
        script:
            "../scripts/sample_networks.py"
