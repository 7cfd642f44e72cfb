import numpy as np
import pandas as pd
from job import job

from epsinas.files.tables import INITIALISED, read_performance, read_table, write_csv
from epsinas.metrics.random_pair import evaluate_initialisations, initialisation_table

with job(snakemake):
    scores = pd.concat([read_table(path, INITIALISED) for path in snakemake.input.scores])
    params = snakemake.params
    draws = evaluate_initialisations(
        scores,
        read_performance(snakemake.input.performance),
        **params.rows,
        resamples=params.resamples,
        rng=np.random.default_rng(params.seed),
    )
    write_csv(initialisation_table(draws, params.printed), snakemake.output.table)
    write_csv(draws, snakemake.output.draws)
