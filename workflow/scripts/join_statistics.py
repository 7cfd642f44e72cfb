import pandas as pd
from job import job

from epsinas.schemas import write_csv

with job(snakemake):
    write_csv(pd.concat([pd.read_csv(path) for path in snakemake.input]), snakemake.output[0])
