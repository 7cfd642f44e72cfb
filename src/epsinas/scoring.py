"""Scoring: a torch module of one's own, or many architectures of a search space."""

from __future__ import annotations

import dataclasses
import functools
import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from epsinas.errors import InputError
from epsinas.metrics.epsilon import check_zeros, compare, epsilon
from epsinas.metrics.rounding import Deviations, Normalised, Scored, normalised, score_normalised
from epsinas.spaces import NasBenchNLP, Space

if TYPE_CHECKING:
    import torch

    from epsinas.engines.images.lumped import Node
    from epsinas.engines.sequences.batches import TokenBatch

ENGINES = ("lumped", "full-width")
_CHUNK = 16
"""Networks that a worker process takes at a time."""


class Engine(Protocol):
    """Something that gives a network's outputs on its batch under a constant weight.

    `estimates_rounding` says whether `epsinas.metrics.rounding` can tell from the outputs how far rounding limits a score. It
    cannot for images: behind the last ReLU many outputs are 0 by right, and rounding happens in the layers before.
    """

    estimates_rounding: bool

    def outputs(self, architecture: str, weight: float) -> np.ndarray | Deviations:
        """Return the outputs, up to a power of two."""


class LumpedEngine:
    """Outputs by the lumped interpreter; see `epsinas.engines.images.lumped`."""

    estimates_rounding = False

    def __init__(self, space: Space, batch: np.ndarray, precision: str):
        from epsinas.engines.images import lumped

        self._space, self._image = space, batch.shape[1:]
        self._lumped = lumped.Lumped(batch, precision)

    def outputs(self, architecture: str, weight: float) -> np.ndarray:
        """Return one output for each image; all logits are equal."""
        return self._lumped.outputs(_graph(self._space, architecture, self._image), weight).values


@functools.lru_cache(maxsize=1)
def _graph(space: Space, architecture: str, image: tuple[int, int, int]) -> Node:
    """Keep the last network's graph, for other weights and for other batches of the same shape."""
    from epsinas.engines.images import lumped

    return lumped.build(space, architecture, image)


class FullWidthEngine:
    """Outputs by the full-width interpreter, in float32 or float64.

    The classifier has a single output, as in the released notebooks: under constant weights all logits of an image
    are equal, but ten of them would differ in their last digits, and so would what `masked` leaves out.
    """

    estimates_rounding = False

    def __init__(self, space: Space, batch: np.ndarray, precision: str):
        import torch

        if precision not in ("single", "double"):
            raise InputError(f"precision: found {precision!r}, the full-width engine has single and double")
        self._space = dataclasses.replace(space, classes=1)
        self._dtype = torch.float32 if precision == "single" else torch.float64
        # A copy, because torch takes neither read-only arrays nor negative strides.
        self._batch = torch.from_numpy(np.array(batch, order="C")).to(self._dtype)

    def outputs(self, architecture: str, weight: float) -> np.ndarray:
        """Return one output for each image."""
        import torch

        from epsinas.engines.images.full_width import FullWidthNetwork
        from epsinas.engines.images.initialisers import constant

        with torch.no_grad():
            network = FullWidthNetwork(
                self._space, architecture, tuple(self._batch.shape[1:]), constant(weight), self._dtype
            )
            return network(self._batch).numpy().ravel()


def engine(name: str, space: Space | NasBenchNLP, batch: np.ndarray | TokenBatch, precision: str = "single") -> Engine:
    """Return an engine on one batch.

    Args:
        name: `lumped` or `full-width`.
        space: the search space.
        batch: images (N, C, H, W), float32 or float64, finite, H and W multiples of 4; for recurrent networks, tokens
            and their embedding.
        precision: `single`, `double`, or (lumped only) `extended`.

    Raises:
        InputError: unknown name or precision, or a batch that is not as above.
    """
    if name not in ENGINES:
        raise InputError(f"engine: found {name!r}, expected one of {', '.join(ENGINES)}")
    if isinstance(space, NasBenchNLP):
        from epsinas.engines.sequences import family as recurrent_scoring

        return recurrent_scoring.engine(name, space, batch, precision)
    check_batch(batch)
    return (LumpedEngine if name == "lumped" else FullWidthEngine)(space, batch, precision)


def check_batch(batch: np.ndarray, name: str = "batch") -> None:
    """Check an image batch: (N, C, H, W), float32 or float64, H and W multiples of 4, all finite.

    Raises:
        InputError: it is not.
    """
    if not isinstance(batch, np.ndarray) or batch.dtype not in (np.float32, np.float64):
        found = getattr(batch, "dtype", type(batch).__name__)
        raise InputError(f"{name}: found {found}, expected an array of float32 or float64")
    if batch.ndim != 4 or 0 in batch.shape:
        raise InputError(f"{name}: found shape {batch.shape}, expected (images, channels, height, width), none 0")
    if batch.shape[2] % 4 or batch.shape[3] % 4:
        raise InputError(f"{name}: found {batch.shape[2]}x{batch.shape[3]} pixels, expected multiples of 4")
    finite = np.isfinite(batch).all(axis=(1, 2, 3))
    if not finite.all():
        raise InputError(f"{name}: image {int(np.argmin(finite))} has entries that are not finite (NaN or infinite)")


def check_weights(weights: Sequence[float]) -> None:
    """Check a pair of constant weights.

    Raises:
        InputError: they are not two finite positive numbers, the first below the second.
    """
    if len(weights) != 2 or not all(np.isfinite(weight) and weight > 0 for weight in weights):
        raise InputError(f"weights: found {' '.join(map(str, weights))}, expected two positive numbers")
    if weights[0] >= weights[1]:
        relation = "equal weights" if weights[0] == weights[1] else "the larger one first"
        raise InputError(f"weights: found {weights[0]} {weights[1]}, {relation}; expected LOW < HIGH")


def score_pairs(
    network: Engine, architecture: str, pairs: Sequence[tuple[float, float]], zeros: str = "masked"
) -> list[Scored]:
    """Score one network for several pairs of weights; its outputs are computed once for each weight.

    Returns:
        For each pair the score, NaN where there is none, and the estimate of its error by rounding, NaN where the
        engine allows none.
    """
    check_zeros(zeros)
    found: dict[float, Normalised | Scored] = {}

    def under(weight: float) -> Normalised | Scored:
        if weight not in found:
            found[weight] = normalised(network.outputs(architecture, weight))
        return found[weight]

    scores = []
    for low, high in pairs:
        # A constant output settles the matter before the other weight costs anything.
        first = under(low)
        second = first if isinstance(first, Scored) else under(high)
        if network.estimates_rounding:
            scores.append(second if isinstance(second, Scored) else score_normalised(first, second, zeros))
        else:
            unknown = float("nan")
            score = unknown if isinstance(second, Scored) else compare(first.values, second.values, zeros)
            scores.append(Scored(score, unknown))
    return scores


class Scores(NamedTuple):
    """Scores, NaN for none, and estimates of their relative error by rounding (see `epsinas.metrics.rounding`).

    There are estimates for recurrent networks only; for others they are NaN.
    """

    scores: np.ndarray
    errors: np.ndarray


def score_architectures(
    space: Space | NasBenchNLP,
    architectures: Iterable[str],
    batch: np.ndarray | TokenBatch,
    weights: tuple[float, float] | Sequence[tuple[float, float]],
    engine: str = "lumped",
    precision: str = "single",
    zeros: str = "masked",
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Score architectures of a search space on a batch (Gracheva 2024, Algorithm 1).

    Networks with equal graphs are scored once.

    Args:
        space: the search space.
        architectures: architecture strings.
        batch: images (N, C, H, W), float32 or float64, already normalised, finite; H and W multiples of 4. For
            recurrent networks, an `epsinas.engines.sequences.batches.TokenBatch`.
        weights: (low, high), or a sequence of such pairs.
        engine: `lumped` (exact reduction, hundreds of times faster) or `full-width` (torch).
        precision: `single` (float32, as published), `double`, or `extended` (lumped only).
        zeros: see `epsinas.metrics.epsilon.epsilon`.
        jobs: processes to use.
        progress: called with the number of architectures done since the last call.

    Returns:
        float64 (architectures,), or (architectures, pairs) for a sequence of pairs; NaN where there is no score.

    Raises:
        InputError: a malformed architecture (naming its position from 1), batch, weight, engine or precision.
    """
    return score_with_errors(space, architectures, batch, weights, engine, precision, zeros, jobs, progress).scores


def score_with_errors(
    space: Space | NasBenchNLP,
    architectures: Iterable[str],
    batch: np.ndarray | TokenBatch,
    weights: tuple[float, float] | Sequence[tuple[float, float]],
    engine: str = "lumped",
    precision: str = "single",
    zeros: str = "masked",
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Score architectures as `score_architectures` does, and say how far rounding limits each score.

    Returns:
        Scores and errors, both as `score_architectures` returns scores. A score whose error is above
        `epsinas.metrics.rounding.LIMIT` is limited by rounding; see `epsinas.metrics.rounding.Scored` for networks without one.
    """
    single = len(weights) == 2 and all(np.isscalar(weight) for weight in weights)
    pairs = [tuple(weights)] if single else [tuple(pair) for pair in weights]
    for pair in pairs:
        check_weights(pair)
    if jobs < 1:
        raise InputError(f"jobs: found {jobs}, expected 1 or more")
    architectures = list(architectures)
    first, members = distinct(space, architectures)
    report = progress or (lambda count: None)
    multiplicity = np.bincount(members, minlength=len(first))
    chunks = [range(start, min(start + _CHUNK, len(first))) for start in range(0, len(first), _CHUNK)]
    results = np.full((len(first), len(pairs), 2), np.nan)
    with _workers(jobs if len(chunks) > 1 else 1, (engine, space, batch, precision)) as run:
        tasks = ([architectures[first[at]] for at in chunk] for chunk in chunks)
        for chunk, rows in zip(chunks, run([(task, pairs, zeros) for task in tasks]), strict=True):
            results[list(chunk)] = rows
            report(int(multiplicity[list(chunk)].sum()))
    scores, errors = np.moveaxis(results[members], -1, 0)
    return Scores(scores[:, 0], errors[:, 0]) if single else Scores(scores, errors)


def distinct(space: Space | NasBenchNLP, architectures: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Find the architectures whose constant-weight networks are the same function.

    Returns:
        first: int64 (distinct,), the position of each distinct network's first occurrence, ascending.
        members: int64 (architectures,), for each architecture the position in `first` of its network.

    Raises:
        InputError: an architecture is malformed; the message gives its position from 1.
    """
    from epsinas.engines.images import lumped
    from epsinas.engines.sequences import lumped as recurrent

    identity = recurrent.identity if isinstance(space, NasBenchNLP) else lumped.identity
    seen: dict[bytes, int] = {}
    first: list[int] = []
    members = np.empty(len(architectures), dtype=np.int64)
    for position, architecture in enumerate(architectures):
        try:
            digest = identity(space, architecture)
        except InputError as error:
            raise InputError(f"architecture {position + 1}: {error}") from None
        if digest not in seen:
            seen[digest] = len(first)
            first.append(position)
        members[position] = seen[digest]
    return np.array(first, dtype=np.int64), members


_engine: Engine | None = None
"""The engine of a worker process."""


@contextmanager
def _workers(jobs: int, arguments: tuple):
    """Give a function that maps `_score_chunk` over tasks in order, in this process or in `jobs` others."""
    _start(*arguments)  # here too, so that bad arguments are reported from this process
    if jobs == 1:
        yield lambda tasks: map(_score_chunk, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_start, initargs=arguments) as pool:
        yield lambda tasks: pool.map(_score_chunk, tasks)


def _start(*arguments) -> None:
    global _engine
    _engine = engine(*arguments)


def _score_chunk(task: tuple) -> list[list[Scored]]:
    architectures, pairs, zeros = task
    return [score_pairs(_engine, architecture, pairs, zeros) for architecture in architectures]


def score(
    model: torch.nn.Module,
    batch: torch.Tensor,
    weights: tuple[float, float],
    zeros: str = "masked",
) -> float:
    """Score any torch module that takes the batch.

    Every parameter is replaced by the constant weight, biases (parameters with `bias` in the last part of their
    name) by 0; batch normalisation uses the statistics of the batch; everything else, such as dropout, is in
    evaluation mode. The module's own parameters, buffers and mode are not touched, also after an error.

    Args:
        model: maps the batch to a tensor, or to a tuple whose first element is taken.
        batch: what the model takes; floating-point batches must be finite.
        weights: (low, high), positive.
        zeros: see `epsinas.metrics.epsilon.epsilon`.

    Returns:
        The score, NaN where the outputs are constant or not finite.

    Raises:
        InputError: bad weights, a batch that is not finite, or outputs that are not a tensor.
    """
    import torch

    from epsinas.engines.images.initialisers import fill

    check_weights(weights)
    if torch.is_floating_point(batch) and not torch.isfinite(batch).all():
        raise InputError("batch: has entries that are not finite (NaN or infinite)")
    modes = [(module, module.training) for module in model.modules()]
    outputs = []
    try:
        for module, _ in modes:
            module.training = isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
        for weight in weights:
            state = {
                name: fill(torch.empty_like(tensor), 0.0 if "bias" in name.rpartition(".")[2] else weight)
                for name, tensor in model.named_parameters()
            }
            # Batch normalisation in training mode updates its buffers: let it update copies.
            state |= {name: buffer.clone() for name, buffer in model.named_buffers()}
            with torch.no_grad():
                result = torch.func.functional_call(model, state, (batch,))
            result = result[0] if isinstance(result, tuple | list) else result
            if not isinstance(result, torch.Tensor):
                raise InputError(f"model: found outputs of type {type(result).__name__}, expected a tensor")
            outputs.append(result.detach().to("cpu", torch.float64).numpy())
    finally:
        for module, training in modes:
            module.training = training
    return epsilon(*outputs, zeros=zeros)
