import numpy as np
import pytest

from epsinas.engines.sequences.batches import (
    EMBEDDINGS,
    TokenBatch,
    check_token_batch,
    embedding,
    read_corpus,
    read_token_batch,
    token_batch,
)
from epsinas.errors import InputError


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_corpus_is_one_stream_with_ends_of_sentences(tmp_path):
    corpus = read_corpus(write(tmp_path / "train.txt", " the cat sat \n the  cat\n\nran"))
    assert corpus.vocabulary == {"the": 0, "cat": 1, "sat": 2, "<eos>": 3, "ran": 4}
    assert corpus.tokens.dtype == np.int64
    assert corpus.tokens.tolist() == [0, 1, 2, 3, 0, 1, 3, 3, 4, 3]


def test_a_vocabulary_is_continued_and_not_changed(tmp_path):
    known = {"the": 0, "cat": 1}
    corpus = read_corpus(write(tmp_path / "valid.txt", "cat dog"), known)
    assert corpus.tokens.tolist() == [1, 2, 3]
    assert known == {"the": 0, "cat": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "found no tokens, expected one sentence a line"), (b"\xff\xfe", "not a readable text file: 'utf-8' codec")],
)
def test_a_bad_corpus_is_refused(tmp_path, content, message):
    path = tmp_path / "train.txt"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_corpus(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_missing_corpus_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"not a readable text file: .*No such file"):
        read_corpus(tmp_path / "absent.txt")


def test_the_stream_is_cut_into_columns_without_the_rest():
    """11 tokens in 3 columns of 3: 0 1 2, 3 4 5, 6 7 8; the batch is the first two rows."""
    assert token_batch(np.arange(11), 3, 2).tolist() == [[0, 3, 6], [1, 4, 7]]
    assert token_batch(np.arange(11), 3, 2, start=1).tolist() == [[1, 4, 7], [2, 5, 8]]


@pytest.mark.parametrize("arguments", [(3, 4), (12, 1), (0, 1), (3, 0), (3, 1, -1), (3, 2, 2)])
def test_a_stream_that_is_too_short_is_refused(arguments):
    with pytest.raises(InputError, match=r"^tokens: found 11, expected at least"):
        token_batch(np.arange(11), *arguments)


def test_penn_treebank_has_its_size(mirror):
    corpus = read_corpus(mirror / "ptb" / "train.txt")
    assert len(corpus.tokens) == 929_589
    assert len(corpus.vocabulary) == 10_000
    batch = token_batch(corpus.tokens)
    assert batch.shape == (70, 256)
    assert batch[:, 0].tolist() == corpus.tokens[:70].tolist()


@pytest.mark.parametrize(
    ("kind", "low", "high", "mean", "deviation"),
    [
        ("uniform_positive_0.1", 0, 0.1, 0.05, 0.1 / 12**0.5),
        ("uniform_positive_1", 0, 1, 0.5, 1 / 12**0.5),
        ("uniform_centered_0.1", -0.1, 0.1, 0, 0.2 / 12**0.5),
        ("uniform_centered_1", -1, 1, 0, 2 / 12**0.5),
        ("random_0.1", -np.inf, np.inf, 0, 0.1),
        ("random_1", -np.inf, np.inf, 0, 1),
    ],
)
def test_embeddings_have_the_papers_distributions(kind, low, high, mean, deviation):
    found = embedding(kind, 500, np.random.default_rng(0))
    assert found.shape == (500, 400)
    assert found.dtype == np.float32
    assert low <= found.min()
    assert found.max() <= high
    assert found.mean() == pytest.approx(mean, abs=0.01 * deviation)
    assert found.std() == pytest.approx(deviation, rel=0.01)


def test_embeddings_depend_on_their_seed_alone():
    for kind in EMBEDDINGS:
        one, again, other = (embedding(kind, 5, np.random.default_rng(seed), 3) for seed in (1, 1, 2))
        assert (one == again).all()
        assert (one != other).any()


def test_an_unknown_embedding_is_refused():
    with pytest.raises(InputError, match=r"^embedding: found 'ones', expected one of uniform_positive_0.1, "):
        embedding("ones", 5, np.random.default_rng(0))


TOKENS = np.array([[0, 1, 2], [2, 1, 0]])
TABLE = np.ones((3, 4), np.float32)
NAN = TABLE.copy()
NAN[1, 2] = np.nan


@pytest.mark.parametrize(
    ("tokens", "table", "message"),
    [
        (TOKENS.astype(np.int32), TABLE, "T: found int32, expected an array of int64"),
        (TOKENS.tolist(), TABLE, "T: found list, expected an array of int64"),
        (TOKENS[0], TABLE, "T: found shape (3,), expected (time, batch), none 0"),
        (TOKENS[:0], TABLE, "T: found shape (0, 3), expected (time, batch), none 0"),
        (TOKENS, TABLE.astype(np.float16), "E: found float16, expected an array of float32 or float64"),
        (TOKENS, TABLE[0], "E: found shape (4,), expected (vocabulary, units), none 0"),
        (TOKENS, NAN, "E: row 1 has entries that are not finite (NaN or infinite)"),
        (TOKENS, TABLE[:2], "T: found 2 at time 0, sequence 2, expected 0 to 1, a row of the embedding"),
        (-TOKENS, TABLE, "T: found -1 at time 0, sequence 1, expected 0 to 2, a row of the embedding"),
    ],
)
def test_a_bad_batch_is_refused(tokens, table, message):
    with pytest.raises(InputError) as caught:
        check_token_batch(TokenBatch(tokens, table), ("T", "E"))
    assert str(caught.value) == message


def test_a_batch_is_read_from_files(tmp_path):
    np.save(tmp_path / "tokens.npy", TOKENS)
    np.save(tmp_path / "embedding.npy", TABLE)
    found = read_token_batch(tmp_path / "tokens.npy", tmp_path / "embedding.npy")
    assert (found.tokens == TOKENS).all()
    assert (found.embedding == TABLE).all()


def test_bad_files_are_refused(tmp_path):
    tokens, table = tmp_path / "tokens.npy", tmp_path / "embedding.npy"
    with pytest.raises(InputError, match=r"tokens.npy: no such file, expected tokens \(time, batch\) \(.npy\)$"):
        read_token_batch(tokens, table)
    tokens.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"tokens.npy: not a readable .npy file: "):
        read_token_batch(tokens, table)
    np.save(tokens, np.array([{}], dtype=object))
    with pytest.raises(InputError, match=r"tokens.npy: not a readable .npy file: "):
        read_token_batch(tokens, table)
    np.save(tokens, TOKENS)
    with pytest.raises(InputError, match=r"embedding.npy: no such file, expected an embedding"):
        read_token_batch(tokens, table)
