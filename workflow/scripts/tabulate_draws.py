import numpy as np
from job import job

from epsinas.evaluation.runs import evaluate_draws
from epsinas.files.tables import read_performance, read_scores, write_csv
from epsinas.paper.ledger import with_published_shares

with job(snakemake):
    params = snakemake.params
    table, draws = evaluate_draws(
        [read_scores(path) for path in snakemake.input.scores],
        read_performance(snakemake.input.performance),
        **params.rows,
        resamples=params.resamples,
        rng=np.random.default_rng(params.seed),
    )
    if params.shares:
        table = with_published_shares(table, params.shares)
    write_csv(table, snakemake.output.table)
    write_csv(draws, snakemake.output.draws)
