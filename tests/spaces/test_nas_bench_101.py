import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from nasbench_pytorch.model import ModelSpec, graph_util
from nasbench_pytorch.model import Network as Reference

from epsinas.engines.images.counting import count
from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.engines.images.initialisers import constant
from epsinas.errors import InputError
from epsinas.spaces import NasBench101, space
from epsinas.spaces.nas_bench_101 import OPERATIONS, SIZE, Cell
from tests.refusals import refusal
from tests.spaces.test_nas_bench_201 import Symbols

SPACE = NasBench101()
C3, C1, MP = OPERATIONS
CHAIN = f"010001000:input,{C3},output"
DIRECT = "0100:input,output"
# The input feeds 1, 2 and the output; 1 feeds 3; 2 and 3 feed the output.
BRANCHES = f"0110100010000010000100000:input,{C1},{MP},{C3},output"


class Cells(Symbols):
    """Layers that write down what they are applied to."""

    def max_pool(self, x, kernel, stride):
        return f"max{kernel}{'/2' if stride == 2 else ''}({x})"

    def concat(self, xs):
        return "[" + " ".join(xs) + "]"

    def truncate(self, x, channels):
        return f"{x}<{channels}"

    def add(self, xs):
        return xs[0] if len(xs) == 1 else f"({' + '.join(xs)})"


def layer(kernel: int, channels: int, x: str) -> str:
    return f"relu(bn(conv{kernel}:{channels}({x})))"


def matrix(*edges: str) -> str:
    """An adjacency matrix from edges such as "02": from vertex 0 to vertex 2."""
    vertices = 1 + max(int(edge[1]) for edge in edges)
    rows = [["0"] * vertices for _ in range(vertices)]
    for source, target in edges:
        rows[int(source)][int(target)] = "1"
    return "".join("".join(row) for row in rows)


def architecture(edges: str, operations: str) -> str:
    """An architecture from edges such as "01 12" and operations such as "C3 MP"."""
    names = {"C3": C3, "C1": C1, "MP": MP}
    return ":".join((matrix(*edges.split()), ",".join(["input", *(names[o] for o in operations.split()), "output"])))


def spec(text: str) -> ModelSpec:
    cell = SPACE.parse(text)
    return ModelSpec(np.array(cell.matrix), list(cell.operations))


def random_matrices(count: int, seed: int = 0) -> list[str]:
    """Architectures with extraneous vertices, as the benchmark's own random search draws them."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        drawn = np.triu(rng.integers(0, 2, (7, 7)), 1)
        names = ["input", *rng.choice(OPERATIONS, 5), "output"]
        text = str(Cell(tuple(map(tuple, drawn.tolist())), tuple(names)))
        try:
            SPACE.parse(text)
        except InputError:
            continue
        found.append(text)
    return found


# Strings.


def test_parse_by_hand():
    assert SPACE.parse(CHAIN) == Cell(((0, 1, 0), (0, 0, 1), (0, 0, 0)), ("input", C3, "output"))
    assert SPACE.parse(f" {DIRECT}\n") == Cell(((0, 1), (0, 0)), ("input", "output"))
    assert architecture("01 12", "C3") == CHAIN


def test_format_is_the_inverse_of_parse():
    for text in [*SPACE.sample(300, np.random.default_rng(0)), *random_matrices(100)]:
        assert SPACE.format(SPACE.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", ":", "0100", "010:input,output", "0:input", "01x0:input,output", "0200:input,output", "01 00:input,output"],
)
def test_a_malformed_architecture_is_refused(text):
    assert refusal(SPACE.parse, text) == (
        f"malformed architecture {text!r}: expected the 0s and 1s of a square matrix, a colon and the operations, "
        "such as '010001000:input,conv3x3-bn-relu,output'"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0100:input", "found 1 operations for 2 vertices, expected as many"),
        (
            "0100:output,input",
            "found 'output' as the first operation and 'input' as the last, expected input and output",
        ),
        (
            "010001000:input,conv5x5,output",
            "unknown operation 'conv5x5': expected one of conv3x3-bn-relu, conv1x1-bn-relu, maxpool3x3",
        ),
        (
            "010001000:input,input,output",
            "unknown operation 'input': expected one of conv3x3-bn-relu, conv1x1-bn-relu, maxpool3x3",
        ),
        ("0110:input,output", "found an edge from vertex 1 to vertex 0, expected edges to later vertices only"),
        ("1100:input,output", "found an edge from vertex 0 to vertex 0, expected edges to later vertices only"),
        ("0000:input,output", "found no path from input to output, expected one"),
        (architecture("01 23", "C3 C3"), "found no path from input to output, expected one"),
        (architecture("01 12 23 34 45 56 67", "C3 C3 C3 C3 C3 C3"), "found 8 vertices, expected at most 7"),
        (architecture("01 02 03 04 14 24 34 12 13 23", "C3 C3 C3"), "found 10 edges, expected at most 9"),
    ],
)
def test_a_cell_outside_the_space_is_refused(text, message):
    assert refusal(SPACE.parse, text) == message


# Pruning and hashes.


def test_pruning_by_hand():
    # Vertex 1 is not reached, vertex 2 leads nowhere, 3 stays.
    text = architecture("02 03 14 34", "C1 MP C3")
    assert SPACE.format(SPACE.parse(text).pruned()) == CHAIN
    # Edges of vertices that are pruned do not count: ten here, two in the network.
    text = architecture("01 02 03 04 05 12 13 14 23 56", "MP MP MP MP C3")
    assert SPACE.format(SPACE.parse(text).pruned()) == CHAIN


def test_pruning_and_hashes_agree_with_the_reference():
    for text in [*random_matrices(300), *SPACE.sample(300, np.random.default_rng(1))]:
        reference, pruned = spec(text), SPACE.parse(text).pruned()
        assert pruned == Cell(tuple(map(tuple, reference.matrix.tolist())), tuple(reference.ops))
        labels = [-1, *map(OPERATIONS.index, pruned.operations[1:-1]), -2]
        # The package's own call of this function fails, since it gives it a tensor.
        assert SPACE.graph_hash(text) == graph_util.hash_module(reference.matrix.numpy(), labels)


def test_hashes_and_parameters_are_the_benchmarks(mirror):
    table = pd.read_parquet(mirror / "nas-bench-101.architectures.parquet").iloc[::30]
    assert [SPACE.graph_hash(text) for text in table["architecture"]] == table["hash"].tolist()
    found = [count(SPACE, text).parameters for text in table["architecture"].iloc[:100]]
    assert found == table["parameters"].iloc[:100].tolist()


# The whole space.


def test_there_are_423_624_cells():
    # Ying et al. (2019), Section 2.1.
    cells = list(SPACE.architectures())
    assert len(cells) == len(set(cells)) == SIZE == 423_624
    assert cells[0] == DIRECT
    assert cells[1:4] == [CHAIN, CHAIN.replace(C3, C1), CHAIN.replace(C3, MP)]
    vertices = Counter(1 + text.count(",") for text in cells)
    # With one interior vertex: a chain with or without the direct edge, three operations.
    assert (vertices[2], vertices[3]) == (1, 6)
    # An independent check of the classes: no two of the smaller cells have the same hash.
    small = cells[: sum(vertices[number] for number in range(2, 6))]
    assert len({SPACE.graph_hash(text) for text in small}) == len(small)


def test_every_cell_is_in_the_space_without_extraneous_vertices():
    for text in SPACE.sample(500, np.random.default_rng(2)):
        cell = SPACE.parse(text)
        assert cell.pruned() == cell


def test_every_random_cell_is_enumerated():
    hashes = {SPACE.graph_hash(text) for text in SPACE.architectures() if text.count(",") < 5}
    drawn = [text for text in random_matrices(400, seed=1) if len(SPACE.parse(text).pruned().operations) < 6]
    assert len(drawn) > 50
    assert {SPACE.graph_hash(text) for text in drawn} <= hashes


def test_sample_is_seeded_and_without_replacement():
    drawn = SPACE.sample(500, np.random.default_rng(3))
    assert drawn == SPACE.sample(500, np.random.default_rng(3))
    assert drawn != SPACE.sample(500, np.random.default_rng(4))
    assert len({SPACE.graph_hash(text) for text in drawn}) == 500
    assert SPACE.sample(0, np.random.default_rng(0)) == []


@pytest.mark.parametrize("count", [-1, 423_625])
def test_sample_of_more_than_there_are_is_refused(count):
    with pytest.raises(InputError, match=f"^count: found {count}, expected 0 to 423624$"):
        SPACE.sample(count, np.random.default_rng(0))


# Edits.


def edits(first: str, second: str) -> int:
    """Edges and operations that differ."""
    one, other = SPACE.parse(first), SPACE.parse(second)
    edges = (np.array(one.matrix) != np.array(other.matrix)).sum()
    return edges + sum(a != b for a, b in zip(one.operations, other.operations, strict=True))


def test_neighbours_by_hand():
    assert SPACE.neighbours(DIRECT) == []
    assert sorted(SPACE.neighbours(CHAIN)) == sorted(
        [CHAIN.replace(C3, C1), CHAIN.replace(C3, MP), CHAIN.replace("010001000", "011001000")]
    )
    both = CHAIN.replace("010001000", "011001000")
    # Without one of the chain's edges the vertex stays in the string; the network is the direct edge alone.
    assert sorted(SPACE.neighbours(both)) == sorted(
        [
            CHAIN,
            *(both.replace(C3, name) for name in (C1, MP)),
            *(f"{b}:input,{C3},output" for b in ("001001000", "011000000")),
        ]
    )


def test_neighbours_are_all_valid_architectures_at_distance_1():
    for text in [*SPACE.sample(20, np.random.default_rng(5)), *random_matrices(20)]:
        neighbours = SPACE.neighbours(text)
        assert len(set(neighbours)) == len(neighbours) > 0
        assert {edits(text, other) for other in neighbours} == {1}
        assert all(text in SPACE.neighbours(other) for other in neighbours[::5])


# The network.


def test_widths_by_hand():
    # 128 = 43 + 43 + 42; vertex 4 feeds the first, vertex 5 the last of those that are concatenated.
    cell = SPACE.parse(architecture("01 02 14 25 36 46 56 03 15", "C3 C3 C3 C3 C3"))
    assert cell.widths(128) == [128, 43, 42, 43, 43, 42, 128]
    assert SPACE.parse(CHAIN).widths(128) == [128, 128, 128]
    assert SPACE.parse(DIRECT).widths(128) == [128, 128]


def test_cell_by_hand():
    cell = SPACE.cell(Cells(), BRANCHES, "x", 5)
    first = layer(1, 2, layer(1, 2, "x"))
    assert SPACE.parse(BRANCHES).widths(5) == [5, 2, 3, 2, 5]
    assert cell == f"([max3({layer(1, 3, 'x')}) {layer(3, 2, f'{first}<2')}] + {layer(1, 5, 'x')})"
    assert SPACE.cell(Cells(), DIRECT, "x", 5) == layer(1, 5, "x")
    residual = architecture("01 12 02", "MP")
    assert SPACE.cell(Cells(), residual, "x", 5) == f"([max3({layer(1, 5, 'x')})] + {layer(1, 5, 'x')})"


def test_a_vertex_sums_vertices_without_the_channels_it_has_not():
    text = architecture("01 12 13 23 14 24 34", "C1 MP C3")
    # 5 = 2 + 2 + 1.
    one = layer(1, 2, layer(1, 2, "x"))
    two = f"max3({one}<2)"
    three = layer(3, 1, f"({one}<1 + {two}<1)")
    assert SPACE.cell(Cells(), text, "x", 5) == f"[{one} {two} {three}]"


def test_skeleton_by_hand():
    x = layer(3, 4, "images")
    for channels in (4, 8, 16):
        x = layer(1, channels, layer(1, channels, f"max2/2({x})" if channels > 4 else x))
    assert NasBench101(channels=4, cells=2, classes=3).network(Cells(), DIRECT, "images") == f"linear:3(mean({x}))"


def test_a_skeleton_too_narrow_for_a_cell_is_refused():
    with pytest.raises(InputError, match=r"^channels: found 3, expected a whole number, 4 or more$"):
        NasBench101(channels=3)
    assert space("nas-bench-101", channels=4) == NasBench101(channels=4)


def reference_network(text: str, channels: int, cells: int) -> Reference:
    """The benchmark's network in nasbench-pytorch, with batch statistics and eps 1e-5 in every batch norm."""
    reference = Reference(spec(text), stem_out_channels=channels, num_modules_per_stack=cells)
    for module in reference.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps, module.track_running_stats = 1e-5, False
            module.running_mean = module.running_var = None
    return reference.double()


def reference_layers(reference: Reference) -> list[torch.nn.Module]:
    """Its trainable layers, in the order of our description: by target vertex, the vertex's projection first."""

    def trainable(module: torch.nn.Module) -> list[torch.nn.Module]:
        kinds = (torch.nn.Conv2d, torch.nn.BatchNorm2d, torch.nn.Linear)
        return [inner for inner in module.modules() if isinstance(inner, kinds)]

    found = []
    for part in reference.layers:
        if hasattr(part, "vertex_op"):
            for vertex in range(1, len(part.input_op)):
                found += trainable(part.input_op[vertex])
                found += trainable(part.vertex_op[vertex]) if vertex < len(part.vertex_op) else []
        else:
            found += trainable(part)
    return [*found, reference.classifier]


CASES = [DIRECT, CHAIN, BRANCHES, *NasBench101().sample(12, np.random.default_rng(7))]


@pytest.mark.parametrize("text", CASES)
def test_outputs_equal_the_references(text):
    torch.manual_seed(0)
    reference = reference_network(text, channels=6, cells=2)
    ours = FullWidthNetwork(NasBench101(channels=6, cells=2), text, (3, 8, 8), constant(1.0), torch.float64)
    layers = reference_layers(reference)
    assert len(layers) == len(ours.layers)
    with torch.no_grad():
        for mine, theirs in zip(ours.layers, layers, strict=True):
            theirs.weight.normal_()
            mine.weight.copy_(theirs.weight)
            if mine.bias is not None:
                mine.bias.copy_(theirs.bias.normal_())
        images = torch.randn((5, 3, 8, 8), dtype=torch.float64)
        torch.testing.assert_close(ours(images), reference(images), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("text", CASES[:8])
def test_parameters_equal_the_references(text):
    expected = sum(
        parameter.numel()
        for part in reference_layers(Reference(spec(text)))
        for parameter in (part.weight, *([part.bias] if part.bias is not None else []))
    )
    assert count(SPACE, text).parameters == expected


def test_parameters_of_the_direct_cell_by_hand():
    # A projection has C_in * C weights and 2 C of its batch norm.
    stem = 3 * 128 * 9 + 2 * 128
    inputs = {128: [128, 128, 128], 256: [128, 256, 256], 512: [256, 512, 512]}
    cells = sum(before * after + 2 * after for after, befores in inputs.items() for before in befores)
    assert count(SPACE, DIRECT).parameters == stem + cells + 512 * 10 + 10


def test_replicas_are_separate_networks():
    tiny, text = NasBench101(channels=5, cells=1, classes=2), CASES[-1]
    torch.manual_seed(1)

    def fill(kind, weight, bias):
        weight.normal_()
        if bias is not None:
            bias.normal_()

    both = FullWidthNetwork(tiny, text, (3, 8, 8), [fill, fill], torch.float64)
    images = torch.randn((4, 3, 8, 8), dtype=torch.float64)
    together = both(images.repeat(1, 2, 1, 1)).unflatten(1, (2, -1))
    for replica in range(2):
        one = FullWidthNetwork(tiny, text, (3, 8, 8), constant(1.0), torch.float64)
        with torch.no_grad():
            for mine, theirs in zip(one.layers, both.layers, strict=True):
                mine.weight.copy_(theirs.weight.unflatten(0, (2, -1))[replica])
                if mine.bias is not None:
                    mine.bias.copy_(theirs.bias.unflatten(0, (2, -1))[replica])
        torch.testing.assert_close(together[:, replica], one(images))


@pytest.mark.parametrize(
    ("edges", "operations", "reachable", "parameter_free"),
    [
        ("01", "", True, True),
        ("01 12", "MP", True, True),
        ("01 12", "C3", True, False),
        # Beside the 3x3 convolution two max poolings, one behind the other.
        ("01 02 14 23 34", "C3 MP MP", True, True),
        # One of the two follows a 1x1 convolution.
        ("01 02 14 23 34", "C3 C1 MP", True, False),
        # Vertex 2 leads nowhere.
        ("01 02 13", "MP C1", False, True),
    ],
)
def test_populations_by_hand(edges, operations, reachable, parameter_free):
    expected = {"connected": True, "reachable": reachable, "parameter_free": parameter_free}
    assert SPACE.traits(architecture(edges, operations)) == expected


def test_encoding_by_hand():
    """Four vertices: the input feeds both, the first the second, the second the output, which stands last of seven."""
    found = NasBench101().encoding("0110001000010000:input,conv1x1-bn-relu,maxpool3x3,output")
    edges = list(itertools.combinations(range(7), 2))
    assert [edges[place] for place, one in enumerate(found[:21]) if one] == [(0, 1), (0, 2), (1, 2), (2, 6)]
    assert np.reshape(found[21:], (5, 3)).tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
