import numpy as np
import pytest

from epsinas import InputError
from epsinas.engines.sequences import FAMILY
from epsinas.engines.sequences.batches import embedding, read_corpus, read_draws
from epsinas.streams import stream


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("\n".join(" ".join(f"w{line}_{word}" for word in range(4)) for line in range(12)) + "\n")
    return path


def test_draws_of_a_text_are_successive_rows(text):
    # 12 lines of 5 tokens, the last one the end of the sentence: 3 columns of 20 rows.
    first, second = read_draws(text, "uniform_positive_1", 3, 4, range(2), 5)
    tokens, vocabulary = read_corpus(text)
    assert first.tokens[:, 0].tolist() == tokens[:4].tolist()
    assert second.tokens[:, 1].tolist() == tokens[24:28].tolist()
    for draw, batch in enumerate((first, second)):
        expected = embedding("uniform_positive_1", len(vocabulary), stream(5, "batch", draw))
        np.testing.assert_array_equal(batch.embedding, expected)


def test_a_text_that_is_too_short(text):
    with pytest.raises(InputError, match="expected at least 3 columns of 24 rows"):
        read_draws(text, "uniform_positive_1", 3, 4, [5], 0)


def test_texts_of_corpora():
    section = {"corpora": {"ptb": "train", "b": "valid", "wikitext-2": "zipf", "zipf": "train"}}
    assert FAMILY.datasets(section) == ["ptb", "b", "wikitext-2", "zipf"]
    sources = [FAMILY.source(section, corpus, "random_1") for corpus in section["corpora"]]
    assert sources == ["ptb/train.txt", "b/valid.txt", "zipf/train.txt", "zipf/train.txt"]
    assert [FAMILY.stand_in(section, corpus, "random_1") for corpus in section["corpora"]] == [
        "",
        "",
        "Zipf tokens",
        "",
    ]
