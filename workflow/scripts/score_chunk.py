import sys

import pandas as pd
from job import job
from tqdm import tqdm

from epsinas.engines.draws import read_draws
from epsinas.files.tables import read_architectures, write_scores
from epsinas.spaces import space
from epsinas.study.networks import chunk, score_draws
from epsinas.weights import chosen_pair

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    section = params.section
    subset = int(wildcards.networks.partition("-")[2] or 0) or None
    networks = chunk(read_architectures(snakemake.input.networks), subset, int(wildcards.chunk), int(wildcards.chunks))
    batches = read_draws(
        snakemake.input.source,
        wildcards.dataset,
        wildcards.inputs,
        int(wildcards.size),
        range(int(wildcards.draws)),
        params.seed,
        section["steps"],
    )
    with tqdm(total=len(networks), unit="network", file=sys.stderr, mininterval=10) as bar:
        scores = score_draws(
            space(wildcards.space, **section["skeleton"]),
            networks,
            batches,
            params.pairs or [chosen_pair(pd.read_csv(snakemake.input.weights))],
            wildcards.precision,
            section["zeros"],
            bar.update,
        )
    write_scores(scores, snakemake.output[0])
