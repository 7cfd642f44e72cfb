import pandas as pd
from job import job

from epsinas.initialisation import evaluate_initialisations, initialisation_table
from epsinas.schemas import INITIALISED, read_performance, read_table, write_csv

with job(snakemake):
    scores = pd.concat([read_table(path, INITIALISED) for path in snakemake.input.scores])
    draws = evaluate_initialisations(scores, read_performance(snakemake.input.performance), **snakemake.params.rows)
    write_csv(initialisation_table(draws, snakemake.params.printed), snakemake.output.table)
    write_csv(draws, snakemake.output.draws)
