import pandas as pd
from job import job

from epsinas.files.tables import TRAINING, read_architectures, read_table, write_performance
from epsinas.training.fit import performance_table

with job(snakemake):
    outcomes = pd.concat([read_table(path, TRAINING) for path in snakemake.input.chunks])
    write_performance(
        performance_table(
            read_architectures(snakemake.input.networks), outcomes, snakemake.params.dataset, snakemake.params.epochs
        ),
        snakemake.output[0],
    )
