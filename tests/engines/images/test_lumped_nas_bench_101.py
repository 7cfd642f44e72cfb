from itertools import pairwise, permutations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from epsinas.engines.images import lumped
from epsinas.engines.images.lumped import Graph, Lumped
from epsinas.metrics.epsilon import epsilon
from epsinas.scoring import distinct, score_architectures
from epsinas.spaces import NasBench101
from tests.engines.images.test_lumped import LongDouble, assert_agree, full_width, images, outputs, wide_long_double
from tests.spaces.test_nas_bench_101 import C1, C3, CHAIN, DIRECT, MP, architecture

SPACE = NasBench101()
TINY = NasBench101(channels=5, cells=1, classes=1)
MIXED = [
    DIRECT,
    architecture("01 12 02", "MP"),
    architecture("01 02 03 14 24 34 12", "C3 MP C1"),
    architecture("01 12 13 23 14 24 34 04", "C1 MP C3"),
    architecture("01 02 16 26 03 36 34 45 56", "C3 C1 MP MP C3"),
]


# The reference.


@settings(deadline=None, max_examples=120)
@given(
    draw=st.integers(0, 2**32 - 1),
    space=st.builds(NasBench101, st.integers(4, 9), st.integers(1, 3), st.just(1)),
    channels=st.sampled_from([1, 3]),
    side=st.sampled_from([8, 8, 8, 16]),
    count=st.sampled_from([2, 3, 4, 6, 7, 8, 12, 13, 33]),
    exponents=st.tuples(st.floats(-6, 1.5), st.floats(-6, 1.5)),
)
def test_equals_the_full_width_network(draw, space, channels, side, count, exponents):
    rng = np.random.default_rng(draw)
    (text,) = SPACE.sample(1, rng)
    batch = rng.standard_normal((count, channels, side, side))
    weights = [10.0**exponent for exponent in exponents]
    reference = [full_width(space, text, batch, weight) for weight in weights]
    for precision in ("double", "extended"):
        ours = [outputs(space, text, batch, weight, precision) for weight in weights]
        for mine, theirs in zip(ours, reference, strict=True):
            # Below this, double precision has lost digits of its own.
            if np.abs(theirs).max() > 1e-290:
                assert_agree(np.ldexp(mine.values, mine.exponent), theirs)
    # Normalisation magnifies the difference of 1e-10 by the largest magnitude over the range.
    if all(np.ptp(theirs) > 1e-3 * np.abs(theirs).max() > 1e-290 for theirs in reference):
        values = [mine.values for mine in ours]
        assert epsilon(*values) == pytest.approx(epsilon(*reference), abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("weight", [1e-4, 10.0])
@pytest.mark.parametrize("text", [MIXED[2], MIXED[4]])
def test_equals_the_full_width_network_at_the_published_size(text, weight):
    batch = images(2, 3, 32)
    space = NasBench101(classes=1)
    assert_agree(outputs(space, text, batch, weight).values, full_width(space, text, batch, weight))


def test_single_precision_equals_double_precision_to_single_rounding():
    batch = images(8, 3, 16)
    for text in MIXED:
        single, double = (outputs(SPACE, text, batch, 1.0, precision).values for precision in ("single", "double"))
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, double, rtol=0, atol=1e-3 * np.abs(double).max())


class Cells(LongDouble):
    """Every layer with the constant weight, in numpy's long double."""

    def max_pool(self, x, kernel, stride):
        pad = (kernel - 1) // 2
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=-np.inf)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(2, 3))
        return windows[:, :, ::stride, ::stride].max(axis=(4, 5))

    def concat(self, xs):
        return np.concatenate(xs, axis=1)

    def truncate(self, x, channels):
        return x[:, :channels]


@wide_long_double
@pytest.mark.parametrize("weight", [1e-170, 1e-60, 1e-30, 0.3, 1e30, 1e170])
@pytest.mark.parametrize("text", MIXED[1:])
def test_extended_equals_long_double_beyond_the_range_of_double(text, weight):
    batch = images(6, 3, 8)
    found = outputs(TINY, text, batch, weight, "extended")
    reference = TINY.network(Cells(weight), text, batch.astype(np.longdouble)).ravel()
    assert_agree(np.ldexp(found.values.astype(np.longdouble), found.exponent), reference)


def test_extended_keeps_the_score_that_single_loses():
    text = architecture("01 12 23 34 45 56", "C3 C1 C3 C1 C3")
    batch = images(12, 3, 8).astype(np.float32)
    single, extended = (
        score_architectures(SPACE, [text], batch, (1e-4, 10.0), precision=precision)
        for precision in ("single", "extended")
    )
    assert np.isnan(single)
    assert np.isfinite(extended)


def test_nan_of_an_overflow_reaches_the_outputs():
    batch = images(4, 3, 8).astype(np.float32)
    for text in MIXED:
        assert np.isnan(score_architectures(TINY, [text], batch, (1.0, 1e300))).all()


# Tensors of several maps.


def test_concat_joins_runs_of_one_map():
    graph = Graph()
    (a, _), (b, _) = graph.input(2, 4, 4)
    assert graph.concat([((a, 2),), ((a, 3), (b, 1)), ((b, 4),)]) == ((a, 5), (b, 5))
    assert graph.concat([((a, 1),), ((b, 1),), ((a, 1),)]) == ((a, 1), (b, 1), (a, 1))


def test_truncate_keeps_the_first_channels():
    graph = Graph()
    (a, _), (b, _) = graph.input(2, 4, 4)
    x = ((a, 2), (b, 3))
    assert [graph.truncate(x, channels) for channels in (5, 4, 2, 1)] == [x, ((a, 2), (b, 2)), ((a, 2),), ((a, 1),)]


def test_sums_of_equal_maps_are_one_run():
    graph = Graph()
    (a, _), (b, _) = graph.input(2, 4, 4)
    total = graph.add([((a, 2), (b, 3)), ((b, 2), (a, 3))])
    assert [count for _, count in total] == [5]


def test_maximum_of_nothing_is_nothing():
    graph = Graph()
    ((node, count),) = graph.max_pool(graph.zeros(graph.input(1, 8, 8)), 2, 2)
    assert (node.is_zero, node.size, count) == (True, (4, 4), 1)


def evaluated(operations, batch: np.ndarray, weight: float = 0.5) -> np.ndarray:
    """The outputs of a network that begins with the given operations and ends with mean and classifier."""
    graph = Graph()
    x = operations(graph, graph.input(*batch.shape[1:]))
    ((node, _),) = graph.linear(graph.global_avg_pool(x), 1)
    return Lumped(batch, "double").outputs(node, weight).values


def torch_max(x: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    return torch.nn.functional.max_pool2d(torch.from_numpy(x), kernel, stride, (kernel - 1) // 2).numpy()


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (2, 2)])
def test_maximum_of_stored_maps_and_of_forms(kernel, stride):
    batch = images(4, 2, 8)
    total = batch.sum(axis=1, keepdims=True)

    def expected(x: np.ndarray) -> np.ndarray:
        return 0.5 * torch_max(x, kernel, stride).mean(axis=(2, 3)).sum(axis=1)

    # A view of a channel; a sum of two; a scaled map; a scaled and shifted map, after which zero is not neutral.
    np.testing.assert_allclose(evaluated(lambda g, x: g.max_pool(x, kernel, stride), batch), expected(batch))
    summed = evaluated(lambda g, x: g.max_pool(g.add([x[:1], x[1:]]), kernel, stride), batch)
    np.testing.assert_allclose(summed, expected(total))
    scaled = evaluated(lambda g, x: g.max_pool(g.conv(x, 1, 1), kernel, stride), batch)
    np.testing.assert_allclose(scaled, expected(0.5 * total))
    negative = evaluated(lambda g, x: g.max_pool(g.conv(x, 1, 1), kernel, stride), batch, weight=-0.5)
    np.testing.assert_allclose(negative, -expected(-0.5 * total))
    shifted = 0.5 * (total - total.mean()) / np.sqrt(total.var() + 1e-5)
    normal = evaluated(lambda g, x: g.max_pool(g.batch_norm(g.add([x[:1], x[1:]])), kernel, stride), batch)
    np.testing.assert_allclose(normal, expected(shifted))
    rectified = evaluated(lambda g, x: g.max_pool(g.relu(x), kernel, stride), batch)
    np.testing.assert_allclose(rectified, expected(np.maximum(batch, 0)))
    twice = evaluated(lambda g, x: g.max_pool(g.max_pool(x, kernel, stride), 3, 1), batch)
    np.testing.assert_allclose(twice, 0.5 * torch_max(torch_max(batch, kernel, stride), 3, 1).mean((2, 3)).sum(1))


def test_batch_norm_of_a_maximum_has_its_statistics():
    batch = images(4, 1, 8)
    largest = torch_max(batch, 3, 1)
    normal = 0.5 * (largest - largest.mean()) / np.sqrt(largest.var() + 1e-5)
    found = evaluated(lambda g, x: g.relu(g.batch_norm(g.max_pool(x, 3, 1))), batch)
    np.testing.assert_allclose(found, 0.5 * np.maximum(normal, 0).mean(axis=(1, 2, 3)))


# Identity.

EQUAL = {
    "branches in another order": (
        architecture("01 02 13 23", "C3 MP"),
        architecture("01 02 13 23", "MP C3"),
    ),
    "a vertex that leads nowhere": (architecture("01 02 13", "C3 MP"), CHAIN),
}
DIFFERENT = {
    # Half of 128 channels is even; a third is 43, 43 and 42.
    "the remaining channels go to another operation": (
        architecture("01 02 03 14 24 34", "C3 C3 MP"),
        architecture("01 02 03 14 24 34", "MP C3 C3"),
    ),
    "shares of the output": (
        architecture("01 02 03 14 24 34", "C3 MP MP"),
        architecture("01 02 13 23", "C3 MP"),
    ),
    # A convolution sees half as many channels in each branch, and 1e-5 is added to another variance.
    "a convolution twice": (architecture("01 02 13 23", "C3 C3"), CHAIN),
    "another operation": (CHAIN, CHAIN.replace(C3, C1)),
    "a direct edge": (CHAIN, architecture("01 12 02", "C3")),
}


@pytest.mark.parametrize(("first", "second"), EQUAL.values(), ids=EQUAL)
def test_equal_cells_are_one_network(first, second):
    assert lumped.identity(SPACE, first) == lumped.identity(SPACE, second)
    batch = images(3, 3, 8)
    for space in (NasBench101(channels=4, cells=2, classes=1), NasBench101(channels=8, cells=1, classes=1)):
        assert_agree(full_width(space, first, batch, 0.3), full_width(space, second, batch, 0.3))


@pytest.mark.parametrize(("first", "second"), DIFFERENT.values(), ids=DIFFERENT)
def test_different_cells_are_different_networks(first, second):
    assert lumped.identity(SPACE, first) != lumped.identity(SPACE, second)


def test_cells_that_differ_by_the_division_of_channels_differ():
    first, second = DIFFERENT["the remaining channels go to another operation"]
    batch = images(4, 3, 8)
    one, other = (full_width(TINY, text, batch, 0.3) for text in (first, second))
    assert np.abs(one - other).max() > 1e-6 * np.abs(one).max()
    # With a width that three divides, they are the same network.
    even = NasBench101(channels=6, cells=1, classes=1)
    assert lumped.identity(even, first) == lumped.identity(even, second)
    assert_agree(full_width(even, first, batch, 0.3), full_width(even, second, batch, 0.3))


def permuted(text: str, order: tuple[int, ...]) -> str | None:
    """The same cell with its interior vertices in another order, if every edge still leads to a later one."""
    cell = SPACE.parse(text)
    place = (0, *order, len(cell.matrix) - 1)
    matrix = np.array(cell.matrix)[np.ix_(place, place)]
    if np.tril(matrix).any():
        return None
    names = [cell.operations[vertex] for vertex in place]
    return "".join(map(str, matrix.ravel())) + ":" + ",".join(names)


def test_networks_that_share_an_identity_share_their_outputs():
    batch, texts = images(3, 1, 8), []
    for text in SPACE.sample(60, np.random.default_rng(0)):
        orders = permutations(range(1, text.count(",")))
        texts += [found for order in orders if (found := permuted(text, order))][:4]
    first, members = distinct(TINY, texts)
    assert 0 < len(first) < len(texts)
    shared = [(position, first[group]) for position, group in enumerate(members) if position != first[group]]
    for one, other in shared[:30]:
        assert_agree(full_width(TINY, texts[one], batch, 0.7), full_width(TINY, texts[other], batch, 0.7))


def test_order_of_the_outputs_does_not_change_a_rounding():
    first, second = EQUAL["branches in another order"]
    batch = images(5, 3, 8)
    one, other = (outputs(SPACE, text, batch, 0.3, "single") for text in (first, second))
    np.testing.assert_array_equal(one.values, other.values)


def test_all_projections_of_a_cells_input_are_one_map():
    # Four projections of different widths, in each of three cells.
    graph, text = Graph(), architecture("01 02 03 14 24 34 04", "C3 MP C1")
    SPACE.cell(graph, text, graph.input(3, 8, 8), 128)
    widths = SPACE.parse(text).widths(128)
    assert len(set(widths[1:4])) == 2
    convolutions = [node for node in graph.nodes.values() if node.operation == "conv"]
    # The input's projection and the convolutions of two vertices.
    assert len(convolutions) == 1 + 2


# The benchmark.


def test_scores_are_those_of_the_full_width_engine(batch):
    found, expected = (
        score_architectures(TINY, MIXED, batch, (1e-2, 10.0), engine=engine, precision="double")
        for engine in ("lumped", "full-width")
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_coverage_is_the_published_one(mirror):
    # Table 5 with weights from 1e-4: 2,120 of 5,000 networks have a score. Here 60 others and fewer images.
    table = pd.read_parquet(mirror / "nas-bench-101.architectures.parquet")
    scores = score_architectures(
        SPACE, table["architecture"].iloc[:60], images(64, 3, 16).astype(np.float32), (1e-4, 10.0)
    )
    assert np.isfinite(scores).mean() == pytest.approx(0.424, abs=0.2)


def test_neighbours_of_a_cell_have_scores_of_their_own(batch):
    chain = [CHAIN]
    rng = np.random.default_rng(0)
    for _ in range(5):
        chain.append(str(rng.choice(SPACE.neighbours(chain[-1]))))
    scores = score_architectures(TINY, chain, batch, (1e-2, 10.0), precision="double")
    for (one, first), (other, second) in pairwise(zip(chain, scores, strict=True)):
        same = lumped.identity(TINY, one) == lumped.identity(TINY, other)
        assert (first == second) == same
    assert MP in "".join(SPACE.neighbours(CHAIN))
