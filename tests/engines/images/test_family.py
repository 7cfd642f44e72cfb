import numpy as np
import pytest

from epsinas import InputError
from epsinas.engines.images import FAMILY
from epsinas.engines.images.batches import image_batch, read_draws, synthetic_batch
from epsinas.files.images import write_images
from epsinas.spaces import NasBench201


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    write_images(rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8), np.zeros(20, int), "made up", tmp_path / "a.npz")
    return tmp_path / "a.npz"


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


def test_mistakes(images):
    with pytest.raises(InputError, match="synthetic data: found 'grey'"):
        read_draws(images, "a", "grey", 6, [0], 0)
    with pytest.raises(InputError, match="batch size: found 21, expected at most the 20 images of a"):
        read_draws(images, "a", "real", 21, [0], 0)


def test_shape_of_a_data_set(images):
    assert FAMILY.data_shape(images) == (3, 8, 8)
    assert FAMILY.data({"datasets": ["a", "b"]}) == {"a": "a.npz", "b": "b.npz"}


@pytest.mark.parametrize(
    ("architecture", "connected"),
    [
        ("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|", True),
        ("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|", False),
        ("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|avg_pool_3x3~1|none~2|", True),
    ],
)
def test_a_network_is_connected_if_the_images_reach_its_output(architecture, connected):
    assert FAMILY.connected(NasBench201(), architecture) is connected
