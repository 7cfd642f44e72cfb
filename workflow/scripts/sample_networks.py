import numpy as np
from job import job

from epsinas.files.tables import write_architectures
from epsinas.spaces import space
from epsinas.study.networks import sample_table

with job(snakemake):
    params = snakemake.params
    drawn = sample_table(
        space(snakemake.wildcards.space, **params.skeleton), params.networks, np.random.default_rng(params.seed)
    )
    write_architectures(drawn, snakemake.output[0])
