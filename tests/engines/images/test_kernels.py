import numpy as np
import pytest
import torch
from torch.nn import functional

from epsinas.engines.images import kernels
from epsinas.engines.images.kernels import MAX, MEAN, SUM, View

VIEWS = {
    "plain": View(0.0, 0, SUM, 1, 1, 0),
    "relu": View(0.0, 1, SUM, 1, 1, 0),
    "3x3 sum": View(0.0, 0, SUM, 3, 1, 1),
    "3x3 sum of relu": View(0.0, 1, SUM, 3, 1, 1),
    "3x3 sum, stride 2": View(0.0, 0, SUM, 3, 2, 1),
    "3x3 sum of relu, stride 2": View(0.0, 1, SUM, 3, 2, 1),
    "3x3 mean": View(0.0, 0, MEAN, 3, 1, 1),
    "3x3 mean of relu": View(0.0, 1, MEAN, 3, 1, 1),
    "2x2 mean, stride 2": View(0.0, 0, MEAN, 2, 2, 0),
    "2x2 mean of relu, stride 2": View(0.0, 1, MEAN, 2, 2, 0),
    "3x3 maximum": View(0.0, 0, MAX, 3, 1, 1),
    "3x3 maximum of relu": View(0.0, 1, MAX, 3, 1, 1),
    "3x3 maximum, stride 2": View(0.0, 0, MAX, 3, 2, 1),
    "2x2 maximum, stride 2": View(0.0, 0, MAX, 2, 2, 0),
    "less a threshold": View(0.375, 0, SUM, 1, 1, 0),
    "relu above a threshold": View(0.375, 1, SUM, 1, 1, 0),
    "3x3 sum less a threshold": View(-0.375, 0, SUM, 3, 1, 1),
    "3x3 sum of relu above a threshold": View(-0.375, 1, SUM, 3, 1, 1),
    "3x3 mean of relu above a threshold": View(0.375, 1, MEAN, 3, 1, 1),
    "3x3 maximum of relu above a threshold": View(0.375, 1, MAX, 3, 1, 1),
    "2x2 maximum less a threshold, stride 2": View(0.375, 0, MAX, 2, 2, 0),
    "2x2 maximum of relu, stride 2": View(0.0, 1, MAX, 2, 2, 0),
}
# Height, width, lanes, blocks.
LAYOUTS = [(1, 1, 3, 2), (2, 2, 1, 1), (3, 3, 4, 1), (4, 4, 2, 3), (8, 8, 5, 1), (4, 8, 1, 4), (11, 9, 40, 2)]
TOLERANCE = {np.float32: 1e-6, np.float64: 1e-14}


def interleave(images: np.ndarray, lanes: int) -> np.ndarray:
    """The layout of the kernels, pixel by pixel."""
    count, height, width = images.shape
    array = np.full((count // lanes, height, width * lanes), np.nan, images.dtype)
    for n, y, x in np.ndindex(images.shape):
        array[n // lanes, y, x * lanes + n % lanes] = images[n, y, x]
    return array


def expected(images: np.ndarray, view: View) -> np.ndarray:
    """A view of images (N, H, W) in torch, in float64."""
    threshold, rectify, mode, kernel, stride, padding = view
    x = torch.from_numpy(images.astype(np.float64))[:, None] - threshold
    x = x.relu() if rectify else x
    if mode == MEAN:
        x = functional.avg_pool2d(x, kernel, stride, padding, count_include_pad=False)
    elif mode == MAX:
        x = functional.max_pool2d(x, kernel, stride, padding)
    else:
        x = functional.conv2d(x, torch.ones((1, 1, kernel, kernel), dtype=x.dtype), stride=stride, padding=padding)
    return x[:, 0].numpy()


def random_images(layout: tuple[int, ...], dtype: type, seed: int = 0) -> np.ndarray:
    height, width, lanes, blocks = layout
    return np.random.default_rng(seed).standard_normal((blocks * lanes, height, width)).astype(dtype)


def combine(maps: list[np.ndarray], views: list, coefficients: list[float], constant: float, shape, lanes: int):
    """Call the kernel as the engine does: with four maps, of which the last may be fillers."""
    dtype = maps[0].dtype
    out = np.full(shape, np.nan, dtype)
    maps = tuple(maps) + (out,) * (4 - len(maps))
    rows = np.array(views, np.float64)
    kernels.combine(out, maps, rows, np.array(coefficients, dtype), dtype.type(constant), False, lanes)
    return out


def moments(images: np.ndarray, view: View, lanes: int, scale: float = 1.0) -> tuple[float, float, np.ndarray]:
    """Call the kernel as the engine does; return the map that it stores too."""
    out = np.full(interleave(expected(images, view), lanes).shape, np.nan, images.dtype)
    return *kernels.moments(interleave(images, lanes), view, out, scale, lanes), out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_combine_of_one_view_equals_torch(view, dtype):
    for layout in LAYOUTS:
        if min(layout[:2]) < view.kernel - 2 * view.padding:
            continue
        lanes = layout[2]
        images = random_images(layout, dtype)
        wanted = interleave(-2.5 * expected(images, view) + 0.75, lanes)
        out = combine([interleave(images, lanes)], [view], [-2.5], 0.75, wanted.shape, lanes)
        np.testing.assert_allclose(out, wanted, rtol=0, atol=30 * TOLERANCE[dtype], err_msg=str(layout))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_moments_equal_numpy(view, dtype):
    for layout in LAYOUTS:
        if min(layout[:2]) < view.kernel - 2 * view.padding:
            continue
        lanes = layout[2]
        images = random_images(layout, dtype)
        wanted = expected(images, view)
        mean, variance, stored = moments(images, view, lanes)
        assert mean == pytest.approx(wanted.mean(), abs=10 * TOLERANCE[dtype])
        assert variance == pytest.approx(wanted.var(), rel=20 * TOLERANCE[dtype], abs=1e-30)
        if view.kernel > 1:
            np.testing.assert_allclose(stored, interleave(wanted, lanes), rtol=0, atol=30 * TOLERANCE[dtype])
        else:
            assert np.isnan(stored).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_combine_sums_views_of_several_maps(dtype):
    layout, lanes = (4, 4, 3, 2), 3
    images = [random_images(layout, dtype, seed) for seed in range(4)]
    names = ["plain", "relu", "3x3 sum", "3x3 mean of relu"]
    views, coefficients = [VIEWS[name] for name in names], [1.0, -3.0, 0.5, 2.0]
    wanted = interleave(
        sum(c * expected(x, view) for c, x, view in zip(coefficients, images, views, strict=True)) - 1, lanes
    )
    out = combine([interleave(x, lanes) for x in images], views, coefficients, -1.0, wanted.shape, lanes)
    np.testing.assert_allclose(out, wanted, rtol=0, atol=30 * TOLERANCE[dtype])


def test_combine_joins_maps_of_different_sizes():
    lanes = 2
    large, small = random_images((8, 8, 2, 2), np.float64), random_images((4, 4, 2, 2), np.float64, 1)
    views = [VIEWS["2x2 mean, stride 2"], VIEWS["3x3 sum of relu, stride 2"], VIEWS["plain"]]
    wanted = expected(large, views[0]) + 2 * expected(large, views[1]) - small
    maps = [interleave(large, lanes), interleave(large, lanes), interleave(small, lanes)]
    out = combine(maps, views, [1.0, 2.0, -1.0], 0.0, (2, 4, 8), lanes)
    np.testing.assert_allclose(out, interleave(wanted, lanes), rtol=0, atol=1e-13)


def test_combine_adds_onto_what_is_there_and_leaves_the_constant_out():
    lanes = 2
    first, second = (random_images((4, 4, 2, 1), np.float64, seed) for seed in (0, 1))
    out, other = interleave(first, lanes), interleave(second, lanes)
    views = np.array([VIEWS["3x3 sum"]], np.float64)
    kernels.combine(out, (other, out, out, out), views, np.array([2.0]), np.float64(7.0), True, lanes)
    wanted = first + 2 * expected(second, VIEWS["3x3 sum"])
    np.testing.assert_allclose(out, interleave(wanted, lanes), rtol=0, atol=1e-13)


def test_sums_of_small_integers_are_exact():
    images = np.random.default_rng(0).integers(-9, 10, (6, 8, 8)).astype(np.float32)
    for view in (view for view in VIEWS.values() if view.mode == SUM):
        wanted = interleave(expected(images, view).astype(np.float32), 3)
        out = combine([interleave(images, 3)], [view], [1.0], 0.0, wanted.shape, 3)
        np.testing.assert_array_equal(out, wanted)


def test_padding_is_never_the_largest():
    images = -1 - np.abs(random_images((4, 4, 2, 2), np.float64))
    for name in ("3x3 maximum", "3x3 maximum, stride 2", "2x2 maximum, stride 2"):
        wanted = interleave(expected(images, VIEWS[name]), 2)
        out = combine([interleave(images, 2)], [VIEWS[name]], [1.0], 0.0, wanted.shape, 2)
        np.testing.assert_array_equal(out, wanted)
        assert (out <= -1).all()


@pytest.mark.parametrize("name", ["3x3 maximum", "3x3 maximum of relu"])
def test_infinity_passes_through_a_maximum(name):
    images = np.zeros((1, 4, 4))
    images[0, 0, 0], images[0, 3, 3] = np.inf, -np.inf
    out = combine([interleave(images, 1)], [VIEWS[name]], [1.0], 0.0, (1, 4, 4), 1)
    np.testing.assert_array_equal(out, expected(images, VIEWS[name]))


def test_only_zeros_are_zero():
    images = -np.abs(random_images((4, 4, 2, 2), np.float32))
    out = combine([interleave(images, 2)], [VIEWS["relu"]], [1.0], 0.0, (2, 4, 8), 2)
    assert not out.any()
    assert kernels.is_zero(out)
    for value in (1e-45, np.nan, -np.inf):
        out[1, 3, 7] = value
        assert not kernels.is_zero(out)
    assert kernels.is_zero(np.full((1, 2, 2), -0.0))


def test_rounding_to_a_unit_is_what_subnormal_numbers_get():
    images = np.append(random_images((8, 8, 4, 3), np.float32).ravel(), [0.5, 1.5, 2.5, -0.5, np.nan, np.inf])
    rounded = images.astype(np.float32)
    kernels.round_to(rounded, np.float32(2**-5))
    np.testing.assert_array_equal(np.ldexp(rounded, -144), np.ldexp(images, -144).astype(np.float32))
    assert len(np.unique(rounded)) < 200


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["plain", "relu", "3x3 sum of relu", "3x3 mean of relu", "3x3 maximum of relu"])
def test_nan_passes_through(name, dtype):
    images = random_images((4, 4, 2, 2), dtype)
    images[3, 0, 1] = np.nan
    view = VIEWS[name]
    out = combine([interleave(images, 2)], [view], [1.0], 0.0, (2, 4, 8), 2)
    # torch's relu and windows, as an independent account of where NaN goes.
    np.testing.assert_array_equal(np.isnan(out), interleave(np.isnan(expected(images, view)), 2))
    assert np.isnan(out).sum() == (1 if view.kernel == 1 else 6)
    assert all(np.isnan(moments(images, view, 2)[:2]))


def test_infinity_passes_through_relu():
    images = np.array([[[np.inf, -np.inf]]])
    out = combine([interleave(images, 1)], [VIEWS["relu"]], [1.0], 0.0, (1, 1, 2), 1)
    assert out.tolist() == [[[np.inf, 0.0]]]


@pytest.mark.parametrize(("dtype", "mean", "rel"), [(np.float32, 1e3, 1e-5), (np.float64, 1e9, 1e-6)])
def test_a_mean_far_above_the_deviation_costs_the_variance_no_digits(dtype, mean, rel):
    # More than a million times the variance's square root, in the format's own rounding.
    images = (mean + random_images((8, 8, 4, 3), np.float64) * mean * 1e-6 * 100).astype(dtype)
    *found, _ = moments(images, VIEWS["plain"], 4)
    exact = images.astype(np.longdouble)
    assert found == pytest.approx([float(exact.mean()), float(exact.var())], rel=rel)


@pytest.mark.parametrize("name", ["plain", "relu", "3x3 sum of relu", "3x3 maximum"])
@pytest.mark.parametrize("power", [-70, 70])
def test_squares_out_of_range_are_summed_when_scaled(name, power):
    images = random_images((8, 8, 4, 3), np.float32)
    far = np.ldexp(images, power)
    mean, variance, _ = moments(images, VIEWS[name], 4)
    assert moments(far, VIEWS[name], 4, 2.0**-power)[:2] == (np.ldexp(mean, power), np.ldexp(variance, 2 * power))
    assert moments(far, VIEWS[name], 4)[1] != np.ldexp(variance, 2 * power)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_variance_of_a_constant_map_is_no_more_than_the_rounding_of_its_mean(dtype):
    images = np.full((6, 4, 4), 0.1, dtype)
    mean, variance, _ = moments(images, VIEWS["plain"], 3)
    assert mean == pytest.approx(float(images[0, 0, 0]), rel=1e-15)
    assert 0 <= variance < (1e-16) ** 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_empty_arrays_begin_with_a_cache_line(dtype):
    for shape in [(1, 2, 3), (8, 32, 1024)]:
        array = kernels.empty(shape, dtype)
        assert (array.shape, array.dtype, array.ctypes.data % 64) == (shape, dtype, 0)
        assert array.flags.c_contiguous
        assert array.flags.writeable
