import doctest

import numpy as np
import pytest

from epsinas import NasBench201, load_benchmark, score_architectures
from epsinas.engines.images import natural
from epsinas.engines.images.batches import synthetic_batch
from epsinas.engines.images.natural import pink_noise

IMAGES = 2000


@pytest.fixture(scope="module")
def noise():
    return pink_noise((IMAGES, 3, 32, 32), np.random.default_rng(0)).astype(np.float64)


def centred(noise: np.ndarray) -> np.ndarray:
    return noise - noise.mean(axis=(2, 3), keepdims=True)


@pytest.mark.parametrize("shape", [(5, 3, 16, 32), (2, 1, 4, 4), (1, 4, 7, 5)])
def test_images_are_contiguous_single_precision_of_their_seed(shape):
    batch = pink_noise(shape, np.random.default_rng(3))
    assert batch.shape == shape
    assert batch.dtype == np.float32
    assert batch.flags.c_contiguous
    assert np.isfinite(batch).all()
    np.testing.assert_array_equal(batch, pink_noise(shape, np.random.default_rng(3)))
    np.testing.assert_array_equal(batch, synthetic_batch("pink_noise", shape, np.random.default_rng(3)))
    assert not np.array_equal(batch, pink_noise(shape, np.random.default_rng(4)))


@pytest.mark.parametrize("axis", ["horizontal", "vertical"])
def test_amplitudes_fall_as_one_over_frequency(noise, axis):
    """The white noise of pixels is known, and taken off: its power is the same at every frequency."""
    power = (np.abs(np.fft.fft2(centred(noise))) ** 2).mean(axis=(0, 1)) - 32**2 * natural.PIXEL_NOISE**2
    line = power[0] if axis == "horizontal" else power[:, 0]
    frequencies = np.arange(1, 16)
    slope = np.polyfit(np.log(frequencies), np.log(line[frequencies]) / 2, 1)[0]
    assert slope == pytest.approx(-1, abs=0.03)


def test_channels_correlate_within_an_image(noise):
    fields = centred(noise)
    covariance = np.einsum("ncyx,ndyx->cd", fields, fields) / (IMAGES * 32 * 32)
    # Pixel noise is each channel's own: without it the variance is that of the fields, c squared on average.
    variance = np.diag(covariance).mean() - natural.PIXEL_NOISE**2
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert covariance[one, other] / variance == pytest.approx(0.81, abs=0.015)


def test_luminance_and_contrast(noise):
    luminance = noise.mean(axis=(1, 2, 3))
    # The standard error of the mean is 0.5 / sqrt(2000) = 0.011, that of a deviation 0.008.
    assert luminance.mean() == pytest.approx(0, abs=0.04)
    assert luminance.std() == pytest.approx(0.5, abs=0.03)
    variance = centred(noise).var(axis=(1, 2, 3)) - natural.PIXEL_NOISE**2
    contrast = np.log(variance) / 2
    assert np.exp(np.median(contrast)) == pytest.approx(0.8, abs=0.04)
    assert contrast.std() == pytest.approx(0.4, abs=0.03)
    assert abs(np.corrcoef(luminance, contrast)[0, 1]) < 0.08


def test_mean_and_deviation_of_all_pixels(noise):
    assert noise.mean() == pytest.approx(0, abs=0.04)
    # Luminance, fields and pixels: 0.25 + 0.64 exp(2 * 0.4^2) + 0.04.
    assert noise.std() == pytest.approx(np.sqrt(0.29 + 0.64 * np.exp(0.32)), abs=0.03)


def test_images_differ_and_so_do_channels():
    batch = pink_noise((4, 3, 8, 8), np.random.default_rng(0)).reshape(12, -1)
    assert len(np.unique(batch, axis=0)) == 12


def test_scores_on_noise_rank_networks_as_training_does():
    networks = load_benchmark("nas-bench-201").sample(150, random_state=0)
    batch = pink_noise((64, 3, 32, 32), np.random.default_rng(0))
    networks["score"] = score_architectures(NasBench201(), networks["architecture"], batch, NasBench201.weights)
    assert networks["score"].corr(networks["cifar10_test_200"], method="spearman") > 0.7


def test_example_runs():
    assert doctest.testmod(natural).failed == 0
