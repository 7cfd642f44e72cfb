import sys

import torch
from job import job
from tqdm import tqdm

from epsinas.engines.draws import read_draws
from epsinas.engines.images.full_width import keep_freed_memory
from epsinas.files.tables import INITIALISED, read_architectures, write_table
from epsinas.metrics.random_pair import sample_networks, score_sample
from epsinas.spaces import space

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    torch.set_num_threads(snakemake.threads)
    keep_freed_memory()
    networks = read_architectures(snakemake.input.networks)
    networks = sample_networks(networks, params.stop, params.seed)[params.start :]
    (batch,) = read_draws(
        snakemake.input.images, wildcards.dataset, "real", int(wildcards.size), [int(wildcards.draw)], params.seed
    )
    with tqdm(total=len(networks), unit="network", file=sys.stderr, mininterval=10) as bar:
        scores = score_sample(
            space("nas-bench-201", **params.skeleton),
            networks,
            batch,
            wildcards.initialisation,
            params.seed,
            int(wildcards.draw),
            params.zeros,
            bar.update,
        )
    write_table(scores.assign(dataset=wildcards.dataset), snakemake.output[0], INITIALISED)
