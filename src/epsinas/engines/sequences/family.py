"""Recurrent networks over sequences of tokens, as a family."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from epsinas.engines.base import Deviations, Engine, Fill, Observed
from epsinas.engines.sequences import batches, counting
from epsinas.engines.sequences.batches import TokenBatch
from epsinas.errors import InputError
from epsinas.spaces.base import SequenceSpace, Space
from epsinas.streams import stream

if TYPE_CHECKING:
    import torch

    from epsinas.engines.sequences.full_width import FullWidthRecurrentNetwork
    from epsinas.engines.sequences.lumped import Program

_SECTION = {
    "corpora": {
        "description": (
            "Which text of each corpus is scored on; {corpus}/{text}.txt is retrieved. zipf is a made-up text whose "
            "words follow Zipf's law."
        ),
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[A-Za-z0-9_-]{1,100}$"},
        "additionalProperties": {"enum": ["train", "valid", "test", "zipf"]},
    },
    "batch_size": {"description": "Sequences in a batch.", "type": "integer", "minimum": 2, "default": batches.BATCH},
    "steps": {"description": "Time steps of a batch.", "type": "integer", "minimum": 1, "default": batches.STEPS},
    "embedding": {
        "description": "How the embedding is drawn.",
        "enum": list(batches.EMBEDDINGS),
        "default": "uniform_positive_1",
    },
    "precisions": {
        "description": "Of the table of all networks, and of the table of rounding, whose reference is the last.",
        "$ref": "#/$defs/precisions",
        "default": ["single", "double", "extended"],
    },
}


class LumpedEngine:
    """Outputs by the lumped interpreter; see `epsinas.engines.sequences.lumped`."""

    def __init__(self, space: SequenceSpace, batch: TokenBatch, precision: str):
        from epsinas.engines.sequences import lumped

        self._space = space
        self._lumped = lumped.LumpedRecurrent(batch, precision)

    def outputs(self, architecture: str, weight: float) -> np.ndarray | Deviations:
        """Return one unit of the last layer, (time, batch); all are equal. Biases and first states are `weight` too."""
        return self._lumped.outputs(_layers(self._space, architecture), weight)

    def observe(self, architecture: str, weight: float, what: str = "activations") -> list[Observed]:
        """Return one unit's way through time, for what activation functions or linear layers are given."""
        from epsinas.engines.sequences.observing import observe_lumped

        return observe_lumped(self._lumped, self._space, architecture, weight, what)


@functools.lru_cache(maxsize=1)
def _layers(space: SequenceSpace, architecture: str) -> list[Program]:
    """Keep the last network's programs, for other weights and other batches."""
    from epsinas.engines.sequences import lumped

    return lumped.build(space, architecture)


class FullWidthEngine:
    """Outputs by the full-width interpreter, in float32 or float64."""

    def __init__(self, space: SequenceSpace, batch: TokenBatch, precision: str):
        import torch

        self._space = space
        self._dtype = torch.float32 if precision == "single" else torch.float64
        self._embedded = _embedded(batch, self._dtype)

    def outputs(self, architecture: str, weight: float) -> np.ndarray:
        """Return the first of the last layer's equal units."""
        import torch

        with torch.no_grad():
            return np.ascontiguousarray(self._network(architecture, weight)(self._embedded)[:, :, 0].numpy())

    def observe(self, architecture: str, weight: float, what: str = "activations") -> list[Observed]:
        """Return one unit's way through time, for what activation functions or linear layers are given."""
        import torch

        from epsinas.engines.sequences.observing import observe_full_width

        with torch.no_grad():
            return observe_full_width(self._network(architecture, weight), self._embedded, what)

    def _network(self, architecture: str, weight: float) -> FullWidthRecurrentNetwork:
        from epsinas.engines.sequences.full_width import FullWidthRecurrentNetwork
        from epsinas.engines.sequences.initialisers import constant

        return FullWidthRecurrentNetwork(self._space, architecture, constant(weight), weight, self._dtype)


def _embedded(batch: TokenBatch, dtype: torch.dtype) -> torch.Tensor:
    """Return the embedded tokens (time, batch, units)."""
    import torch

    used, places = np.unique(batch.tokens, return_inverse=True)
    table = torch.from_numpy(batch.embedding[used]).to(dtype)
    return table[torch.from_numpy(places.reshape(batch.tokens.shape))]


class SequenceFamily:
    """See `epsinas.engines.base.Family`; batches are `TokenBatch`."""

    name = "sequences"
    files: Mapping[str, tuple[str, str]] = {
        "tokens": ("TOKENS.npy", "int64 (time, batch); without it, 256 sequences of 70 tokens that follow Zipf's law"),
        "embedding": ("EMBEDDING.npy", "float32 or float64 (vocabulary, 400), of the tokens"),
    }
    inputs_key = "embedding"
    deterministic: tuple[str, ...] = ()
    estimates_rounding = True
    section: Mapping[str, Any] = _SECTION
    required = ("corpora",)

    def check(self, space: Space, batch: Any) -> None:
        """Check the arrays, and that the embedding has the space's width."""
        batches.check_token_batch(batch)
        self._check_width(space, batch, "embedding")

    def read(
        self, space: Space, seed: int, *, tokens: str | None = None, embedding: str | None = None
    ) -> tuple[TokenBatch, str]:
        """Read two `.npy` files, or make up both."""
        if tokens is None and embedding is None:
            units = cast(SequenceSpace, space).embedding
            made = batches.zipf_batch(stream(seed, "batch", 0), units)
            steps, sequences = made.tokens.shape
            return (
                made,
                f"no tokens given: Zipf tokens, {sequences} sequences of {steps}, embedding uniform, seed {seed}",
            )
        if tokens is None or embedding is None:
            missing = "tokens" if tokens is None else "embedding"
            raise InputError(f"--{missing}: found none, expected {self.files[missing][0]}, since the other is given")
        batch = batches.read_token_batch(tokens, embedding)
        self._check_width(space, batch, embedding)
        return batch, ""

    def _check_width(self, space: Space, batch: TokenBatch, name: str) -> None:
        expected = cast(SequenceSpace, space).embedding
        if (units := batch.embedding.shape[1]) != expected:
            raise InputError(f"{name}: found {units} units, expected {expected}")

    def engine(self, name: str, space: Space, batch: TokenBatch, precision: str) -> Engine:
        """Return an engine, whose outputs are (time, batch)."""
        return (LumpedEngine if name == "lumped" else FullWidthEngine)(cast(SequenceSpace, space), batch, precision)

    def identity(self, space: Space, architecture: str) -> bytes:
        """Digest what every layer computes."""
        from epsinas.engines.sequences import lumped

        return lumped.identity(cast(SequenceSpace, space), architecture)

    def trained_identity(self, space: Space, architecture: str) -> bytes:
        """Take each network for one of its own: recipes are not known to repeat a cell."""
        return architecture.encode()

    def connected(self, space: Space, architecture: str) -> bool:
        """Say whether every layer reads its input, in some time step."""
        from epsinas.engines.sequences import lumped

        return lumped.reaches_output(cast(SequenceSpace, space), architecture)

    def count(self, space: Space, architecture: str, shape: int | None = None) -> counting.Counts:
        """Count for one token, with the decoder of a vocabulary: 10,000, that of the Penn Treebank, or another."""
        return counting.count(cast(SequenceSpace, space), architecture, 10_000 if shape is None else shape)

    def module(self, space: Space, architecture: str, shape: Any, fill: Fill) -> torch.nn.Module:
        """Return a `FullWidthRecurrentNetwork`, whose hidden states begin at 0."""
        from epsinas.engines.sequences.full_width import FullWidthRecurrentNetwork

        def initialise(weights: Iterable[torch.Tensor], bias: torch.Tensor) -> None:
            for number, weight in enumerate(weights):
                fill("linear", weight, None if number else bias)

        return FullWidthRecurrentNetwork(cast(SequenceSpace, space), architecture, initialise)

    def tensor(self, batch: TokenBatch) -> torch.Tensor:
        """Return the embedded tokens (time, batch, units)."""
        import torch

        return _embedded(batch, torch.float32)

    def shape(self, batch: TokenBatch) -> int:
        """Return the number of tokens in the vocabulary."""
        return len(batch.embedding)

    def datasets(self, section: Mapping[str, Any]) -> list[str]:
        """Return the names of `corpora`."""
        return list(section["corpora"])

    def source(self, section: Mapping[str, Any], dataset: str, inputs: str) -> str:
        """Name the text."""
        part = section["corpora"][dataset]
        return "zipf/train.txt" if part == "zipf" else f"{dataset}/{part}.txt"

    def inputs_of(self, section: Mapping[str, Any], dataset: str, inputs: str) -> Hashable:
        """Return the text."""
        return self.source(section, dataset, inputs)

    def stand_in(self, section: Mapping[str, Any], dataset: str, inputs: str) -> str:
        """Name the made-up text."""
        return "Zipf tokens" if section["corpora"][dataset] == "zipf" and dataset != "zipf" else ""

    def shape_source(self, section: Mapping[str, Any], dataset: str) -> str | None:
        """Name nothing: see `data_shape`."""
        return None

    def data_shape(self, dataset: str, path: str | None) -> int | None:
        """Return None: a decoder is counted for the benchmark's vocabulary, whatever the text has of it."""
        return None

    def draws(
        self,
        path: str | None,
        dataset: str,
        inputs: str,
        size: int,
        draws: Iterable[int],
        seed: int,
        section: Mapping[str, Any],
    ) -> list[TokenBatch]:
        """Take rows of the text's columns of tokens and draw an embedding of its own for each batch."""
        if path is None:
            raise InputError(f"{dataset}: found no text, expected {self.source(section, dataset, inputs)}")
        return batches.read_draws(path, inputs, size, section["steps"], draws, seed)

    def labels(
        self, path: str | None, inputs: str, size: int, draws: Iterable[int], seed: int, classes: int
    ) -> list[np.ndarray]:
        """Raise `InputError`: the networks have no head and no loss."""
        raise InputError("labels: found sequences, expected images, which have labels")


FAMILY = SequenceFamily()
