import numpy as np
from job import job

from epsinas.networks import sample_table
from epsinas.schemas import write_architectures
from epsinas.spaces import space

with job(snakemake):
    params = snakemake.params
    drawn = sample_table(
        space(snakemake.wildcards.space, **params.skeleton), params.networks, np.random.default_rng(params.seed)
    )
    write_architectures(drawn, snakemake.output[0])
