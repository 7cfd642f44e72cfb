import json
from dataclasses import asdict
from pathlib import Path

from job import job

from epsinas.sources.retrieval import take

with job(snakemake):
    provenance = take(snakemake.input[0], snakemake.output.file)
    Path(snakemake.output.provenance).write_text(json.dumps(asdict(provenance), indent=1))
