"""The spectrum of a network: its normalised outputs under several constant weights, entry by entry.

A single entry says next to nothing. Together they are features for a predictor (`epsinas.pages.few_labels`): the batch
is the same for all networks, so that an entry is how high one of the inputs comes among all, under one weight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from epsinas.metrics.base import CONSTANT_WEIGHTS, Metric, Scored
from epsinas.metrics.rounding import normalised

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject

ENTRIES = 32
"""Of the outputs under one weight."""


def spectrum_settings(weights: Sequence[float]) -> list[str]:
    """Return the settings of a spectrum under some weights: `weight,entry`.

    Example:
        >>> found = spectrum_settings([0.1, 1.0])
        >>> found[0], found[-1], len(found)
        ('0.1,0', '1.0,31', 64)
    """
    return [f"{float(weight)!r},{entry}" for weight in weights for entry in range(ENTRIES)]


def _score(subject: Subject, setting: str) -> Scored:
    """Return the entry of a setting: that of so many, spread evenly over the min-max normalised outputs (Eq. 1)."""
    weight, entry = setting.split(",")
    values = subject.once(_entries, float(weight))
    if values is None:
        return Scored(math.nan, reason="constant" if subject.connected else "disconnected")
    return Scored(float(values[int(entry)]))


def _entries(subject: Subject, weight: float) -> np.ndarray | None:
    found = normalised(subject.outputs(weight))
    return None if found is None else found.values[np.linspace(0, found.values.size - 1, ENTRIES).round().astype(int)]


def _settings(section: Mapping[str, Any]) -> list[str]:
    return spectrum_settings(section["few_labels"]["weights"])


def _columns(setting: str) -> dict[str, object]:
    weight, entry = setting.split(",")
    return {"weight": float(weight), "entry": int(entry)}


METRIC = Metric(
    name="spectrum",
    title="outputs under constant weights",
    reference="the outputs that Gracheva (2024), arXiv 2302.04406, compares, by themselves",
    score=_score,
    needs=(CONSTANT_WEIGHTS,),
    settings={"weights": _settings},
    work=lambda settings: len(settings) / ENTRIES / 2,
    columns=_columns,
)
