import numpy as np
from job import job

from epsinas.batches import image_batch, synthetic_batch
from epsinas.schemas import atomic, read_images

with job(snakemake):
    images = read_images(snakemake.input[0]).images
    size, draw = int(snakemake.wildcards.size), int(snakemake.wildcards.draw)
    rng = np.random.default_rng([snakemake.params.seed, draw])
    if snakemake.wildcards.inputs == "real":
        batch = image_batch(images, snakemake.wildcards.dataset, size, rng)
    else:
        _, height, width, channels = images.shape
        batch = synthetic_batch(snakemake.wildcards.inputs, (size, channels, height, width), rng)
    with atomic(snakemake.output[0]) as temporary, open(temporary, "wb") as stream:
        np.save(stream, batch)
