import numpy as np
from job import job

from epsinas.engines.draws import read_draws
from epsinas.files.tables import write_csv
from epsinas.spaces import space
from epsinas.weights import choose_weights

with job(snakemake):
    section, wildcards = snakemake.params.section, snakemake.wildcards
    (batch,) = read_draws(
        snakemake.input[0],
        wildcards.dataset,
        section.get("embedding", "real"),
        section["batch_size"],
        [0],
        snakemake.params.seed,
        section.get("steps"),
    )
    table = choose_weights(
        space(wildcards.space, **section["skeleton"]),
        batch,
        np.random.default_rng(snakemake.params.seed),
        precision=section["precisions"][0],
    )
    write_csv(table, snakemake.output[0])
