import pandas as pd
from job import job

from epsinas.networks import gather
from epsinas.schemas import SCORES_OF_DRAWS, read_architectures, read_table, write_table

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    chunks = pd.concat([read_table(path, SCORES_OF_DRAWS) for path in snakemake.input.chunks])
    scores = gather(read_architectures(snakemake.input.networks), params.networks, chunks)
    scores = scores.assign(
        dataset=wildcards.dataset, inputs="real", batch_size=int(wildcards.size), precision=params.precision
    )
    write_table(scores, snakemake.output[0], SCORES_OF_DRAWS)
