import pandas as pd
from job import job

from epsinas.files.tables import write_csv
from epsinas.paper.ledger import summarise

with job(snakemake):
    counts = summarise(pd.read_csv(snakemake.input.ledger))
    write_csv(counts, snakemake.output[0])

# After the block, so that it goes to the terminal and not to the log.
print(counts.to_string(index=False))
