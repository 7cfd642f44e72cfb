import numpy as np
import pytest

from epsinas import InputError
from epsinas.engines.images import FAMILY
from epsinas.engines.images.batches import image_batch, read_draws, synthetic_batch
from epsinas.files.images import write_images
from epsinas.spaces import NasBench201
from epsinas.streams import stream


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    write_images(rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8), np.zeros(20, int), "made up", tmp_path / "a.npz")
    return tmp_path / "a.npz"


def test_a_draw_does_not_depend_on_the_others(images):
    from epsinas.files.images import read_images

    third = read_draws(images, "a", "real", 6, [3], 7)[0]
    np.testing.assert_array_equal(third, read_draws(images, "a", "real", 6, range(5), 7)[3])
    expected = image_batch(read_images(images).images, "a", 6, stream(7, "batch", 3))
    np.testing.assert_array_equal(third, expected)
    assert not np.array_equal(third, read_draws(images, "a", "real", 6, [3], 8)[0])


def test_synthetic_images_have_the_shape_of_the_real_ones(images):
    (batch,) = read_draws(images, "a", "random_normal", 6, [1], 0)
    np.testing.assert_array_equal(batch, synthetic_batch("random_normal", (6, 3, 8, 8), stream(0, "batch", 1)))


def test_mistakes(images):
    with pytest.raises(InputError, match="synthetic data: found 'grey'"):
        read_draws(images, "a", "grey", 6, [0], 0)
    with pytest.raises(InputError, match="batch size: found 21, expected at most the 20 images of a"):
        read_draws(images, "a", "real", 21, [0], 0)


def test_shape_of_a_data_set(images):
    assert FAMILY.data_shape("a", images) == (3, 8, 8)
    assert FAMILY.data_shape("ImageNet16-120", None) == (3, 16, 16)
    with pytest.raises(InputError, match=r"a: found no images, expected a\.npz, since the shape is not known"):
        FAMILY.data_shape("a", None)
    assert FAMILY.datasets({"datasets": ["a", "b"]}) == ["a", "b"]


def test_synthetic_images_of_a_known_shape_need_no_file():
    section = {"datasets": ["cifar10", "cifar100", "ImageNet16-120", "a"]}
    sources = [FAMILY.source(section, dataset, "pink_noise") for dataset in section["datasets"]]
    assert sources == [None, None, None, "a.npz"]
    assert [FAMILY.source(section, dataset, "real") for dataset in ("cifar10", "a")] == ["cifar10.npz", "a.npz"]
    shared = [FAMILY.inputs_of(section, dataset, "pink_noise") for dataset in section["datasets"]]
    assert shared == [(3, 32, 32), (3, 32, 32), (3, 16, 16), "a"]
    assert FAMILY.inputs_of(section, "cifar10", "real") == "cifar10"
    (batch,) = FAMILY.draws(None, "ImageNet16-120", "pink_noise", 6, [2], 1, {})
    np.testing.assert_array_equal(batch, synthetic_batch("pink_noise", (6, 3, 16, 16), stream(1, "batch", 2)))


def test_what_stands_in_for_images_is_named():
    kinds = ("real", "grey_scale", "random_normal", "pink_noise")
    assert [FAMILY.stand_in({}, "cifar10", kind) for kind in kinds] == ["", "", "", "1/f noise images"]


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
