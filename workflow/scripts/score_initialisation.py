import sys

import torch
from job import job
from tqdm import tqdm

from epsinas.batches import read_batch
from epsinas.initialisation import sample_networks, score_sample
from epsinas.schemas import INITIALISED, read_architectures, write_table
from epsinas.spaces import space

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    torch.set_num_threads(snakemake.threads)
    networks = read_architectures(snakemake.input.networks)
    networks = sample_networks(networks, params.stop, params.seed)[params.start :]
    with tqdm(total=len(networks), unit="network", file=sys.stderr, mininterval=10) as bar:
        scores = score_sample(
            space("nas-bench-201", **params.skeleton),
            networks,
            read_batch(snakemake.input.batch),
            wildcards.initialisation,
            params.seed,
            int(wildcards.draw),
            params.zeros,
            bar.update,
        )
    write_table(scores.assign(dataset=wildcards.dataset), snakemake.output[0], INITIALISED)
