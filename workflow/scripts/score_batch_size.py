import sys

import numpy as np
import pandas as pd
from job import job
from tqdm import tqdm

from epsinas.batches import image_batch
from epsinas.networks import chunk, score_draws
from epsinas.schemas import SCORES_OF_DRAWS, read_architectures, read_images, write_table
from epsinas.spaces import space
from epsinas.weights import chosen_pair

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    networks = chunk(
        read_architectures(snakemake.input.networks), params.networks, int(wildcards.chunk), int(wildcards.chunks)
    )
    images = read_images(snakemake.input.images).images
    batches = [
        image_batch(images, wildcards.dataset, int(wildcards.size), np.random.default_rng([params.seed, draw]))
        for draw in range(params.draws)
    ]
    with tqdm(total=len(networks), unit="network", file=sys.stderr, mininterval=10) as bar:
        scores = score_draws(
            space("nas-bench-201", **params.skeleton),
            networks,
            batches,
            chosen_pair(pd.read_csv(snakemake.input.weights)) if params.weights == "auto" else params.weights,
            params.precision,
            params.zeros,
            bar.update,
        )
    write_table(scores, snakemake.output[0], SCORES_OF_DRAWS)
