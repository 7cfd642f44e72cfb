"""Text: token batches and the embeddings that recurrent networks are scored on."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from epsinas.errors import InputError, one_line
from epsinas.files.arrays import read_array
from epsinas.streams import stream

END = "<eos>"
"""The token that ends every sentence."""

BATCH, STEPS, EMBEDDING = 256, 70, 400
"""The published batch: sequences, time steps; units of the embedding."""

VOCABULARY = 10_000
"""Tokens of the Penn Treebank."""

EMBEDDINGS = (
    "uniform_positive_0.1",
    "uniform_positive_1",
    "uniform_centered_0.1",
    "uniform_centered_1",
    "random_0.1",
    "random_1",
)
"""The embedding initialisations of the paper's Section 3.4 and Table 10."""


class Corpus(NamedTuple):
    """A text as one stream of tokens: int64 (N,), and the position of every word in the vocabulary."""

    tokens: np.ndarray
    vocabulary: Mapping[str, int]


class TokenBatch(NamedTuple):
    """What a recurrent network is scored on: tokens int64 (time, batch), embedding float (vocabulary, units).

    Example:
        >>> from epsinas import NasBenchNLP, score_architectures
        >>> rng = np.random.default_rng(0)
        >>> batch = TokenBatch(rng.integers(50, size=(7, 3)), rng.uniform(0, 0.1, (50, 8)))
        >>> space = NasBenchNLP(hidden_size=16, embedding=8)
        >>> score_architectures(space, space.sample(2, rng), batch).shape
        (2,)
    """

    tokens: np.ndarray
    embedding: np.ndarray


def read_corpus(path: str | Path, vocabulary: Mapping[str, int] | None = None) -> Corpus:
    """Read a text of white-space separated tokens, one sentence a line, each ended by an end-of-sentence token.

    Args:
        path: the file, UTF-8.
        vocabulary: of another text, to which new words are added; without it words are numbered from 0 in the
            order of their first occurrence.

    Raises:
        InputError: the file cannot be read or holds no tokens.
    """
    words = dict(vocabulary or {})
    tokens: list[int] = []
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                tokens.extend(words.setdefault(word, len(words)) for word in [*line.split(), END])
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable text file: {one_line(error)}") from None
    if not tokens:
        raise InputError(f"{path}: found no tokens, expected one sentence a line")
    return Corpus(np.array(tokens, dtype=np.int64), words)


def token_batch(tokens: np.ndarray, batch: int = BATCH, steps: int = STEPS, start: int = 0) -> np.ndarray:
    """Cut a stream of tokens into `batch` equal columns, without the rest, and take rows of them.

    Args:
        tokens: int64 (N,).
        batch: columns, that is sequences.
        steps: rows to take, that is time steps.
        start: first row.

    Returns:
        int64 (steps, batch).

    Raises:
        InputError: the stream is too short.
    """
    rows = len(tokens) // batch if batch > 0 else 0
    if batch < 1 or steps < 1 or start < 0 or rows < start + steps:
        raise InputError(
            f"tokens: found {len(tokens)}, expected at least {batch} columns of {start + steps} rows, all positive"
        )
    return np.ascontiguousarray(tokens[: rows * batch].reshape(batch, rows).T[start : start + steps])


def embedding(kind: str, vocabulary: int, rng: np.random.Generator, units: int = EMBEDDING) -> np.ndarray:
    """Draw an embedding (paper, Section 3.4), float32 (vocabulary, units).

    `uniform_positive_A`: uniform on [0, A); `uniform_centered_A`: uniform on [-A, A); `random_A`: normal with mean 0
    and standard deviation A; each with A = 0.1 and 1. The released experiments use `uniform_positive_1`.

    Raises:
        InputError: unknown kind.
    """
    if kind not in EMBEDDINGS:
        raise InputError(f"embedding: found {kind!r}, expected one of {', '.join(EMBEDDINGS)}")
    family, _, size = kind.rpartition("_")
    scale, shape = np.float32(size), (vocabulary, units)
    match family:
        case "uniform_positive":
            return scale * rng.random(shape, dtype=np.float32)
        case "uniform_centered":
            return scale * (2 * rng.random(shape, dtype=np.float32) - 1)
        case _:
            return scale * rng.standard_normal(shape, dtype=np.float32)


def read_draws(
    path: str | Path, inputs: str, size: int, steps: int, draws: Iterable[int], seed: int
) -> list[TokenBatch]:
    """Make one batch for each draw; every draw has a stream of its own.

    Args:
        path: of a text.
        inputs: the kind of embedding (EMBEDDINGS), of which every draw has its own.
        size: sequences in a batch.
        steps: time steps of a batch.
        draws: numbers of the draws. Draw d takes the d-th `steps` rows of the columns of tokens, so that draw 0 is the
            published batch.
        seed: of the study.

    Raises:
        InputError: the file is not as described, the kind of embedding is unknown, or there are too few tokens.
    """
    tokens, vocabulary = read_corpus(path)
    return [
        TokenBatch(
            token_batch(tokens, size, steps, draw * steps),
            embedding(inputs, len(vocabulary), stream(seed, "batch", draw)),
        )
        for draw in draws
    ]


def zipf_batch(rng: np.random.Generator, units: int = EMBEDDING) -> TokenBatch:
    """Make up a batch of the published size: tokens that follow Zipf's law, an embedding uniform on [0, 1).

    Token k of the 10,000 of the vocabulary has a probability proportional to 1 / (k + 1).
    """
    rank = np.arange(1, VOCABULARY + 1)
    tokens = rng.choice(VOCABULARY, (STEPS, BATCH), p=(1 / rank) / (1 / rank).sum())
    return TokenBatch(tokens, embedding("uniform_positive_1", VOCABULARY, rng, units))


def check_token_batch(batch: TokenBatch, names: tuple[str, str] = ("tokens", "embedding")) -> None:
    """Check a token batch: see `TokenBatch`; every token has a row in the embedding, all entries are finite.

    Raises:
        InputError: it is not so; the message calls the arrays by `names`.
    """
    tokens, table = batch
    if not isinstance(tokens, np.ndarray) or tokens.dtype != np.int64:
        raise InputError(f"{names[0]}: found {_kind(tokens)}, expected an array of int64")
    if tokens.ndim != 2 or 0 in tokens.shape:
        raise InputError(f"{names[0]}: found shape {tokens.shape}, expected (time, batch), none 0")
    if not isinstance(table, np.ndarray) or table.dtype not in (np.float32, np.float64):
        raise InputError(f"{names[1]}: found {_kind(table)}, expected an array of float32 or float64")
    if table.ndim != 2 or 0 in table.shape:
        raise InputError(f"{names[1]}: found shape {table.shape}, expected (vocabulary, units), none 0")
    finite = np.isfinite(table).all(axis=1)
    if not finite.all():
        raise InputError(f"{names[1]}: row {int(np.argmin(finite))} has entries that are not finite (NaN or infinite)")
    outside = (tokens < 0) | (tokens >= len(table))
    if outside.any():
        step, sequence = (int(at) for at in np.argwhere(outside)[0])
        raise InputError(
            f"{names[0]}: found {tokens[step, sequence]} at time {step}, sequence {sequence}, "
            f"expected 0 to {len(table) - 1}, a row of the embedding"
        )


def read_token_batch(tokens: str | Path, embedding: str | Path) -> TokenBatch:
    """Read a token batch from two `.npy` files (see `TokenBatch`).

    Raises:
        InputError: a file is missing, is not an `.npy` file, or holds something else.
    """
    batch = TokenBatch(
        read_array(tokens, "tokens (time, batch)"), read_array(embedding, "an embedding (vocabulary, units)")
    )
    check_token_batch(batch, (str(tokens), str(embedding)))
    return batch


def _kind(found: object) -> str:
    return str(getattr(found, "dtype", type(found).__name__))
