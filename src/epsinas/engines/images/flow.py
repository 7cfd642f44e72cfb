"""SynFlow of the mean of all random initialisations, by one map and its derivative for each run of equal channels.

SynFlow's network has the absolute values of its weights, no batch normalisation and an image of ones. Everything in it
is at least 0, so rectifiers pass it on, and its output R, the sum of the logits, is linear in each layer's weights.
Initialisations draw the layers independently; hence the mean of R, and of every layer's sum of w dR/dw, is that of the
network in which each weight of a layer is the mean E|w| of that layer. All channels that a layer gives are then equal.

For one layer, the sum of w dR/dw is the derivative of R in a factor t of that layer's weights, at t = 1. For all layers
together, it is the derivative of R where t multiplies the weights of every layer, which the chain rule carries forward
beside the maps: (t W x)' = W x + W x'.

Max pooling is not linear. With it, the network is still that of the mean weights, but its R is at most the mean of R:
the maximum of means is at most the mean of maxima.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from epsinas.compilation import compiled
from epsinas.spaces import ImageSpace
from epsinas.spaces.operations import output_size, padding

_NOTHING = -(2**30)
"""The exponent of zero, below that of anything else."""


class DualMap(NamedTuple):
    """A channel's map and its derivative, float64 (2, H, W), times 2 to the power `exponent`."""

    dual: np.ndarray
    exponent: int


Runs = tuple[tuple[DualMap, int], ...]
"""Maps, and the number of consecutive channels that each stands for."""


class Flow:
    """Operations on runs of equal channels; each layer has the mean absolute weight of torch's initialisation.

    Uniform weights on (-1, 1) / sqrt(fan in) have the mean absolute value 1 / (2 sqrt(fan in)).
    """

    def __init__(self) -> None:
        self._convolved: dict[tuple, tuple[Runs, DualMap]] = {}

    def conv(self, x: Runs, channels: int, kernel: int, stride: int = 1) -> Runs:
        """Sum the channels and the window, and bring the largest entry below 1; once where it is asked for again."""
        key = (kernel, stride, *((id(one), count) for one, count in x))
        if key not in self._convolved:
            self._convolved[key] = x, _convolved(x, kernel, stride)  # with `x`, whose identity is not to be reused
        return ((self._convolved[key][1], channels),)

    def batch_norm(self, x: Runs) -> Runs:
        """Leave it out."""
        return x

    def relu(self, x: Runs) -> Runs:
        """Pass on what is not negative."""
        return x

    def avg_pool(self, x: Runs, kernel: int, stride: int) -> Runs:
        """Average over windows without counting the padding."""
        bands = [_bands(side, kernel, stride) for side in x[0][0].dual.shape[1:]]
        rows, columns = (band / band.sum(axis=1, keepdims=True) for band in bands)
        return tuple((DualMap(rows @ one.dual @ columns.T, one.exponent), count) for one, count in x)

    def max_pool(self, x: Runs, kernel: int, stride: int) -> Runs:
        """Take the maximum over windows, and the derivative where it is."""
        return tuple(
            (DualMap(_largest(one.dual, kernel, stride, padding(kernel)), one.exponent), count) for one, count in x
        )

    def add(self, xs: Sequence[Runs]) -> Runs:
        """Add maps over the common refinement of the runs."""
        if all(len(x) == 1 for x in xs):
            return ((_sum([(x[0][0], 1) for x in xs]), xs[0][0][1]),)
        ends = sorted({end for x in xs for end in accumulate(count for _, count in x)})
        starts = [0, *ends[:-1]]
        pieces = zip(starts, ends, strict=True)
        return tuple((_sum([(_at(x, start), 1) for x in xs]), end - start) for start, end in pieces)

    def concat(self, xs: Sequence[Runs]) -> Runs:
        """Put the runs one after the other."""
        return tuple(run for x in xs for run in x)

    def truncate(self, x: Runs, channels: int) -> Runs:
        """Keep the first runs."""
        starts = accumulate((count for _, count in x), initial=0)
        kept = [(one, min(count, channels - start)) for (one, count), start in zip(x, starts, strict=False)]
        return tuple((one, count) for one, count in kept if count > 0)

    def zeros(self, x: Runs) -> Runs:
        """Return zeros of the shape of `x`."""
        return ((DualMap(np.zeros_like(x[0][0].dual), _NOTHING), _channels(x)),)

    def global_avg_pool(self, x: Runs) -> Runs:
        """Average over the image."""
        return tuple((DualMap(one.dual.mean(axis=(1, 2), keepdims=True), one.exponent), count) for one, count in x)

    def linear(self, x: Runs, features: int) -> Runs:
        """Do as a convolution of one pixel; the bias adds nothing that depends on a weight."""
        return self.conv(x, features, 1)


def mean_flow(space: ImageSpace, architecture: str, image: tuple[int, int, int]) -> tuple[float, int]:
    """Return SynFlow of the network of mean absolute weights: the sum over all layers' weights of w dR/dw.

    For a space without max pooling it is the mean of SynFlow over torch's random initialisations.

    Args:
        space: the search space.
        architecture: its architecture string.
        image: channels, height and width of the images.

    Returns:
        (mantissa, exponent): SynFlow is mantissa * 2**exponent, which may leave the range of float64.

    Example:
        Maps of the deepest of the networks grow by up to sqrt(576) / 2 = 12 in each of its 45 convolutions.

        >>> from epsinas.spaces import NasBench201
        >>> deep = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_3x3~2|"
        >>> mantissa, exponent = mean_flow(NasBench201(), deep, (3, 32, 32))
        >>> print(f"{mantissa * 2.0**exponent:.2e}")
        2.23e+48
    """
    channels, height, width = image
    ones = DualMap(np.stack([np.ones((height, width)), np.zeros((height, width))]), 0)
    logits = space.network(Flow(), architecture, ((ones, channels),))
    total = _sum(logits)
    return float(total.dual[1, 0, 0]), total.exponent


def _convolved(x: Runs, kernel: int, stride: int) -> DualMap:
    total = _sum(x)
    if (kernel, stride) == (1, 1):
        dual = total.dual.copy()
    else:
        bands = [_bands(side, kernel, stride) for side in total.dual.shape[1:]]
        dual = bands[0] @ total.dual @ bands[1].T
    dual[1] += dual[0]
    dual /= 2 * math.sqrt(kernel**2 * _channels(x))
    shift = math.frexp(dual.max())[1]
    return DualMap(np.ldexp(dual, -shift), total.exponent + shift)


def _channels(x: Runs) -> int:
    return sum(count for _, count in x)


def _at(x: Runs, channel: int) -> DualMap:
    """Find the map of a channel."""
    ends = accumulate(count for _, count in x)
    return next(one for (one, _), end in zip(x, ends, strict=True) if channel < end)


def _sum(maps: Sequence[tuple[DualMap, int]]) -> DualMap:
    """Add maps, each so many times."""
    if len(maps) == 1:
        ((one, count),) = maps
        return one if count == 1 else DualMap(count * one.dual, one.exponent)
    exponent = max(one.exponent for one, _ in maps)
    total = sum(count * np.ldexp(one.dual, one.exponent - exponent) for one, count in maps)
    return DualMap(np.asarray(total), exponent)


@lru_cache(maxsize=256)
def _bands(side: int, kernel: int, stride: int) -> np.ndarray:
    """Return the matrix (output side, side) that sums over windows along one axis, the padding being 0."""
    first = stride * np.arange(output_size(side, kernel, stride))[:, None] - padding(kernel)
    pixels = np.arange(side)
    return ((pixels >= first) & (pixels < first + kernel)).astype(np.float64)


@compiled(nogil=True)
def _largest(dual: np.ndarray, kernel: int, stride: int, around: int) -> np.ndarray:
    """Take value and derivative from where each window's value is largest, the first of equal ones."""
    _, high, wide = dual.shape
    found = np.empty((2, (high + 2 * around - kernel) // stride + 1, (wide + 2 * around - kernel) // stride + 1))
    for y in range(found.shape[1]):
        for x in range(found.shape[2]):
            top, left = y * stride - around, x * stride - around
            row, column = max(top, 0), max(left, 0)
            for down in range(max(top, 0), min(top + kernel, high)):
                for along in range(max(left, 0), min(left + kernel, wide)):
                    if dual[0, down, along] > dual[0, row, column]:
                        row, column = down, along
            found[0, y, x], found[1, y, x] = dual[0, row, column], dual[1, row, column]
    return found
