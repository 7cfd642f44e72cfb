import pandas as pd
from job import job

from epsinas.paper import drawing as figures

with job(snakemake):
    draw = getattr(figures, snakemake.params.kind)
    figures.save(draw(pd.read_csv(snakemake.input[0])), snakemake.output)
