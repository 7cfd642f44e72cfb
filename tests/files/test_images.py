import tracemalloc

import numpy as np
import pytest

from epsinas.files.images import statistics_of


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (7, 5, 3, 3), (300, 40, 40, 3), (2, 600, 600, 1)])
def test_statistics_are_those_of_numpy(shape):
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    mean, deviation = statistics_of(images)
    assert (mean.shape, mean.dtype) == (shape[3:], np.float64)
    np.testing.assert_allclose(mean, images.mean(axis=(0, 1, 2)), rtol=1e-14)
    np.testing.assert_allclose(deviation, images.std(axis=(0, 1, 2)), rtol=1e-12)


def test_a_channel_of_one_level_deviates_by_nothing():
    images = np.full((1000, 32, 32, 3), 255, dtype=np.uint8)
    images[0, 0, 0, 1] = 254
    mean, deviation = statistics_of(images)
    count = 1000 * 32 * 32
    assert mean.tolist() == [255, (255 * count - 1) / count, 255]
    # The deviation of one 1 among n - 1 zeros is sqrt(n - 1) / n.
    assert deviation.tolist() == [0, pytest.approx(np.sqrt(count - 1) / count, rel=1e-15), 0]


def test_statistics_take_little_memory():
    """Once, all images were normalised in float64, 16 bytes for each of their numbers."""
    images = np.zeros((10_000, 32, 32, 3), dtype=np.uint8)
    tracemalloc.start()
    statistics_of(images)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6
