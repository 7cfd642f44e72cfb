"""Engines for recurrent networks: outputs on one batch of token sequences."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from epsinas.engines.sequences.batches import TokenBatch, check_token_batch
from epsinas.errors import InputError
from epsinas.metrics.rounding import Deviations
from epsinas.spaces import NasBenchNLP

if TYPE_CHECKING:
    from epsinas.engines.sequences.lumped import Program


class LumpedEngine:
    """Outputs by the lumped interpreter; see `epsinas.engines.sequences.lumped`."""

    estimates_rounding = True

    def __init__(self, space: NasBenchNLP, batch: TokenBatch, precision: str):
        from epsinas.engines.sequences import lumped as recurrent

        self._space = space
        self._lumped = recurrent.LumpedRecurrent(batch, precision)

    def outputs(self, architecture: str, weight: float) -> np.ndarray | Deviations:
        """Return one unit of the last layer, (time, batch); all are equal. Biases and first states are `weight` too."""
        return self._lumped.outputs(_layers(self._space, architecture), weight)


@functools.lru_cache(maxsize=1)
def _layers(space: NasBenchNLP, architecture: str) -> list[Program]:
    """Keep the last network's programs, for other weights and other batches."""
    from epsinas.engines.sequences import lumped as recurrent

    return recurrent.build(space, architecture)


class FullWidthEngine:
    """Outputs by the full-width interpreter, in float32 or float64."""

    estimates_rounding = True

    def __init__(self, space: NasBenchNLP, batch: TokenBatch, precision: str):
        import torch

        if precision not in ("single", "double"):
            raise InputError(f"precision: found {precision!r}, the full-width engine has single and double")
        self._space = space
        self._dtype = torch.float32 if precision == "single" else torch.float64
        used, places = np.unique(batch.tokens, return_inverse=True)
        table = torch.from_numpy(batch.embedding[used]).to(self._dtype)
        self._embedded = table[torch.from_numpy(places.reshape(batch.tokens.shape))]

    def outputs(self, architecture: str, weight: float) -> np.ndarray:
        """Return the first of the last layer's equal units."""
        import torch

        from epsinas.engines.sequences.full_width import FullWidthRecurrentNetwork, constant

        with torch.no_grad():
            initialise = constant(weight)
            network = FullWidthRecurrentNetwork(self._space, architecture, initialise, weight, self._dtype)
            return np.ascontiguousarray(network(self._embedded)[:, :, 0].numpy())


def engine(
    name: str, space: NasBenchNLP, batch: TokenBatch, precision: str = "single"
) -> LumpedEngine | FullWidthEngine:
    """Return an engine on one batch; see `epsinas.scoring.engine`.

    Raises:
        InputError: a bad batch or precision, or an embedding of another width than the space's.
    """
    check_token_batch(batch)
    units = batch.embedding.shape[1]
    if units != space.embedding:
        raise InputError(f"embedding: found {units} units, expected {space.embedding}")
    return (LumpedEngine if name == "lumped" else FullWidthEngine)(space, batch, precision)
