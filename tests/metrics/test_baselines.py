import numpy as np
import pytest

from epsinas import InputError, NasBench101, NasBench201, NasBenchNLP, TokenBatch, score_architectures

CELL = "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"
RECIPE = '{"h_new_0": {"op": "linear", "input": ["x", "h_prev_0"]}}'


@pytest.fixture
def images():
    return np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("parameters", 73_306 + 2 * 243_040 + 28_000),
        # Millions of multiplications and additions that the benchmark has of the skeleton, two 3x3 edges and one 1x1
        # edge, less batch normalisation.
        ("flops", pytest.approx(2 * (7.78305 + 2 * 35.38944 + 3.93216) * 1e6, rel=1e-2)),
        # Stem, two reductions of three, three edges of 15 cells.
        ("convolutions", 1 + 2 * 3 + 3 * 15),
        # A batch normalisation for each convolution but the shortcuts, the last one, and the classifier.
        ("layers", 2 * (1 + 2 * 3 + 3 * 15) - 2 + 1 + 1),
        ("skips", 2),
    ],
)
def test_counts(images, name, expected):
    assert score_architectures(NasBench201(), [CELL], images, metric=name).tolist() == [expected]


@pytest.mark.parametrize(("name", "expected"), [("parameters", 2 * 2 + 2 * 2 + 2 + 9 * (2 + 1)), ("layers", 1)])
def test_counts_of_recurrent_networks(name, expected):
    batch = TokenBatch(np.zeros((3, 2), np.int64), np.random.default_rng(0).random((9, 2)))
    space = NasBenchNLP(layers=1, embedding=2)
    assert score_architectures(space, [RECIPE], batch, metric=name).tolist() == [expected]


def test_skips_are_an_operation_of_one_space(images):
    with pytest.raises(InputError, match=r"^metric skips: found the space nas-bench-101, expected nas-bench-201$"):
        score_architectures(NasBench101(4, 1), ["0100:input,output"], images, metric="skips")


def test_random_numbers_are_those_of_seed_and_network(images):
    architectures = NasBench201().sample(200, np.random.default_rng(0))
    first, again = (score_architectures(NasBench201(), architectures, images, metric="random") for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(set(first)) == 200
    assert 0 <= first.min() < 0.05 < 0.95 < first.max() < 1
    other = score_architectures(NasBench201(), architectures, images, metric="random", seed=1)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.3
