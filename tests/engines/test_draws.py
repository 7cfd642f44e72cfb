import numpy as np
import pytest

from epsinas import InputError
from epsinas.engines.draws import read_draws
from epsinas.engines.images.batches import image_batch, synthetic_batch
from epsinas.engines.sequences.batches import embedding, read_corpus
from epsinas.files.images import write_images


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    write_images(rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8), np.zeros(20, int), "made up", tmp_path / "a.npz")
    return tmp_path / "a.npz"


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("\n".join(" ".join(f"w{line}_{word}" for word in range(4)) for line in range(12)) + "\n")
    return path


def test_a_draw_does_not_depend_on_the_others(images):
    from epsinas.files.images import read_images

    third = read_draws(images, "a", "real", 6, [3], 7)[0]
    np.testing.assert_array_equal(third, read_draws(images, "a", "real", 6, range(5), 7)[3])
    expected = image_batch(read_images(images).images, "a", 6, np.random.default_rng([7, 3]))
    np.testing.assert_array_equal(third, expected)
    assert not np.array_equal(third, read_draws(images, "a", "real", 6, [3], 8)[0])


def test_synthetic_images_have_the_shape_of_the_real_ones(images):
    (batch,) = read_draws(images, "a", "random_normal", 6, [1], 0)
    np.testing.assert_array_equal(batch, synthetic_batch("random_normal", (6, 3, 8, 8), np.random.default_rng([0, 1])))


def test_draws_of_a_text_are_successive_rows(text):
    # 12 lines of 5 tokens, the last one the end of the sentence: 3 columns of 20 rows.
    first, second = read_draws(text, "toy", "uniform_positive_1", 3, range(2), 5, steps=4)
    tokens, vocabulary = read_corpus(text)
    assert first.tokens[:, 0].tolist() == tokens[:4].tolist()
    assert second.tokens[:, 1].tolist() == tokens[24:28].tolist()
    for draw, batch in enumerate((first, second)):
        expected = embedding("uniform_positive_1", len(vocabulary), np.random.default_rng([5, draw]))
        np.testing.assert_array_equal(batch.embedding, expected)


def test_mistakes(images, text):
    with pytest.raises(InputError, match="synthetic data: found 'grey'"):
        read_draws(images, "a", "grey", 6, [0], 0)
    with pytest.raises(InputError, match="batch size: found 21, expected at most the 20 images of a"):
        read_draws(images, "a", "real", 21, [0], 0)
    with pytest.raises(InputError, match="expected at least 3 columns of 24 rows"):
        read_draws(text, "toy", "uniform_positive_1", 3, [5], 0, steps=4)
