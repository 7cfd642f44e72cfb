from job import job

from epsinas.schemas import read_performance, read_scores, write_csv
from epsinas.tables import evaluate_table

with job(snakemake):
    table = evaluate_table(
        read_scores(snakemake.input.scores), read_performance(snakemake.input.performance), **snakemake.params.rows
    )
    write_csv(table, snakemake.output[0])
