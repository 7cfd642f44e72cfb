import pandas as pd
from job import job

from epsinas.evaluation.runs import rounding_table
from epsinas.files.tables import read_scores, write_csv

with job(snakemake):
    scores = pd.concat([read_scores(path) for path in snakemake.input])
    write_csv(rounding_table(scores, snakemake.params.reference), snakemake.output[0])
