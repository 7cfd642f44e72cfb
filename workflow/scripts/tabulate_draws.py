from job import job

from epsinas.schemas import SCORES_OF_DRAWS, read_performance, read_scores, read_table, write_csv
from epsinas.tables import evaluate_draws

with job(snakemake):
    runs = [read_scores(path) for path in snakemake.input.scores]
    runs += [read_table(path, SCORES_OF_DRAWS) for path in snakemake.input.get("draws", [])]
    table, draws = evaluate_draws(runs, read_performance(snakemake.input.performance), **snakemake.params.rows)
    write_csv(table, snakemake.output.table)
    write_csv(draws, snakemake.output.draws)
