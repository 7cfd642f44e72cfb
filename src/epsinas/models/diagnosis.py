"""The score of a torch model of one's own, why there is none, and how far rounding matters."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from epsinas.errors import InputError
from epsinas.metrics.base import Metric, find_metric
from epsinas.metrics.epsilon import check_weights, epsilon
from epsinas.metrics.normalisation import check_zeros, compare, normalise
from epsinas.metrics.rounding import ROUNDINGS
from epsinas.models.calls import distinct_outputs
from epsinas.models.running import Pass, Signal, Tally, run
from epsinas.models.subject import score_model

WEIGHTS = (1e-3, 1.0)
"""The two constant weights where none are given."""

DOUBTFUL = 0.01
"""`score` warns where rounding makes more than this of a score."""

_EXPLANATIONS = {
    "LayerNorm": "layer normalisation over equal channels gives exactly 0",
    "RMSNorm": "root mean square normalisation over equal channels gives their sign",
    "GroupNorm": "group normalisation of small images over equal channels leaves little",
    "Softmax": "the softmax of equal logits is the same for all samples",
    "Embedding": "all embeddings are equal under constant weights, so that tokens are not told apart",
}


@dataclass
class Diagnosis:
    """What `diagnose` finds of a model under two constant weights.

    Attributes:
        score: the epsilon metric, NaN where there is none.
        reason: one line why there is no score; empty where there is one.
        error: estimate of the score's relative error by rounding; NaN where there is no score.
        weights: (low, high).
        engine: that computed the outputs, `lumped` or `full-width`.
        layer: the first layer from which on the signal is lost, by name; empty where it is not.
        roles: of each parameter: `weight`, `zero` or `kept`.
        notes: further lines: what else may make the score another than expected.
        signals: under each weight, what each layer gave, in the order in which they ended.
        operations: by name, how often they ran lumped and at full width, and seconds, under both weights.
        seconds: that the outputs took.
    """

    score: float
    reason: str
    error: float
    weights: tuple[float, float]
    engine: str
    layer: str = ""
    roles: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    signals: dict[float, list[Signal]] = field(default_factory=dict)
    operations: dict[str, Tally] = field(default_factory=dict)
    seconds: float = 0.0

    def __str__(self) -> str:
        """Print the report."""
        low, high = self.weights
        first = f"score {self.score:.6g}" if not self.reason else f"no score: {self.reason}"
        lines = [f"{first} (weights {low:g} and {high:g}, {self.engine}, {self.seconds:.2f} s)"]
        if not self.reason:
            lines.append(f"rounding makes about {100 * self.error:.2g} % of it")
        lines += [f"note: {note}" for note in self.notes]
        for role, what in (("weight", "set to the weight"), ("zero", "set to zero"), ("kept", "left as they are")):
            names = [name for name, found in self.roles.items() if found == role]
            if names:
                more = f" and {len(names) - 6} more" if len(names) > 6 else ""
                lines.append(f"{len(names)} parameters {what}: {', '.join(names[:6])}{more}")
        for weight, signals in self.signals.items():
            changes = [
                one
                for before, one in zip([None, *signals], signals, strict=False)
                if before is None or before.state != one.state
            ]
            shown = ", ".join(f"{one.layer} ({one.kind}) {one.state}" for one in changes[:8])
            lines.append(f"signal under {weight:g}: {shown}{', ...' if len(changes) > 8 else ''}")
        if self.operations:
            lines.append(f"{'operation':32} {'lumped':>8} {'full width':>11} {'ms':>9}")
            slowest = sorted(self.operations.items(), key=lambda item: -item[1].seconds)
            for name, one in slowest:
                lines.append(f"{name:32} {one.lumped:8} {one.full_width:11} {1e3 * one.seconds:9.1f}")
        return "\n".join(lines)


def score(
    model: nn.Module,
    batch: Any,
    weights: tuple[float, float] = WEIGHTS,
    zeros: str = "masked",
    *,
    engine: str = "lumped",
    roles: Mapping[str, str] | None = None,
    metric: str | Metric = "epsilon",
    labels: Any = None,
    seed: int = 0,
) -> float:
    """Score any torch module by the epsilon metric (Gracheva 2024, Section 2, Equations 1 to 4), or by another one.

    For epsilon, every weight is set to a constant, biases to 0; most other metrics are of the weights that the module
    has. Batch normalisation uses the statistics of the batch; everything else, such as dropout, is in evaluation mode.
    The module, its hooks and state, the batch and torch's random numbers
    are not touched, also after an error. Warns in one line where there is no score, and why; where rounding makes more
    than 1 % of it; and where something in the model may make it another than expected.

    Args:
        model: any module.
        batch: what it takes: a tensor or array; a tuple or list of positional arguments; a dict of arguments by name.
            Other metrics than epsilon are for one tensor.
        weights: (low, high), positive; of epsilon only.
        zeros: see `epsinas.epsilon`.
        engine: `lumped` computes equal channels once; `full-width` runs the module as it is, which is the reference.
        roles: `weight`, `zero` or `keep` for parameters by name or pattern, where names mislead; of epsilon only.
        metric: a name, see docs/models.md for those that any module has; `package.module:function` (see
            `epsinas.metrics.base.find_metric`); or a metric.
        labels: integers (N,), one for each sample, for metrics that need them; the output is then (N, classes).
        seed: of what metrics draw.

    Returns:
        The score, NaN where there is none: for epsilon, where the outputs are constant or not finite.

    Raises:
        InputError: bad weights, a batch that is not finite, a model without weights to set, or outputs that are no
            tensor; a metric that is unknown, not for any module, or lacks labels.

    Example:
        >>> import torch
        >>> class Residual(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.layers = torch.nn.Sequential(
        ...             torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.BatchNorm2d(3), torch.nn.ReLU()
        ...         )
        ...     def forward(self, x):
        ...         return (x + self.layers(x)).flatten(1)
        >>> batch = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> round(score(Residual(), batch, weights=(1e-3, 1.0)), 3)
        0.661
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2, bias=False))
        >>> score(model, batch, metric="parameters")
        384.0
        >>> round(score(model, batch, metric="expected_synflow"), 3)  # log(1 + 384 / (2 sqrt 192))
        2.698
    """
    metric = find_metric(metric) if isinstance(metric, str) else metric
    if metric.name != "epsilon":
        for name, given in (("weights", weights is not WEIGHTS), ("roles", roles is not None)):
            if given:
                raise InputError(f"{name}: found some, expected none for the metric {metric.name}")
        return score_model(metric, model, batch, labels, seed, engine)
    found = _diagnosed(model, batch, weights, zeros, engine, roles, signals=False)
    if found.reason:
        # Only now is it worth looking at every layer.
        found = _diagnosed(model, batch, weights, zeros, engine, roles, signals=True)
    if found.reason:
        warnings.warn(f"no score: {found.reason}", stacklevel=2)
    elif found.error >= 1:
        why = "is made of rounding: the outputs have the same shape under both weights"
        warnings.warn(f"score: {found.score:.3g} {why}", stacklevel=2)
    elif found.error > DOUBTFUL:
        warnings.warn(
            f"score: rounding makes about {100 * found.error:.2g} % of {found.score:.3g}",
            stacklevel=2,
        )
    for note in found.notes:
        warnings.warn(note, stacklevel=2)
    return found.score


def diagnose(
    model: nn.Module,
    batch: Any,
    weights: tuple[float, float] = WEIGHTS,
    zeros: str = "masked",
    *,
    engine: str = "lumped",
    roles: Mapping[str, str] | None = None,
) -> Diagnosis:
    """Say how a model's score comes about, or why it has none.

    Args:
        model: as for `score`, and the other arguments too.

    Returns:
        The diagnosis; printed, it is a report.

    Raises:
        InputError: as `score`.

    Example:
        >>> import torch
        >>> layers = torch.nn.Linear(4, 4), torch.nn.LayerNorm(4)
        >>> found = diagnose(torch.nn.Sequential(*layers), torch.arange(8.0).reshape(2, 4))
        >>> found.layer, found.reason.partition(";")[0]
        ('1', 'under 0.001 the outputs are 0 for all samples from layer 1 (LayerNorm) on')
    """
    return _diagnosed(model, batch, weights, zeros, engine, roles, signals=True)


def _diagnosed(
    model: nn.Module,
    batch: Any,
    weights: tuple[float, float],
    zeros: str,
    engine: str,
    roles: Mapping[str, str] | None,
    signals: bool,
) -> Diagnosis:
    check_weights(weights)
    check_zeros(zeros)
    runs = [run(model, batch, weight, engine, roles, signals=signals) for weight in weights]
    outputs = _compared(runs)
    vectors = [normalise(one) for one in outputs]
    value, error, reason, layer = math.nan, math.nan, "", ""
    for weight, one, vector in zip(weights, runs, vectors, strict=True):
        if vector is None:
            reason, layer = _why(model, batch, weight, one, engine, roles)
            break
    else:
        low, high = vectors
        assert low is not None
        assert high is not None
        value = compare(low, high, zeros)
        error = _rounding(runs, outputs, low, high)
        if math.isnan(value):
            reason = "after normalisation no entry is above 0 under both weights"
    operations: dict[str, Tally] = {}
    for one in runs:
        for name, count in one.operations.items():
            known = operations.setdefault(name, Tally())
            known.lumped += count.lumped
            known.full_width += count.full_width
            known.seconds += count.seconds
    return Diagnosis(
        value,
        reason,
        error,
        (weights[0], weights[1]),
        runs[0].engine,
        layer,
        runs[0].copy.roles,
        tuple(dict.fromkeys(note for one in runs for note in (*one.copy.notes, *one.notes))),
        {weight: one.signals for weight, one in zip(weights, runs, strict=True)} if signals else {},
        operations,
        sum(one.seconds for one in runs),
    )


def score_outputs(runs: Sequence[Pass]) -> float:
    """Return the score of a model's outputs under two weights, NaN where there is none."""
    low, high = _compared(runs)
    return epsilon(low, high)


def _compared(runs: Sequence[Pass]) -> list[np.ndarray]:
    """Return outputs as float64, those that are equal by symmetry once, if they are so under both weights."""
    once = [distinct_outputs(one.values) for one in runs]
    if len({one.shape for one in once}) == 1:
        return once
    return [one.values.to(torch.float64).numpy() for one in runs]


def _rounding(runs: Sequence[Pass], outputs: Sequence[np.ndarray], low: np.ndarray, high: np.ndarray) -> float:
    """Estimate the relative error of a score: by how much 8 roundings of the largest output move the entries."""
    distance = np.abs(low - high).mean()
    noise = sum(
        ROUNDINGS * torch.finfo(one.values.dtype).eps * np.abs(found).max() / np.ptp(found)
        for one, found in zip(runs, outputs, strict=True)
    )
    return float(noise / distance) if distance else math.inf


def _why(
    model: nn.Module, batch: Any, weight: float, found: Pass, engine: str, roles: Mapping[str, str] | None
) -> tuple[str, str]:
    """Say why outputs under a weight give no score, and from which layer on the signal is lost."""
    lost = _lost(found.signals)
    where = f" from layer {lost.layer} ({lost.kind}) on" if lost else ""
    name = lost.layer if lost else ""
    if not torch.isfinite(found.values).all():
        return f"under {weight:g} the outputs leave the range of the numbers{where}", name
    if found.values.dtype != torch.float64:
        wide = run(model, batch, weight, engine, roles, torch.float64)
        if normalise(distinct_outputs(wide.values)) is not None:
            what = "fade to 0" if not found.values.any() else "differ by less than a rounding"
            return f"under {weight:g} the outputs {what}{where}; in float64 they vary", name
    what = "are 0" if not found.values.any() else "are equal"
    explanation = _EXPLANATIONS.get(lost.kind, "") if lost else ""
    if not explanation and getattr(batch, "shape", ())[:1] == (1,):
        return f"under {weight:g} the outputs {what}; the batch has one sample, expected two or more", ""
    return f"under {weight:g} the outputs {what} for all samples{where}{'; ' if explanation else ''}{explanation}", name


def _lost(signals: Sequence[Signal]) -> Signal | None:
    """Return the first layer after the last one whose output varies."""
    varying = [position for position, one in enumerate(signals) if one.state == "varies"]
    after = varying[-1] + 1 if varying else 0
    return signals[after] if after < len(signals) else None
