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
