"""Images made of noise with the statistics of natural images, to score networks on where there are none.

The constants below are for images that are normalised to mean 0 and deviation 1, as networks get them. They are from
what is known of natural images, not from how well scores on them rank networks:

- amplitudes fall as 1 / frequency: Field (1987), "Relations between the statistics of natural images and the response
  properties of cortical cells"; Ruderman and Bialek (1994), "Statistics of natural images: scaling in the woods", find
  1 / frequency^0.9;
- the contrast of a scene varies much, about as a log-normal does: Ruderman and Bialek (1994); it does so independently
  of its luminance: Frazor and Geisler (2006), "Local luminance and contrast in natural images";
- what red, green and blue see is much the same: Burton and Moorhead (1987), "Color and spatial structure in natural
  scenes"; Ruderman, Cronin and Chiao (1998), "Statistics of cone responses to natural images".

CIFAR-10's images, normalised, have luminances that deviate by 0.55, contrasts of about 0.75 whose logarithm deviates by
0.34, and channels that correlate 0.87 to 0.94 within an image; their amplitudes fall faster, with an exponent of 1.4.
"""

import numpy as np

EXPONENT = 1.0
"""Amplitudes fall as 1 / frequency to this power."""
SHARED = 0.9
"""Share of the field that all channels have in common; two channels correlate by its square, 0.81."""
CONTRAST, CONTRAST_SPREAD = 0.8, 0.4
"""Median of an image's contrast (the deviation of its fields), and the deviation of its logarithm."""
LUMINANCE_SPREAD = 0.5
"""Deviation of an image's mean."""
PIXEL_NOISE = 0.2
"""Deviation of the white noise of single pixels."""


def pink_noise(shape: tuple[int, int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Make images of 1/f noise, as networks get them: over many images, mean 0 and deviation about 1.1.

    Channel k of an image is `m + c * (0.9 * f + sqrt(0.19) * g_k) + n_k`: luminance m, contrast c, 1/f fields f (of all
    channels) and g_k (its own) with mean 0 and deviation 1, and white noise n_k.

    Args:
        shape: (images, channels, height, width), at least two pixels an image.
        rng: draws.

    Returns:
        float32 of `shape`.

    Example:
        >>> batch = pink_noise((16, 3, 32, 32), np.random.default_rng(0))
        >>> batch.shape, batch.dtype
        ((16, 3, 32, 32), dtype('float32'))
    """
    images, _, height, width = shape
    one_each = (images, 1, 1, 1)
    common, own = _fields((images, 1, height, width), rng), _fields(shape, rng)
    fields = SHARED * common + np.sqrt(1 - SHARED**2) * own
    contrast = CONTRAST * np.exp(rng.normal(0, CONTRAST_SPREAD, one_each))
    luminance = rng.normal(0, LUMINANCE_SPREAD, one_each)
    batch = luminance + contrast * fields + rng.normal(0, PIXEL_NOISE, shape)
    return np.ascontiguousarray(batch, dtype=np.float32)


def _fields(shape: tuple[int, int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw fields whose amplitudes fall with the frequency, each with mean 0 and deviation 1."""
    height, width = shape[2:]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = 1.0  # the mean, which goes anyway
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) / frequency**EXPONENT
    fields = np.fft.irfft2(spectrum, s=(height, width))
    fields -= fields.mean(axis=(2, 3), keepdims=True)
    return fields / fields.std(axis=(2, 3), keepdims=True)
