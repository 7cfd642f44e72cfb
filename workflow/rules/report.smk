# What the run used.


rule provenance:
    input:
        TARGETS,
    output:
        f"{RESULTS}/provenance.json",
    log:
        f"{LOGS}/provenance.log",
    conda:
        ENVIRONMENT
    params:
        config=config,
        command=" ".join(sys.argv),
        folder=RESULTS,
    script:
        "../scripts/write_provenance.py"
