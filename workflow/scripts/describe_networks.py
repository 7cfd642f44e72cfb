from job import job

from epsinas.files.tables import read_architectures, write_architectures
from epsinas.spaces import space
from epsinas.study.networks import describe

with job(snakemake):
    named = space(snakemake.wildcards.space, **snakemake.params.skeleton)
    write_architectures(describe(named, read_architectures(snakemake.input[0])), snakemake.output[0])
