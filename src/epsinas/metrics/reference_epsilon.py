"""Epsilon with something else in the place of a network's own outputs under one of the two weights.

What epsilon then still says about accuracy, those outputs had no part in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from epsinas.errors import InputError
from epsinas.metrics.base import CONSTANT_WEIGHTS, Metric, Scored
from epsinas.metrics.brightness import brightness
from epsinas.metrics.epsilon import epsilon, pair_setting, weights_of

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject

REFERENCES = ("without_convolutions", "brightness", "all_pooling", "all_skips", "deepest")
"""What is compared: under the low weight the outputs of the network without its convolutions, the mean entry of each
image, or the outputs of one network for all, with the network's own under the high weight; with the last, the network's
own under the low weight with those of the deepest network under the high one."""


def reference_settings(weights: tuple[float, float]) -> list[str]:
    """Return the settings for a pair of weights: `low,high,reference`.

    Example:
        >>> reference_settings((1e-7, 1.0))[1]
        '1e-07,1,brightness'
    """
    return [f"{pair_setting(weights)},{one}" for one in REFERENCES]


def _score(subject: Subject, setting: str) -> Scored:
    """Score by epsilon of the outputs that the setting names (see REFERENCES)."""
    pair, _, reference = setting.rpartition(",")
    low, high = weights_of(pair)
    if not subject.connected:
        return Scored(math.nan, reason="disconnected")
    if reference == "deepest":
        first, second = subject.outputs(low), _network(subject, reference).outputs(high)
    elif reference == "brightness":
        first, second = brightness(subject), subject.outputs(high)
    else:
        first, second = _network(subject, reference).outputs(low), subject.outputs(high)
    found = epsilon(np.asarray(first), np.asarray(second), zeros=subject.conditions.zeros)
    return Scored(found, reason="constant" if math.isnan(found) else "")


def _network(subject: Subject, reference: str) -> Subject:
    """Return the network that takes the place of another one."""
    found = getattr(subject.space, reference, None)
    if found is None:
        where = f"metric reference_epsilon: space {subject.space.name}"
        raise InputError(f"{where}: found no `{reference}`, expected an architecture, or a function of one")
    return subject.conditions.reference(found(subject.architecture) if callable(found) else found)


def _settings(section: Mapping[str, Any]) -> list[str]:
    return reference_settings(section["weights"])


def _columns(setting: str) -> dict[str, object]:
    pair, _, reference = setting.rpartition(",")
    low, high = weights_of(pair)
    return {"weight_low": low, "weight_high": high, "reference": reference}


METRIC = Metric(
    name="reference_epsilon",
    title="epsilon to a reference",
    reference="this project, of why epsilon works",
    score=_score,
    needs=(CONSTANT_WEIGHTS,),
    families=("images",),
    settings={"references": _settings},
    work=lambda settings: 2.0,
    columns=_columns,
)
