import pandas as pd
from job import job

from epsinas.schemas import write_csv
from epsinas.weights import compare_weights

with job(snakemake):
    weights = None if snakemake.params.weights == "auto" else snakemake.params.weights
    tables = [pd.read_csv(path) for path in snakemake.input]
    write_csv(compare_weights(dict(zip(snakemake.params.datasets, tables, strict=True)), weights), snakemake.output[0])
