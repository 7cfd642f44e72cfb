import pandas as pd
from job import job

from epsinas.files.tables import write_csv
from epsinas.weights import compare_weights

with job(snakemake):
    choices = zip(snakemake.params.choices, snakemake.input, strict=True)
    rows = [
        compare_weights(space, dataset, pd.read_csv(path), None if used == "auto" else used)
        for (space, dataset, used), path in choices
    ]
    write_csv(pd.DataFrame(rows), snakemake.output[0])
