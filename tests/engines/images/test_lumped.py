from functools import reduce
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from epsinas.engines.images import lumped
from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.engines.images.initialisers import constant
from epsinas.engines.images.lumped import Graph, Lumped
from epsinas.errors import InputError
from epsinas.metrics.epsilon import epsilon
from epsinas.scoring import distinct, score_architectures
from epsinas.spaces import NasBench201

SPACE = NasBench201()
TINY = NasBench201(channels=1, cells=1, classes=1)
ALL = "|{0}~0|+|{0}~0|{0}~1|+|{0}~0|{0}~1|{0}~2|"
MIXED = [
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|",
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|",
    "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|nor_conv_1x1~2|",
    "|nor_conv_1x1~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|none~0|skip_connect~1|nor_conv_3x3~2|",
]


def images(count: int, channels: int, side: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, channels, side, side))


def outputs(space: NasBench201, architecture: str, batch: np.ndarray, weight: float, precision: str = "double"):
    node = lumped.build(space, architecture, batch.shape[1:])
    return Lumped(batch, precision).outputs(node, weight)


def full_width(space: NasBench201, architecture: str, batch: np.ndarray, weight: float) -> np.ndarray:
    """The first logit of every image in float64; all logits are equal."""
    with torch.no_grad():
        network = FullWidthNetwork(space, architecture, batch.shape[1:], constant(weight), torch.float64)
        return network(torch.from_numpy(batch.astype(np.float64)))[:, 0].numpy()


def assert_agree(ours: np.ndarray, reference: np.ndarray) -> None:
    np.testing.assert_allclose(ours, reference, rtol=0, atol=1e-10 * np.abs(reference).max())


# The reference.


@settings(deadline=None, max_examples=150)
@given(
    cell=st.tuples(*[st.integers(0, 4)] * 6),
    space=st.builds(NasBench201, st.integers(1, 4), st.integers(1, 2), st.just(1)),
    channels=st.sampled_from([1, 3]),
    side=st.sampled_from([8, 8, 8, 16, 16, 32]),
    count=st.sampled_from([2, 3, 4, 6, 7, 8, 12, 13, 33, 37]),
    exponents=st.tuples(st.floats(-7, 1), st.floats(-7, 1)),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_the_full_width_network(cell, space, channels, side, count, exponents, seed):
    architecture, batch = space.format(cell), images(count, channels, side, seed)
    weights = [10.0**exponent for exponent in exponents]
    ours = [outputs(space, architecture, batch, weight).values for weight in weights]
    reference = [full_width(space, architecture, batch, weight) for weight in weights]
    for mine, theirs in zip(ours, reference, strict=True):
        assert_agree(mine, theirs)
    # Normalisation magnifies the difference of 1e-10 by the largest magnitude over the range.
    if all(np.ptp(theirs) > 1e-3 * np.abs(theirs).max() for theirs in reference):
        for zeros in ("masked", "kept"):
            expected = epsilon(*reference, zeros)
            assert epsilon(*ours, zeros) == pytest.approx(expected, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("side", [32, 16], ids=["CIFAR-10 and CIFAR-100", "ImageNet16-120"])
@pytest.mark.parametrize("weight", [1e-3, 1.0])
@pytest.mark.parametrize("architecture", MIXED[:2])
def test_equals_the_full_width_network_at_the_published_size(architecture, weight, side):
    batch = images(3, 3, side)
    space = NasBench201(classes=1)
    assert_agree(outputs(space, architecture, batch, weight).values, full_width(space, architecture, batch, weight))


def test_single_precision_equals_double_precision_to_single_rounding():
    batch = images(8, 3, 16)
    for architecture, weight in product(MIXED, (1e-2, 1.0)):
        single, double = (
            outputs(SPACE, architecture, batch.astype(np.float32), weight, precision).values
            for precision in ("single", "double")
        )
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, double, rtol=0, atol=1e-4 * np.abs(double).max())


def test_rectangular_images_and_a_prime_number_of_them():
    batch = np.random.default_rng(0).standard_normal((5, 3, 8, 16))
    for architecture in MIXED:
        assert_agree(outputs(TINY, architecture, batch, 0.5).values, full_width(TINY, architecture, batch, 0.5))


def test_there_is_one_output_for_each_image_in_order():
    batch = images(12, 3, 8)
    order = np.random.default_rng(1).permutation(12)
    straight = outputs(TINY, MIXED[0], batch, 0.5).values
    assert straight.shape == (12,)
    assert_agree(outputs(TINY, MIXED[0], batch[order], 0.5).values, straight[order])


@pytest.mark.parametrize(
    ("count", "expected"), [(1, 1), (8, 8), (32, 32), (62, 62), (256, 32), (1000, 40), (1031, 1031)]
)
def test_lanes_are_the_smallest_divisor_from_32(count, expected):
    assert lumped.lanes(count) == expected


def test_an_unknown_precision_is_refused():
    with pytest.raises(InputError) as caught:
        Lumped(images(2, 3, 8), "half")
    assert str(caught.value) == "precision: found 'half', expected one of single, double, extended"


# Interning.

EQUAL = {
    "nodes 1 and 2 swapped": (
        "|nor_conv_3x3~0|+|avg_pool_3x3~0|none~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|",
        "|avg_pool_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|",
    ),
    "a dead end": (
        "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|none~1|nor_conv_1x1~2|",
        "|none~0|+|skip_connect~0|none~1|+|none~0|none~1|nor_conv_1x1~2|",
    ),
    "a chain of skips": (
        "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_3x3~2|",
        "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
    ),
    "operations on nothing": (
        "|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|",
        "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
    ),
    "twice the same": (
        "|skip_connect~0|+|none~0|none~1|+|nor_conv_1x1~0|nor_conv_1x1~1|none~2|",
        "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|nor_conv_1x1~1|nor_conv_1x1~2|",
    ),
    "a sum of sums": (
        "|avg_pool_3x3~0|+|skip_connect~0|skip_connect~1|+|nor_conv_3x3~0|none~1|skip_connect~2|",
        "|skip_connect~0|+|avg_pool_3x3~0|none~1|+|nor_conv_3x3~0|skip_connect~1|skip_connect~2|",
    ),
    "nothing at all": (
        "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|none~2|",
        ALL.format("none"),
    ),
}
DIFFERENT = {
    "another kernel": tuple(
        f"|none~0|+|none~0|none~1|+|nor_conv_{kernel}~0|none~1|none~2|" for kernel in ("1x1", "3x3")
    ),
    "another multiplicity": (
        "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
        "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|none~2|",
    ),
    "another order of operations": (
        "|avg_pool_3x3~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|none~2|",
        "|nor_conv_1x1~0|+|none~0|none~1|+|none~0|avg_pool_3x3~1|none~2|",
    ),
}


@pytest.mark.parametrize(("first", "second"), EQUAL.values(), ids=EQUAL)
def test_equal_cells_are_one_network(first, second):
    assert lumped.identity(SPACE, first) == lumped.identity(SPACE, second)
    batch = images(3, 3, 8)
    one, other = (outputs(TINY, architecture, batch, 0.3) for architecture in (first, second))
    np.testing.assert_array_equal(one.values, other.values)
    assert_agree(full_width(TINY, first, batch, 0.3), full_width(TINY, second, batch, 0.3))


@pytest.mark.parametrize(("first", "second"), DIFFERENT.values(), ids=DIFFERENT)
def test_different_cells_are_different_networks(first, second):
    assert lumped.identity(SPACE, first) != lumped.identity(SPACE, second)


def test_the_space_has_fewer_distinct_networks_than_the_benchmark_found():
    first, members = distinct(SPACE, list(SPACE.architectures()))
    assert len(first) == 4930 <= 6466
    assert members.max() == len(first) - 1


def test_networks_that_share_a_graph_share_their_outputs():
    architectures = SPACE.sample(400, np.random.default_rng(0))
    first, members = distinct(SPACE, architectures)
    shared = [(position, first[group]) for position, group in enumerate(members) if position != first[group]]
    assert len(shared) > 30
    batch = images(3, 1, 4)
    for one, other in shared[:30]:
        reference = full_width(TINY, architectures[other], batch, 0.7)
        assert_agree(full_width(TINY, architectures[one], batch, 0.7), reference)


def test_sums_do_not_depend_on_order_or_nesting():
    graph = Graph()
    x = graph.input(1, 4, 4)
    terms = [x, graph.relu(x), graph.avg_pool(x, 3, 1)]
    sums = [graph.add(order) for order in permutations(terms)]
    sums += [graph.add([graph.add([a, b]), c]) for a, b, c in permutations(terms)]
    assert len({node for ((node, _),) in sums}) == 1


def test_digests_depend_neither_on_order_nor_on_what_else_the_graph_holds():
    first, second = Graph(), Graph()
    x, y = first.input(1, 4, 4), second.input(1, 4, 4)
    ((one, _),) = first.add([first.relu(x), first.avg_pool(x, 3, 1)])
    second.batch_norm(second.conv(y, 3, 3))
    ((other, _),) = second.add([second.avg_pool(y, 3, 1), second.relu(y)])
    assert one.digest == other.digest


def test_equal_sub_expressions_exist_once():
    graph = Graph()
    x = graph.input(1, 8, 8)
    once = graph.batch_norm(graph.conv(graph.relu(x), 4, 3))
    assert graph.batch_norm(graph.conv(graph.relu(x), 4, 3)) == once
    # The channel, its relu, the convolution, its normalisation.
    assert len(graph.nodes) == 4


def test_a_disconnected_network_is_the_empty_sum():
    assert lumped.build(SPACE, ALL.format("none"), (3, 32, 32)).is_zero


def test_tensors_of_several_maps_are_added_over_their_common_runs():
    graph = Graph()
    (a, _), (b, _), (c, _) = graph.input(3, 4, 4)
    total = graph.add([((a, 2), (b, 3)), ((c, 4), (a, 1))])
    assert [count for _, count in total] == [2, 2, 1]
    assert [set(node.inputs) for node, _ in total] == [{a, c}, {b, c}, {a, b}]
    assert {node.attributes for node, _ in total} == {(1, 1)}


def test_tensors_of_several_maps_are_evaluated_with_their_counts():
    batch, graph = images(4, 3, 4), Graph()
    (a, _), (b, _), (c, _) = graph.input(3, 4, 4)
    pooled = graph.global_avg_pool(((a, 2), (b, 3), (a, 1), (c, 1)))
    ((node, features),) = graph.linear(pooled, 7)
    assert features == 7
    means = batch.mean(axis=(2, 3))
    found = Lumped(batch, "double").outputs(node, 0.5).values
    np.testing.assert_allclose(found, 0.5 * means @ [3, 3, 1], rtol=1e-13)
    ((node, _),) = graph.conv(((a, 2), (b, 3), (a, 1), (c, 1)), 5, 1)
    ((node, _),) = graph.linear(graph.global_avg_pool(((node, 5),)), 1)
    found = Lumped(batch, "double").outputs(node, 0.5).values
    np.testing.assert_allclose(found, 0.5 * 5 * 0.5 * means @ [3, 3, 1], rtol=1e-13)


# Precision.


class LongDouble:
    """Every layer with the constant weight, in numpy's long double: 15 bits of exponent."""

    def __init__(self, weight: float):
        self.weight = np.longdouble(weight)

    def windows(self, x, kernel: int, stride: int):
        pad = (kernel - 1) // 2
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        sides = [(side + 2 * pad - kernel) // stride + 1 for side in x.shape[2:]]
        return sum(
            padded[:, :, i : i + stride * sides[0] : stride, j : j + stride * sides[1] : stride]
            for i in range(kernel)
            for j in range(kernel)
        )

    def conv(self, x, channels, kernel, stride=1):
        total = self.windows(x, kernel, stride).sum(axis=1, keepdims=True)
        return np.repeat(self.weight * total, channels, axis=1)

    def batch_norm(self, x):
        centred = x - x.mean(axis=(0, 2, 3), keepdims=True)
        variance = (centred**2).mean(axis=(0, 2, 3), keepdims=True)
        return self.weight * centred / np.sqrt(variance + np.longdouble("1e-5"))

    def relu(self, x):
        return np.maximum(x, 0)

    def avg_pool(self, x, kernel, stride):
        return self.windows(x, kernel, stride) / self.windows(np.ones_like(x), kernel, stride)

    def add(self, xs):
        return reduce(np.add, xs)

    def zeros(self, x):
        return np.zeros_like(x)

    def global_avg_pool(self, x):
        return x.mean(axis=(2, 3))

    def linear(self, x, features):
        return np.repeat(self.weight * x.sum(axis=1, keepdims=True), features, axis=1)


def sum_of_many(ops, x):
    terms = [x]
    for _ in range(5):
        terms += [ops.avg_pool(ops.relu(terms[-1]), 3, 1), ops.batch_norm(terms[-1])]
    return ops.add(terms)


DESCRIPTIONS = {
    "convolution of a normalised map": lambda ops, x: ops.conv(ops.batch_norm(x), 3, 3),
    "convolution of a rectified, normalised map": lambda ops, x: ops.conv(ops.batch_norm(ops.relu(x)), 3, 3),
    "convolution of stride 2 of a normalised map": lambda ops, x: ops.conv(ops.batch_norm(x), 3, 3, stride=2),
    "pooling of a normalised map": lambda ops, x: ops.avg_pool(ops.batch_norm(x), 3, 1),
    "convolution of a pooled map": lambda ops, x: ops.conv(ops.avg_pool(x, 3, 1), 3, 3),
    "convolution of a convolution": lambda ops, x: ops.conv(ops.conv(x, 2, 3), 3, 3),
    "pooling of a pooled, normalised map": lambda ops, x: ops.avg_pool(ops.avg_pool(ops.batch_norm(x), 3, 1), 2, 2),
    "rectified twice": lambda ops, x: ops.relu(ops.batch_norm(ops.relu(x))),
    "a sum of more maps than the kernel takes at once": sum_of_many,
    "mean of a sum": lambda ops, x: ops.add([x, ops.relu(x), ops.relu(ops.batch_norm(x))]),
}


@pytest.mark.parametrize("precision", ["double", "extended"])
@pytest.mark.parametrize("describe", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_other_descriptions_than_those_of_the_space_are_evaluated(describe, precision):
    batch, graph, reference = images(6, 3, 8) + 0.1, Graph(), LongDouble(0.3)

    def network(ops, x):
        return ops.linear(ops.global_avg_pool(describe(ops, ops.conv(x, 2, 3))), 1)

    ((node, _),) = network(graph, graph.input(3, 8, 8))
    found = Lumped(batch, precision).outputs(node, 0.3)
    expected = network(reference, batch.astype(np.longdouble)).ravel().astype(np.float64)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(
        np.ldexp(found.values, found.exponent), expected, rtol=0, atol=1e-13 * np.abs(expected).max()
    )


wide_long_double = pytest.mark.skipif(
    np.finfo(np.longdouble).maxexp < 16384, reason="long double is no wider than double on this machine"
)


def long_double(architecture: str, batch: np.ndarray, weight: float) -> np.ndarray:
    return TINY.network(LongDouble(weight), architecture, batch.astype(np.longdouble)).ravel()


def test_extended_equals_double_bit_for_bit_within_its_range():
    batch = images(6, 3, 8)
    for architecture, weight in product(SPACE.sample(15, np.random.default_rng(0)), (1e-2, 0.3, 1.0, 20.0)):
        double = outputs(TINY, architecture, batch, weight)
        extended = outputs(TINY, architecture, batch, weight, "extended")
        assert double.exponent == 0
        np.testing.assert_array_equal(np.ldexp(extended.values, extended.exponent), double.values)


@wide_long_double
def test_the_long_double_interpreter_equals_the_full_width_network():
    batch = images(6, 3, 8)
    for architecture in MIXED:
        reference = full_width(TINY, architecture, batch, 0.3)
        assert_agree(long_double(architecture, batch, 0.3).astype(np.float64), reference)


@wide_long_double
@pytest.mark.parametrize("weight", [1e-170, 1e-60, 1e-30, 1e30, 1e170])
@pytest.mark.parametrize("architecture", [*MIXED, ALL.format("nor_conv_1x1")])
def test_extended_equals_long_double_beyond_the_range_of_double(architecture, weight):
    batch = images(6, 3, 8)
    found = outputs(TINY, architecture, batch, weight, "extended")
    reference = long_double(architecture, batch, weight)
    assert_agree(np.ldexp(found.values.astype(np.longdouble), found.exponent), reference)


@wide_long_double
@pytest.mark.parametrize("weights", [(1e-60, 1e-30), (1e-30, 1.0), (1.0, 1e30), (1e-200, 1e200)])
def test_extended_keeps_the_score_that_double_loses(weights):
    batch = images(12, 3, 8)
    architecture = ALL.format("nor_conv_3x3")
    extended = score_architectures(TINY, [architecture], batch, weights, precision="extended")
    reference = [long_double(architecture, batch, weight) for weight in weights]
    # Only ratios count, and they fit into float64.
    reference = [(values / values.max()).astype(np.float64) for values in reference]
    assert extended == pytest.approx(epsilon(*reference), rel=1e-9)
    if weights[0] < 1e-20:
        assert np.isnan(score_architectures(TINY, [architecture], batch, weights, precision="double"))


@pytest.mark.parametrize("weight", [5e-324, 1e-308, 1e-200, 1e200, 1e308])
@pytest.mark.parametrize("architecture", [*MIXED, ALL.format("nor_conv_3x3")])
def test_extended_has_varied_outputs_for_every_weight(architecture, weight):
    found = outputs(SPACE, architecture, images(12, 3, 8), weight, "extended").values
    assert np.isfinite(found).all()
    assert found.max() > found.min()


def test_extended_gives_no_outputs_to_equal_images_at_any_weight():
    # A single pixel is left in the third stage, and its variance is 0.
    batch = np.ones((3, 1, 4, 4))
    for architecture in MIXED:
        assert not outputs(TINY, architecture, batch, 1e300, "extended").values.any()


@pytest.mark.parametrize("precision", ["single", "double"])
def test_weights_out_of_range_give_no_score_and_no_warning(precision):
    scores = score_architectures(TINY, MIXED, images(4, 3, 8), (1.0, 1e300), precision=precision)
    assert np.isnan(scores).all()


@pytest.mark.parametrize(("precision", "dtype", "power"), [("single", np.float32, -150), ("double", np.float64, -1075)])
def test_fading_maps_are_those_of_the_dtype(precision, dtype, power):
    # Two convolutions take the maps by the given powers of two towards the smallest number, or below.
    batch = np.abs(images(4, 3, 8).astype(dtype))
    wide = Lumped(batch, "extended")
    narrow = Lumped(batch, precision)
    graph = Graph()
    x = graph.input(3, 8, 8)
    for steps in (2, 3, 4):
        x = graph.relu(graph.conv(x, 1, 3))
        ((output, _),) = graph.global_avg_pool(graph.max_pool(x, 3, 2))
        for above in range(-4, 30, 3):
            weight = 2.0 ** ((power + above) // (steps - 1))
            exact = wide.outputs(output, weight)
            found = narrow.outputs(output, weight)
            assert (found.values.dtype, found.exponent) == (dtype, 0)
            unit = 2.0 ** (power + 1)
            np.testing.assert_allclose(found.values, np.ldexp(exact.values, exact.exponent), rtol=1e-6, atol=2 * unit)
            assert np.all(np.ldexp(found.values.astype(np.float64), -power - 1) % 1 == 0)


def test_stored_maps_are_rounded_where_they_fade():
    # The average is stored for the maximum, a single pixel: eight of it are a multiple of eight of the smallest number.
    graph = Graph()
    x = graph.max_pool(graph.avg_pool(graph.conv(graph.input(3, 4, 4), 1, 1), 2, 2), 2, 2)
    ((output, _),) = graph.global_avg_pool(graph.add([x] * 8))
    found = Lumped(1 + np.abs(images(16, 3, 4)), "single").outputs(output, 2.0**-148).values
    units = np.ldexp(found.astype(np.float64), 149)
    assert not np.any(units % 8)
    assert len(np.unique(units)) > 1


# Which networks have a score.


def joined(architecture: str, operations: set[str]) -> bool:
    """Whether a path of edges with one of the operations joins input and output."""
    reached = {0}
    for target, node in enumerate(architecture.split("+"), 1):
        for token in node.strip("|").split("|"):
            operation, source = token.split("~")
            if operation in operations and int(source) in reached:
                reached.add(target)
    return 3 in reached


LINEAR = {"skip_connect", "avg_pool_3x3"}
CONNECTED = LINEAR | {"nor_conv_1x1", "nor_conv_3x3"}


def test_number_of_networks_that_have_a_score():
    architectures = list(SPACE.architectures())
    assert sum(joined(architecture, LINEAR) for architecture in architectures) == 9_226
    assert sum(joined(architecture, CONNECTED) for architecture in architectures) == 15_284


def test_number_of_networks_that_have_a_score_among_the_first_of_the_benchmark(mirror):
    table = pd.read_parquet(mirror / "nas-bench-201.architectures.parquet").sort_values("index")
    first = table["architecture"].iloc[:5000]
    assert sum(joined(architecture, LINEAR) for architecture in first) == 2_957


@pytest.mark.parametrize(("precision", "operations"), [("single", LINEAR), ("extended", CONNECTED)])
def test_a_network_has_a_score_iff_a_path_joins_input_and_output(precision, operations):
    batch = images(12, 3, 16).astype(np.float32)
    architectures = [*SPACE.sample(40, np.random.default_rng(2)), ALL.format("none"), *MIXED]
    scores = score_architectures(SPACE, architectures, batch, (1e-7, 1.0), precision=precision)
    expected = [joined(architecture, operations) for architecture in architectures]
    assert (~np.isnan(scores)).tolist() == expected


# State.


@pytest.mark.parametrize("precision", ["single", "double", "extended"])
def test_outputs_do_not_depend_on_what_was_evaluated_before(precision):
    batch = images(6, 3, 8)
    nodes = [lumped.build(TINY, architecture, batch.shape[1:]) for architecture in MIXED]
    fresh = [Lumped(batch, precision).outputs(node, 0.3) for node in nodes]
    used = Lumped(batch, precision)
    for position in (3, 1, 0, 2, 2, 0, 1, 3):
        used.outputs(nodes[position], 1e-30)
        again = used.outputs(nodes[position], 0.3)
        np.testing.assert_array_equal(again.values, fresh[position].values)
        assert again.exponent == fresh[position].exponent


def test_outputs_do_not_change_the_batch():
    batch = images(4, 3, 8)
    before = batch.copy()
    outputs(TINY, MIXED[0], batch, 0.5)
    np.testing.assert_array_equal(batch, before)


@pytest.mark.parametrize("precision", ["double", "extended"])
def test_memory_is_used_again(precision):
    batch = images(2, 3, 8)
    evaluate = Lumped(batch, precision)
    nodes = [
        lumped.build(SPACE, architecture, batch.shape[1:]) for architecture in [*MIXED, ALL.format("nor_conv_3x3")]
    ]
    counts = []
    for _ in range(3):
        for node in nodes:
            evaluate.outputs(node, 0.5)
        counts.append(sum(len(spares) for spares in evaluate.spares.values()))
    # Everything has come back, and no round needed more than the first: at most 8 maps of each of three sizes.
    assert 0 < counts[0] == counts[1] == counts[2] <= 3 * 8
