"""How many different patterns a network's units have over a few images (sample-wise activation patterns)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from epsinas.metrics.activations import of_connected, relu_codes
from epsinas.metrics.base import RANDOM_WEIGHTS, Metric, Scored

if TYPE_CHECKING:
    import torch

    from epsinas.metrics.subject import Subject

IMAGES = 16
"""Images of the batch that are seen, as published. A network with many more than 2 ** 16 units has most patterns."""


def count_patterns(codes: torch.Tensor) -> int:
    """Count the different columns of codes, bool (N, units), N at most 62.

    Example:
        The second unit is positive where the first one is.

        >>> import torch
        >>> count_patterns(torch.tensor([[True, True, False], [False, False, True]]))
        2
    """
    bits = 2 ** np.arange(len(codes), dtype=np.int64)
    return len(np.unique(bits @ codes.cpu().numpy().astype(np.int64)))


def _score(subject: Subject, setting: str) -> Scored:
    """Score by the mean over as many initialisations N(0, 1) as the setting says: one, or the published 32.

    One is usual here because networks differ several times more than initialisations of a network do.
    """
    from epsinas.engines.initialisation import standard_normal

    fill = standard_normal(subject.generator())
    images = subject.tensor[:IMAGES]

    def mean(subject: Subject) -> float:
        return float(np.mean([count_patterns(relu_codes(subject.module(fill), images)) for _ in range(int(setting))]))

    return of_connected(mean)(subject, setting)


def _initialisations(count: int) -> Any:
    def settings(section: Mapping[str, Any]) -> tuple[str, ...]:
        return (str(count),)

    return settings


METRIC = Metric(
    name="swap",
    title="SWAP",
    reference="Peng et al. (2024), arXiv 2403.04161",
    score=_score,
    needs=(RANDOM_WEIGHTS,),
    families=("images",),
    settings={"one": _initialisations(1), "published": _initialisations(32)},
    work=lambda settings: sum(map(float, settings)),
    columns=lambda setting: {"initialisations": int(setting)},
)
