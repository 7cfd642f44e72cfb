from itertools import product

import numpy as np
import pandas as pd
import pytest

from epsinas.errors import InputError
from epsinas.spaces import SPACES, NasBench201, space

SPACE = NasBench201()
EXAMPLE = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"


class Symbols:
    """Layers that write down what they are applied to."""

    def conv(self, x, channels, kernel, stride=1):
        return f"conv{kernel}:{channels}{'/2' if stride == 2 else ''}({x})"

    def batch_norm(self, x):
        return f"bn({x})"

    def relu(self, x):
        return f"relu({x})"

    def avg_pool(self, x, kernel, stride):
        return f"avg{kernel}{'/2' if stride == 2 else ''}({x})"

    def add(self, xs):
        return " + ".join(xs)

    def zeros(self, x):
        return "0"

    def global_avg_pool(self, x):
        return f"mean({x})"

    def linear(self, x, features):
        return f"linear:{features}({x})"


def symbolic_cell(architecture: str) -> str:
    return SPACE.cell(Symbols(), architecture, "x", 4)


def edits(first: str, second: str) -> int:
    return sum(a != b for a, b in zip(SPACE.parse(first), SPACE.parse(second), strict=True))


def test_parse_by_hand():
    assert SPACE.parse(EXAMPLE) == (3, 0, 1, 4, 0, 2)
    assert SPACE.parse(f"  {EXAMPLE}\n") == (3, 0, 1, 4, 0, 2)


def test_format_is_the_inverse_of_parse_over_the_whole_space():
    cells = list(product(range(5), repeat=6))
    architectures = [SPACE.format(cell) for cell in cells]
    assert [SPACE.parse(architecture) for architecture in architectures] == cells
    assert list(SPACE.architectures()) == architectures
    assert len(set(architectures)) == 15_625


def test_index_is_the_position_in_the_enumeration():
    # Digits 3 0 1 4 0 2 in base 5.
    assert SPACE.index(EXAMPLE) == 3 * 5**5 + 0 * 5**4 + 1 * 5**3 + 4 * 5**2 + 0 * 5 + 2
    architectures = list(SPACE.architectures())
    for position in (0, 1, 5, 4_999, 15_624):
        assert SPACE.index(architectures[position]) == position


@pytest.mark.parametrize("name", ["conv_5x5", "", "NONE", "skip_connect "])
def test_an_unknown_operation_is_named_with_the_known_ones(name):
    with pytest.raises(InputError) as caught:
        SPACE.parse(EXAMPLE.replace("avg_pool_3x3", name))
    assert str(caught.value) == (
        f"unknown operation {name!r}: expected one of none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3"
    )


@pytest.mark.parametrize(
    "architecture",
    [
        "|nor_conv_3x3~0|",
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|",
        EXAMPLE.replace("~2", "~1"),
        EXAMPLE.replace("~2", ""),
        EXAMPLE.replace("+", "|"),
        EXAMPLE.strip("|"),
        EXAMPLE + EXAMPLE,
        EXAMPLE.replace("none~0|skip_connect~1", "skip_connect~1|none~0"),
        EXAMPLE.replace("|+|", "| + |"),
    ],
)
def test_a_malformed_architecture_is_refused(architecture):
    with pytest.raises(InputError, match=r"malformed architecture|unknown operation"):
        SPACE.parse(architecture)


def test_the_message_about_a_malformed_architecture_shows_the_form():
    with pytest.raises(InputError) as caught:
        SPACE.parse("|none~0|")
    assert str(caught.value) == ("malformed architecture '|none~0|': expected '|op~0|+|op~0|op~1|+|op~0|op~1|op~2|'")


def test_neighbours_are_the_24_architectures_at_edit_distance_1():
    neighbours = SPACE.neighbours(EXAMPLE)
    assert len(set(neighbours)) == 24
    assert {edits(EXAMPLE, other) for other in neighbours} == {1}
    assert set(neighbours) == {other for other in SPACE.architectures() if edits(EXAMPLE, other) == 1}


def test_neighbours_are_symmetric():
    assert all(EXAMPLE in SPACE.neighbours(other) for other in SPACE.neighbours(EXAMPLE))


def test_sample_is_seeded_and_without_replacement():
    drawn = SPACE.sample(500, np.random.default_rng(3))
    assert drawn == SPACE.sample(500, np.random.default_rng(3))
    assert drawn != SPACE.sample(500, np.random.default_rng(4))
    assert len(set(drawn)) == 500
    assert drawn != sorted(drawn, key=SPACE.index)
    everything = SPACE.sample(15_625, np.random.default_rng(0))
    assert sorted(everything) == sorted(SPACE.architectures())
    assert SPACE.sample(0, np.random.default_rng(0)) == []


def test_sample_draws_every_operation_equally_often_on_every_edge():
    # 10,000 draws: a fifth of them each, with a standard error of 0.004.
    cells = np.array([SPACE.parse(drawn) for drawn in SPACE.sample(10_000, np.random.default_rng(0))])
    for operation in range(5):
        assert (cells == operation).mean(axis=0) == pytest.approx(np.full(6, 0.2), abs=0.02)


@pytest.mark.parametrize("count", [-1, 15_626])
def test_sample_of_more_than_there_are_is_refused(count):
    with pytest.raises(InputError, match=f"^count: found {count}, expected 0 to 15625$"):
        SPACE.sample(count, np.random.default_rng(0))


def test_cell_by_hand():
    assert symbolic_cell(EXAMPLE) == "avg3(x) + bn(conv1:4(relu(bn(conv3:4(relu(x))))))"


def test_a_node_without_inputs_is_zero():
    # Node 1 has none, node 2 is its average, node 3 sums node 1 and a convolution of node 2.
    architecture = "|none~0|+|none~0|avg_pool_3x3~1|+|none~0|skip_connect~1|nor_conv_3x3~2|"
    assert symbolic_cell(architecture) == "0 + bn(conv3:4(relu(avg3(0))))"
    assert symbolic_cell("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|") == "0"


def test_every_edge_joins_its_own_nodes():
    # A single edge into node 3 on each of the three paths, marked by its operation.
    assert symbolic_cell("|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|") == "avg3(x)"
    assert (
        symbolic_cell("|avg_pool_3x3~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|none~2|") == "bn(conv1:4(relu(avg3(x))))"
    )
    assert (
        symbolic_cell("|skip_connect~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|none~0|none~1|nor_conv_3x3~2|")
        == "bn(conv3:4(relu(avg3(x) + bn(conv1:4(relu(x))))))"
    )


def test_skeleton_by_hand():
    x = "bn(conv3:2(images))"
    for channels in (4, 8):
        residual = f"bn(conv3:{channels}(relu(bn(conv3:{channels}/2(relu({x}))))))"
        x = f"{residual} + conv1:{channels}(avg2/2({x}))"
    network = NasBench201(channels=2, cells=0, classes=3).network(Symbols(), EXAMPLE, "images")
    assert network == f"linear:3(mean(relu(bn({x}))))"


def test_every_stage_has_its_number_of_cells_and_channels():
    network = NasBench201(channels=2, cells=3).network(
        Symbols(), "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|", "images"
    )
    counts = [network.count(f"conv1:{channels}(relu") for channels in (2, 4, 8)]
    # Each reduction holds what came before it twice, in the residual and in the shortcut.
    assert counts == [12, 6, 3]


def test_spaces_are_found_by_name():
    assert space("nas-bench-201", channels=4) == NasBench201(channels=4)
    assert SPACES["nas-bench-201"] is NasBench201
    with pytest.raises(
        InputError, match=r"^unknown search space 'darts': expected one of nas-bench-101, nas-bench-201"
    ):
        space("darts")


def test_the_benchmark_holds_exactly_this_space(mirror):
    table = pd.read_parquet(mirror / "nas-bench-201.architectures.parquet")
    assert set(table["architecture"]) == set(SPACE.architectures())


def test_populations_of_the_space():
    """15,284: `connected` of the engine; 9,445: NAS-Bench-Suite-Zero's table; 9,226: paths counted below."""
    traits = pd.DataFrame([SPACE.traits(architecture) for architecture in SPACE.architectures()])
    assert traits[["connected", "reachable", "parameter_free"]].sum().tolist() == [15_284, 9_445, 9_226]
    assert traits["skips"].sum() == 6 * 5**5
    assert (traits["connected"] >= traits["parameter_free"]).all()
    # The four paths 0-3, 0-1-3, 0-2-3 and 0-1-2-3 by the places of their edges in the string.
    paths = [(3,), (0, 4), (1, 5), (0, 2, 5)]
    cells = np.array(list(product(range(5), repeat=6)))
    for name, allowed in (("connected", [1, 2, 3, 4]), ("parameter_free", [1, 4])):
        expected = np.any([np.isin(cells[:, path], allowed).all(axis=1) for path in paths], axis=0)
        assert traits[name].tolist() == expected.tolist()
    # No unreachable operation: each edge that has one is on a path of edges that have one.
    present = cells > 0
    on_a_path = np.zeros_like(present)
    for path in paths:
        on_a_path[:, path] |= present[:, path].all(axis=1)[:, np.newaxis]
    assert traits["reachable"].tolist() == (on_a_path == present).all(axis=1).tolist()


@pytest.mark.parametrize(
    ("architecture", "connected", "reachable", "parameter_free", "skips"),
    [
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", False, True, False, 0),
        ("|skip_connect~0|+|none~0|none~1|+|none~0|none~1|none~2|", False, False, False, 1),
        ("|none~0|+|none~0|none~1|+|none~0|skip_connect~1|nor_conv_3x3~2|", False, False, False, 1),
        ("|avg_pool_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|", True, True, True, 2),
        ("|avg_pool_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|", True, True, False, 1),
        (EXAMPLE, True, True, True, 1),
    ],
)
def test_populations_by_hand(architecture, connected, reachable, parameter_free, skips):
    expected = {"connected": connected, "reachable": reachable, "parameter_free": parameter_free, "skips": skips}
    assert SPACE.traits(architecture) == expected


def test_encodings_tell_all_networks_apart():
    encoded = np.array([NasBench201().encoding(one) for one in NasBench201().sample(200, np.random.default_rng(0))])
    assert (encoded.reshape(200, 6, 5).sum(axis=2) == 1).all()
    assert len({tuple(row) for row in encoded}) == 200
