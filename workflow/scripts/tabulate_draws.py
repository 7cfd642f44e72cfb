import numpy as np
from job import job

from epsinas.schemas import read_performance, read_scores, write_csv
from epsinas.tables import evaluate_draws

with job(snakemake):
    params = snakemake.params
    table, draws = evaluate_draws(
        [read_scores(path) for path in snakemake.input.scores],
        read_performance(snakemake.input.performance),
        **params.rows,
        resamples=params.resamples,
        rng=np.random.default_rng(params.seed),
    )
    write_csv(table, snakemake.output.table)
    write_csv(draws, snakemake.output.draws)
