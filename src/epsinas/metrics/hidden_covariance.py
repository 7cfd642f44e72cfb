"""How differently a recurrent network's hidden states run for the sequences of a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from epsinas.engines.watching import watched_pass
from epsinas.errors import InputError
from epsinas.metrics.activations import of_connected
from epsinas.metrics.base import RANDOM_WEIGHTS, Metric, Scored
from epsinas.metrics.gradients import check_several
from epsinas.metrics.jacob_cov import spread_of_eigenvalues

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def sequence_spread(states: np.ndarray) -> float:
    """Return -sum over eigenvalues v of log(v + 1e-5) + 1 / (v + 1e-5), of the correlation of sequences.

    The largest value, minus the number of sequences, is that of sequences without correlation. It is the formula of the
    Jacobian covariance (Mellor et al. 2020) for hidden states.

    Args:
        states: (sequences, values).

    Returns:
        Minus infinity where a sequence has the same value throughout, infinity where values are not finite.

    Example:
        >>> sequence_spread(np.array([[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]])).__round__(6)
        -2.0
    """
    if not np.isfinite(states).all():
        return math.inf
    if not np.ptp(states, axis=1).all():
        return -math.inf
    return spread_of_eigenvalues(states.astype(np.float64))


def _score(subject: Subject, setting: str) -> Scored:
    """Score the layer of the setting's number, from 1; its first hidden state after every time step counts."""
    states = subject.once(_hidden_states)
    layer = int(setting)
    if layer > len(states):
        raise InputError(f"layer: found {layer}, expected at most {len(states)}")
    check_several("hidden_covariance", len(states[layer - 1]))
    return of_connected(lambda subject: sequence_spread(states[layer - 1]))(subject, setting)


def _hidden_states(subject: Subject) -> list[np.ndarray]:
    """Return the hidden states of each layer, (sequences, time * units), with torch's own random weights."""
    import torch

    found: list[np.ndarray] = []

    def watch(operation: str, arguments: tuple[Any, ...], output: Any) -> None:
        if operation == "recurrent":
            found.append(output.movedim(1, 0).flatten(1).cpu().numpy())

    with torch.no_grad():
        watched_pass(subject.network, subject.tensor, watch)
    return found


def _first(section: Mapping[str, Any]) -> tuple[str, ...]:
    return ("1",)


def _layers(section: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(layer + 1) for layer in range(section.get("skeleton", {}).get("layers", 3)))


METRIC = Metric(
    name="hidden_covariance",
    title="hidden covariance",
    reference="Serianni and Kalita (2023), arXiv 2306.00288",
    score=_score,
    needs=(RANDOM_WEIGHTS,),
    families=("sequences",),
    settings={"one": _first, "layers": _layers},
    columns=lambda setting: {"layer": int(setting)},
)
