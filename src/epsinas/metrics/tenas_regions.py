"""Into how many linear regions a thin network divides small pieces of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epsinas.metrics.activations import of_connected, relu_codes
from epsinas.metrics.base import RANDOM_WEIGHTS, Metric
from epsinas.metrics.thin import thin

if TYPE_CHECKING:
    import torch

    from epsinas.metrics.subject import Subject

PIECES = 3_000
"""Pieces of images, as published: three batches of 1,000."""

INITIALISATIONS = 3
"""Whose mean the score is, since a thin network's regions depend on its few weights."""

SIDE = 4
"""Of a piece, in pixels: the published 3 cannot be halved twice."""


def count_regions(codes: torch.Tensor) -> int:
    """Count the different codes of images, bool (N, units): sum over images of 1 / (images that have its code).

    Example:
        >>> import torch
        >>> count_regions(torch.tensor([[True, False], [True, True], [True, False]]))
        2
    """
    return len(np.unique(np.packbits(codes.cpu().numpy(), axis=1), axis=0))


def _score(subject: Subject) -> float:
    """Score a network of one cell a stage, as thin as can be, by the mean over three initialisations, Kaiming's normal.

    Pieces are single channels of random squares of the batch's images, and may share regions. Whole images on a network
    of full width all have regions of their own: every network would have the batch's size as its score.
    """
    import torch

    from epsinas.engines.initialisation import kaiming_normal

    generator = subject.generator()
    images = subject.tensor.flatten(0, 1)
    # Of every channel all squares, of which some are drawn: (channels, rows, columns, SIDE, SIDE).
    squares = images.unfold(1, SIDE, 1).unfold(2, SIDE, 1)
    places = [torch.randint(size, (PIECES,), generator=generator) for size in squares.shape[:3]]
    pieces = squares[tuple(places)][:, None]
    space, fill = thin(subject.space, 1), kaiming_normal(generator)
    networks = (subject.module_of(space, (1, SIDE, SIDE), fill) for _ in range(INITIALISATIONS))
    return float(np.mean([count_regions(relu_codes(network, pieces)) for network in networks]))


METRIC = Metric(
    name="tenas_regions",
    title="TE-NAS, linear regions",
    reference="Chen et al. (2021), arXiv 2102.11535, Section 3.1.2",
    score=of_connected(_score),
    needs=(RANDOM_WEIGHTS,),
    families=("images",),
)
