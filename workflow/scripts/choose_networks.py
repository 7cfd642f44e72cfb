from job import job

from epsinas.files.tables import write_architectures
from epsinas.spaces import space
from epsinas.training.fit import choose

with job(snakemake):
    write_architectures(
        choose(space("nas-bench-201"), snakemake.params.networks, snakemake.params.seed), snakemake.output[0]
    )
