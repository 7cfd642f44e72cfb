"""Do what the rule says: see the function of its name in epsinas.stages."""

from epsinas import stages

stages.run(snakemake)
