import json
from dataclasses import asdict
from pathlib import Path

from job import job

from epsinas.sources.retrieval import retrieve

with job(snakemake):
    provenance = retrieve(
        snakemake.wildcards.file,
        snakemake.output.file,
        snakemake.params.mirror,
        snakemake.params.cache,
        snakemake.params.sha256,
    )
    Path(snakemake.output.provenance).write_text(json.dumps(asdict(provenance), indent=1))
