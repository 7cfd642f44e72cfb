import json
from pathlib import Path

from job import job

from epsinas.study.provenance import describe_run

with job(snakemake):
    record = describe_run(Path(snakemake.params.folder), snakemake.params.config, snakemake.params.command)
    Path(snakemake.output[0]).write_text(json.dumps(record, indent=1) + "\n")
