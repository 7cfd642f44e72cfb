"""The metric between two random initialisations rather than two constant weights (Section 3.2, Table 9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from epsinas.metrics.base import RANDOM_WEIGHTS, Metric, Scored
from epsinas.metrics.epsilon import epsilon

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def _score(subject: Subject, setting: str) -> Scored:
    """Score a full-width network by two random initialisations of the name that the setting is.

    The second network continues the first one's stream of random numbers, as in the released notebooks.
    """
    import torch

    from epsinas.engines.images.initialisers import random

    fill = random(setting, subject.generator())
    with torch.no_grad():
        first, second = [subject.module(fill)(subject.tensor).cpu().numpy() for _ in range(2)]
    found = epsilon(first, second, subject.conditions.zeros)
    return Scored(found, reason=_reason(subject, [first, second]) if found != found else "")


def _reason(subject: Subject, outputs: list[Any]) -> str:
    import numpy as np

    if not subject.connected:
        return "disconnected"
    return "constant" if all(np.isfinite(output).all() for output in outputs) else "overflow"


def _initialisations(section: Mapping[str, Any]) -> list[str]:
    return section["ablations"]["initialisation"]["names"]


METRIC = Metric(
    name="random_pair",
    title="epsilon of two random initialisations",
    reference="Gracheva (2024), arXiv 2302.04406, Section 3.2",
    score=_score,
    needs=(RANDOM_WEIGHTS,),
    cost="seconds",
    settings={"initialisations": _initialisations},
    columns=lambda setting: {"initialisation": setting},
    skeleton=lambda section: {"classes": section["ablations"]["initialisation"]["classes"]},
)
