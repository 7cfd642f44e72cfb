import pandas as pd
from job import job

from epsinas.batches import read_batch
from epsinas.networks import chunk, score_table
from epsinas.schemas import read_architectures, write_scores
from epsinas.spaces import space
from epsinas.weights import chosen_pair

with job(snakemake):
    wildcards = snakemake.wildcards
    subset = int(wildcards.networks.partition("-")[2] or 0) or None
    networks = chunk(read_architectures(snakemake.input.networks), subset, int(wildcards.chunk), int(wildcards.chunks))
    scores = score_table(
        space(wildcards.space, **snakemake.params.skeleton),
        networks,
        read_batch(snakemake.input.batch),
        snakemake.params.pairs or [chosen_pair(pd.read_csv(snakemake.input.weights))],
        wildcards.precision,
        snakemake.params.zeros,
    )
    write_scores(scores, snakemake.output[0])
