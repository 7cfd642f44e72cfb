from pathlib import Path

import pandas as pd
from job import job

from epsinas.files.tables import TRAINING, read_architectures, read_table
from epsinas.sources.embedded import embed
from epsinas.study.provenance import describe_run

with job(snakemake):
    outcomes = pd.concat([read_table(path, TRAINING) for path in snakemake.input.chunks])
    run = describe_run(Path(snakemake.params.folder), snakemake.params.config, snakemake.params.command)
    embed(
        Path(snakemake.output.table).parent,
        read_architectures(snakemake.input.networks),
        outcomes,
        snakemake.params.train,
        {key: run[key] for key in ("command", "versions", "machine", "seconds")},
    )
