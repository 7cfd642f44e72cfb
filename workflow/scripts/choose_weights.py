import numpy as np
from job import job

from epsinas.batches import read_batch
from epsinas.schemas import write_csv
from epsinas.spaces import space
from epsinas.weights import choose_weights

with job(snakemake):
    table = choose_weights(
        space(snakemake.wildcards.space, **snakemake.params.skeleton),
        read_batch(snakemake.input[0]),
        np.random.default_rng(snakemake.params.seed),
        precision=snakemake.params.precision,
    )
    write_csv(table, snakemake.output[0])
