# What the run used.


rule provenance:
    input:
        TARGETS,
    output:
        f"{RESULTS}/provenance.json",
    params:
        config=config,
        command=" ".join(sys.argv),
        folder=RESULTS,
    log:
        f"{LOGS}/provenance.log",
    conda:
        ENVIRONMENT
    script:
        "../scripts/write_provenance.py"
