"""What metrics measure of each layer by itself, for predictors that learn how to add it up (ParZC).

Source: Dong et al. (2025), "ParZC: Parametric Zero-Cost Proxies for Efficient NAS", whose features are such statistics.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from epsinas.metrics.base import LABELS, RANDOM_WEIGHTS, Metric, Scored, scored
from epsinas.metrics.gradients import inner_products, loss_gradients
from epsinas.metrics.thin import thin

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject

STATISTICS = ("grad_norm", "snip", "synflow")
"""Of a layer: the norm of its gradient, the sum of |w g|, and the logarithm of 1 + the sum of |w dR/dw| (`synflow`)."""

LAYERS = 32
"""Convolutions and the classifier that there is room for; the cells of the benchmarks give at most 29."""

CHANNELS = 16
"""Of the first stage. With one cell a stage, a network takes less than a tenth of a second."""


def _score(subject: Subject, setting: str) -> Scored:
    """Return the statistic of a layer, counted from 0 in the order of the description; 0 where there is none."""
    statistic, layer = setting.split(",")
    values = subject.once(_values)[statistic]
    return scored(values[int(layer)] if int(layer) < len(values) else 0.0)


def _values(subject: Subject) -> dict[str, list[float]]:
    """Return the statistics of all layers of the network in the thin skeleton."""
    import torch

    from epsinas.engines.images.inside import layer_weights

    conditions = dataclasses.replace(subject.conditions, space=thin(subject.space, CHANNELS))
    one = type(subject)(conditions, subject.architecture, subject.index)
    found = one.once(loss_gradients)
    pairs = list(zip(found.weights, found.gradients, strict=True))
    network = one.copy().double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    weights = layer_weights(network)
    total = one.unnormalised(network, torch.ones_like(one.tensor[:1], dtype=torch.float64)).sum()
    flows = inner_products(weights, list(torch.autograd.grad(total, weights, materialize_grads=True)))
    return {
        "grad_norm": [float(gradient.norm()) for _, gradient in pairs],
        "snip": [float((weight * gradient).abs().sum()) for weight, gradient in pairs],
        "synflow": [math.log1p(flow) for flow in flows],
    }


def _settings(section: Mapping[str, Any]) -> list[str]:
    return [f"{statistic},{layer}" for layer in range(LAYERS) for statistic in STATISTICS]


def _columns(setting: str) -> dict[str, object]:
    statistic, layer = setting.split(",")
    return {"statistic": statistic, "layer": int(layer)}


METRIC = Metric(
    name="layerwise",
    title="statistics of layers",
    reference="the features of Dong et al. (2025), arXiv 2402.02105",
    score=_score,
    needs=(RANDOM_WEIGHTS, LABELS),
    families=("images",),
    cost="seconds",
    settings={"layers": _settings},
    work=lambda settings: 0.1,
    columns=_columns,
)
