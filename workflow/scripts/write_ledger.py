import pandas as pd
from job import job

from epsinas.files.tables import write_csv
from epsinas.paper.ledger import ledger

with job(snakemake):
    tables = zip(snakemake.params.numbers, snakemake.input, strict=True)
    write_csv(ledger({number: pd.read_csv(path) for number, path in tables}), snakemake.output[0])
