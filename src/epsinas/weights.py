"""Choosing the two constant weights for a new problem, or for models of one's own, without labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epsinas.errors import InputError, one_line
from epsinas.scoring import score_architectures
from epsinas.spaces.base import Space

if TYPE_CHECKING:
    from torch import nn

EXPONENTS = tuple(range(-7, 1))
"""Powers of ten that are tried."""

LIMIT = 0.1
"""A window is taken if less than this share of the networks has no score."""


def windows(exponents: Sequence[int] = EXPONENTS) -> list[tuple[float, float]]:
    """List the pairs of weights in the order in which they are tried: the widest first, then from the low end.

    For the exponents -2, -1, 0: (0.01, 1), (0.01, 0.1), (0.1, 1).
    """
    powers = [float(f"1e{exponent}") for exponent in exponents]
    return [
        (powers[start], powers[start + width])
        for width in range(len(powers) - 1, 0, -1)
        for start in range(len(powers) - width)
    ]


def choose_weights(
    networks: Space | Sequence[nn.Module],
    batch: Any,
    rng: np.random.Generator | None = None,
    number: int = 100,
    precision: str = "single",
    exponents: Sequence[int] = EXPONENTS,
    limit: float = LIMIT,
) -> pd.DataFrame:
    """Choose the widest pair of weights under which nearly all networks have a score.

    This is the rule of the authors' released notebooks: exponents -7 to 0, the widest window first, then narrower
    ones from the low end; the first for which fewer than 10 % of 100 random networks have no score. It needs
    neither labels nor trained networks. Outputs are computed once for each weight.

    Args:
        networks: a search space, of which random networks are taken, or torch models of one's own, which all are.
        batch: as for `score_architectures`, or for models as for `score`.
        rng: draws networks of a search space.
        number: how many of these.
        precision: of scoring these; with `extended` nearly every window passes and the widest is taken. Models have
            the dtype of their parameters.
        exponents: powers of ten to try, ascending.
        limit: largest share of networks without a score, exclusive.

    Returns:
        All windows in the order of trial: `weight_low`, `weight_high`, `networks`, `archs` (with a score) and
        `chosen`, which is true for one window, or for none where no window passes.

    Raises:
        InputError: bad batch, number of networks, or limit, no models, a model that `score` refuses, or a search space
            without `rng`.

    Example:
        Eight layers of width 8 multiply by about (8 w)^8, which for w = 1e-7 is 2e-49, and 0 in float32.

        >>> import torch
        >>> model = torch.nn.Sequential(*[torch.nn.Linear(8, 8) for _ in range(8)])
        >>> chosen_pair(choose_weights([model], torch.eye(8) * torch.arange(8.0)))
        (1e-06, 1.0)
    """
    if not 0 < limit <= 1:
        raise InputError(f"limit: found {limit}, expected a share above 0 and at most 1")
    pairs = windows(exponents)
    if isinstance(networks, Sequence):
        scores = _scores_of_models(networks, batch, pairs)
    elif not hasattr(networks, "sample"):
        raise InputError(f"networks: found {type(networks).__name__}, expected a search space or a list of models")
    elif rng is None:
        raise InputError("rng: found none, expected a numpy.random.Generator, which draws networks of the search space")
    elif number < 1:
        raise InputError(f"number: found {number}, expected 1 or more networks")
    else:
        scores = score_architectures(networks, networks.sample(number, rng), batch, pairs, precision=precision)
    archs = np.isfinite(scores).sum(axis=0)
    passes = len(scores) - archs < limit * len(scores)
    low, high = np.array(pairs).T
    table = pd.DataFrame({"weight_low": low, "weight_high": high, "networks": len(scores), "archs": archs})
    return table.assign(chosen=passes & (np.cumsum(passes) == 1))


def _scores_of_models(models: Sequence[nn.Module], batch: Any, pairs: Sequence[tuple[float, float]]) -> np.ndarray:
    """Score models under pairs of weights: (models, pairs), NaN where there is no score."""
    from epsinas.models.diagnosis import score_outputs
    from epsinas.models.running import run

    if not models:
        raise InputError("networks: found no models, expected one or more")
    weights = {weight for pair in pairs for weight in pair}
    scores = []
    for position, model in enumerate(models):
        try:
            outputs = {weight: run(model, batch, weight) for weight in weights}
        except InputError as error:
            raise InputError(f"networks[{position}]: {error}") from None
        except Exception as error:  # whatever a model does on a batch that it cannot take
            raise InputError(f"networks[{position}]: {type(error).__name__}: {one_line(error)}") from error
        scores.append([score_outputs([outputs[low], outputs[high]]) for low, high in pairs])
    return np.array(scores)


def chosen_pair(table: pd.DataFrame, name: str = "weights: auto") -> tuple[float, float]:
    """Return the chosen window of what `choose_weights` returns.

    Raises:
        InputError: no window passed; the message says which came closest.
    """
    chosen = table[table["chosen"]]
    if chosen.empty:
        best = table.iloc[table["archs"].argmax()]
        raise InputError(
            f"{name}: no window passes; the best, {best['weight_low']:g} {best['weight_high']:g}, "
            f"scores {best['archs']:.0f} of {best['networks']:.0f} networks"
        )
    return float(chosen["weight_low"].iloc[0]), float(chosen["weight_high"].iloc[0])
