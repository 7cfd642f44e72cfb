import sys

import numpy as np
from job import job
from tqdm import tqdm

from epsinas.files.images import read_images
from epsinas.files.tables import TRAINING, read_architectures, write_table
from epsinas.spaces import space
from epsinas.training.fit import Recipe, prepare, split, train_networks

with job(snakemake):
    train = snakemake.params.train
    number, total = int(snakemake.wildcards.chunk), int(snakemake.wildcards.chunks)
    networks = read_architectures(snakemake.input.networks).query("index == trained")[number - 1 :: total]
    images = read_images(snakemake.input.images)
    positions = split(images.labels, **train["split"], rng=np.random.default_rng(snakemake.params.seed))
    with tqdm(total=len(networks) * len(train["seeds"]), unit="training", file=sys.stderr, mininterval=10) as bar:
        outcomes = train_networks(
            space("nas-bench-201", **train["skeleton"]),
            networks,
            prepare(images.images, images.labels, positions),
            Recipe(**train["recipe"]),
            train["seeds"],
            bar.update,
        )
    write_table(outcomes, snakemake.output[0], TRAINING)
