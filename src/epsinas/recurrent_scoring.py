"""Engines for recurrent networks: outputs and scores on one batch of token sequences."""

from collections.abc import Sequence

import numpy as np

from epsinas.engines.recurrent import Deviations
from epsinas.errors import InputError
from epsinas.rounding import Scored, score
from epsinas.spaces.nas_bench_nlp import NasBenchNLP
from epsinas.text import TokenBatch, check_token_batch


class RecurrentEngine:
    """Scores networks of one space on one batch; `outputs` is the engines' own."""

    def outputs(self, architecture: str, weight: float) -> np.ndarray | Deviations:
        """Return the first unit of the last layer, (time, batch), when weights, biases and states are `weight`."""
        raise NotImplementedError

    def scored(self, architecture: str, pairs: Sequence[tuple[float, float]], zeros: str = "masked") -> list[Scored]:
        """Score one network for several pairs of weights; its outputs are computed once for each weight."""
        found = {weight: self.outputs(architecture, weight) for weight in {weight for pair in pairs for weight in pair}}
        return [score(found[low], found[high], zeros) for low, high in pairs]


class LumpedEngine(RecurrentEngine):
    """Outputs by the lumped interpreter; see `epsinas.engines.recurrent`."""

    def __init__(self, space: NasBenchNLP, batch: TokenBatch, precision: str):
        from epsinas.engines import recurrent

        self._build = lambda architecture: recurrent.build(space, architecture)
        self._lumped = recurrent.LumpedRecurrent(batch, precision)
        self._last: tuple = (None, None)

    def outputs(self, architecture: str, weight: float) -> np.ndarray | Deviations:
        """Return one unit; all are equal."""
        if self._last[0] != architecture:
            self._last = (architecture, self._build(architecture))
        return self._lumped.outputs(self._last[1], weight)


class FullWidthEngine(RecurrentEngine):
    """Outputs by the full-width interpreter, in float32 or float64."""

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

        from epsinas.engines.recurrent_full_width import FullWidthRecurrentNetwork, constant

        with torch.no_grad():
            initialise = constant(weight)
            network = FullWidthRecurrentNetwork(self._space, architecture, initialise, weight, self._dtype)
            return np.ascontiguousarray(network(self._embedded)[:, :, 0].numpy())


def engine(name: str, space: NasBenchNLP, batch: TokenBatch, precision: str = "single") -> RecurrentEngine:
    """Return an engine on one batch; see `epsinas.scoring.engine`.

    Raises:
        InputError: a bad batch or precision, or an embedding of another width than the space's.
    """
    check_token_batch(batch)
    units = batch.embedding.shape[1]
    if units != space.embedding:
        raise InputError(f"embedding: found {units} units, expected {space.embedding}")
    return (LumpedEngine if name == "lumped" else FullWidthEngine)(space, batch, precision)
