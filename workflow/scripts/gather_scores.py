import pandas as pd
from job import job

from epsinas.files.tables import read_architectures, read_scores, write_scores
from epsinas.study.networks import gather

with job(snakemake):
    wildcards = snakemake.wildcards
    subset = int(wildcards.networks.partition("-")[2] or 0) or None
    scores = gather(
        read_architectures(snakemake.input.networks),
        subset,
        int(wildcards.draws),
        pd.concat([read_scores(path) for path in snakemake.input.chunks]),
    )
    scores = scores.assign(
        space=wildcards.space,
        dataset=wildcards.dataset,
        inputs=wildcards.inputs,
        batch_size=int(wildcards.size),
        precision=wildcards.precision,
    )
    write_scores(scores, snakemake.output[0])
