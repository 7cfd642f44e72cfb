import pandas as pd
from job import job

from epsinas.schemas import read_scores, write_csv
from epsinas.tables import rounding_table

with job(snakemake):
    scores = pd.concat([read_scores(path) for path in snakemake.input])
    write_csv(rounding_table(scores, snakemake.params.reference), snakemake.output[0])
