# Input files, from a mirror or from their official addresses.


# Compute nodes often have no way to the network.
localrules:
    retrieve,
    sample_networks,


rule retrieve:
    output:
        file=f"{RESULTS}/data/{{file}}",
        provenance=f"{RESULTS}/provenance/{{file}}.json",
    log:
        f"{LOGS}/retrieve/{{file}}.log",
    benchmark:
        f"{TIMES}/retrieve/{{file}}.tsv"
    # First of all, so that what is missing is known before anything is computed.
    priority: 1
    retries: 0
    conda:
        ENVIRONMENT
    resources:
        # Of the largest official file, NAS-Bench-201's, 5 GB.
        mem_mb=2500,
    params:
        mirror=config["mirror"],
        cache=config["cache"],
        sha256=lambda wildcards: config["sha256"].get(wildcards.file),
    script:
        STAGE


ruleorder: sample_networks > retrieve


rule sample_networks:
    output:
        f"{RESULTS}/data/{{space}}.architectures.parquet",
    log:
        f"{LOGS}/sample_networks/{{space}}.log",
    benchmark:
        f"{TIMES}/sample_networks/{{space}}.tsv"
    wildcard_constraints:
        # Spaces whose networks are a random sample rather than a benchmark's.
        space=either(
            name for name, section in STUDY.sections.items() if section["sample"]
        ),
    conda:
        ENVIRONMENT
    params:
        skeleton=lambda wildcards: STUDY.sections[wildcards.space]["skeleton"],
        networks=lambda wildcards: STUDY.sections[wildcards.space]["sample"],
        seed=STUDY.seed,
    script:
        STAGE
