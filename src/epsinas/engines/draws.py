"""Random batches of the workflow, from its files of images or text."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from epsinas.engines.images.batches import image_batch, synthetic_batch
from epsinas.engines.sequences.batches import TokenBatch, embedding, read_corpus, token_batch
from epsinas.files.images import read_images


def read_draws(
    path: str | Path,
    dataset: str,
    inputs: str,
    size: int,
    draws: Iterable[int],
    seed: int,
    steps: int | None = None,
) -> list[np.ndarray | TokenBatch]:
    """Make one batch for each draw; the generator of draw d is seeded with (seed, d).

    Args:
        path: `{dataset}.npz`, or a text (`.txt`).
        dataset: its name, for the normalisation of images.
        inputs: `real` or the kind of synthetic images (`epsinas.engines.images.batches.SYNTHETIC`); for a text, the kind of
            embedding (`epsinas.engines.sequences.batches.EMBEDDINGS`).
        size: images or sequences in a batch.
        draws: numbers of the draws. Draw d of a text takes the d-th `steps` rows of the columns of tokens, so that
            draw 0 is the published batch, and an embedding of its own.
        seed: of the study.
        steps: time steps of a text's batch.

    Returns:
        float32 (size, C, H, W) for images, `TokenBatch` for a text.

    Raises:
        InputError: a file is not as described, the kind of inputs is unknown, or there are too few images or tokens.
    """
    generators = [(draw, np.random.default_rng([seed, draw])) for draw in draws]
    if Path(path).suffix == ".txt":
        tokens, vocabulary = read_corpus(path)
        return [
            TokenBatch(token_batch(tokens, size, steps, draw * steps), embedding(inputs, len(vocabulary), rng))
            for draw, rng in generators
        ]
    images = read_images(path).images
    if inputs == "real":
        return [image_batch(images, dataset, size, rng) for _, rng in generators]
    _, height, width, channels = images.shape
    return [synthetic_batch(inputs, (size, channels, height, width), rng) for _, rng in generators]
