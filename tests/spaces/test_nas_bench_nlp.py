import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epsinas.engines.sequences import lumped as recurrent
from epsinas.errors import InputError
from epsinas.spaces import SPACES, NasBenchNLP, space
from epsinas.spaces.nas_bench_nlp import ARITY

SPACE = NasBenchNLP()


def recipe(**nodes: tuple) -> str:
    """JSON of nodes given as (operation, input, input, ...)."""
    return json.dumps({name: {"op": node[0], "input": list(node[1:])} for name, node in nodes.items()})


RNN = recipe(f=("linear", "x", "h_prev_0"), h_new_0=("activation_tanh", "f"))
LSTM = recipe(
    i=("linear", "x", "h_prev_0"),
    i_act=("activation_tanh", "i"),
    j=("linear", "x", "h_prev_0"),
    j_act=("activation_sigm", "j"),
    f=("linear", "x", "h_prev_0"),
    f_act=("activation_sigm", "f"),
    o=("linear", "x", "h_prev_0"),
    o_act=("activation_tanh", "o"),
    h_new_1_part1=("elementwise_prod", "f_act", "h_prev_1"),
    h_new_1_part2=("elementwise_prod", "i_act", "j_act"),
    h_new_1=("elementwise_sum", "h_new_1_part1", "h_new_1_part2"),
    h_new_1_act=("activation_tanh", "h_new_1"),
    h_new_0=("elementwise_prod", "h_new_1_act", "o_act"),
)
GRU = recipe(
    r=("linear", "x", "h_prev_0"),
    r_act=("activation_sigm", "r"),
    z=("linear", "x", "h_prev_0"),
    z_act=("activation_sigm", "z"),
    rh=("elementwise_prod", "r_act", "h_prev_0"),
    h_tilde=("linear", "x", "rh"),
    h_tilde_act=("activation_tanh", "h_tilde"),
    h_new_0=("blend", "z_act", "h_prev_0", "h_tilde_act"),
)


@pytest.mark.parametrize(("architecture", "states"), [(RNN, 1), (LSTM, 2), (GRU, 1)], ids=["RNN", "LSTM", "GRU"])
def test_the_cells_of_the_text_books_are_read_and_printed(architecture, states):
    parsed = SPACE.parse(architecture)
    assert parsed.states == states
    assert SPACE.format(parsed) == architecture


def test_white_space_does_not_matter_but_the_order_of_nodes_is_kept():
    wide = json.dumps(json.loads(LSTM), indent=4)
    assert SPACE.format(SPACE.parse(wide)) == LSTM


def test_nodes_may_come_in_any_order():
    shuffled = recipe(h_new_0=("activation_tanh", "f"), f=("linear", "x", "h_prev_0"))
    assert SPACE.format(SPACE.parse(shuffled)) == shuffled
    assert [node.name for node in SPACE.parse(shuffled).order] == ["f", "h_new_0"]


def test_the_benchmarks_recipes_are_printed_as_they_are(mirror):
    for architecture in pd.read_parquet(mirror / "nas-bench-nlp.architectures.parquet")["architecture"]:
        assert SPACE.format(SPACE.parse(architecture)) == architecture


GOOD = {"op": "linear", "input": ["x", "h_prev_0"]}
MALFORMED = 'expected JSON like {"name": {"op": "...", "input": ["...", ...]}, ...}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", f"recipe: found 'nonsense', {MALFORMED}"),
        ("", f"recipe: found '', {MALFORMED}"),
        ("[" * 90_000, f"recipe: found '{'[' * 57}...', {MALFORMED}"),
        (" " * 100_001, f"recipe: found 100001 characters, {MALFORMED}"),
        ("[1]", f"recipe: found list, {MALFORMED}"),
        ("{}", f"recipe: found an empty object, {MALFORMED}"),
        ('{"a": {"op": 1, "op": 2}}', "recipe: name 'op' appears twice"),
        ('{"a": {}, "a": {}}', "recipe: name 'a' appears twice"),
        ('{"a": 3}', "recipe, node 'a': found int, expected the keys op and input"),
        ('{"a": {}}', "recipe, node 'a': found none, expected the keys op and input"),
        ('{"a": {"op": "linear"}}', "recipe, node 'a': found 'op', expected the keys op and input"),
        (
            recipe(a=("conv", "x")),
            f"recipe, node 'a': unknown operation 'conv': expected one of {', '.join(ARITY)}",
        ),
        ('{"a": {"op": ["linear"], "input": []}}', "recipe, node 'a': unknown operation list: expected one of"),
        ('{"a": {"op": "linear", "input": "x"}}', "recipe, node 'a': input is no list of names"),
        ('{"a": {"op": "linear", "input": [0]}}', "recipe, node 'a': input is no list of names"),
        (recipe(a=("linear",)), "recipe, node 'a': found 0 inputs of linear, expected 1 to 3"),
        (recipe(a=("linear", *"xxxx")), "recipe, node 'a': found 4 inputs of linear, expected 1 to 3"),
        (recipe(a=("blend", "b", "c")), "recipe, node 'a': found 2 inputs of blend, expected 3"),
        (recipe(a=("activation_tanh", "b", "c")), "recipe, node 'a': found 2 inputs of activation_tanh, expected 1"),
        (recipe(a=("elementwise_sum", "b")), "recipe, node 'a': found 1 inputs of elementwise_sum, expected 2 to 3"),
        ('{"\\ud800": {"op": "linear", "input": ["x"]}}', r"recipe, node '\ud800': the name has characters that"),
        (
            '{"a\\n\\u001b[2J": {"op": "linear", "input": ["x"]}}',
            r"recipe, node 'a\n\x1b[2J': the name has characters t",
        ),
        (
            recipe(**{5000 * "a": ("linear",)}),
            f"recipe, node '{60 * 'a'}'...: found 0 inputs of linear, expected 1 to 3",
        ),
        (recipe(x=("linear", "h_prev_0")), "recipe, node 'x': the name is reserved for an input of the cell"),
        (recipe(h_prev_0=("linear", "x")), "recipe, node 'h_prev_0': the name is reserved for an input of the cell"),
        (recipe(a=("linear", "x", "h_prev_0")), "recipe: hidden state h_new_0 is missing"),
        (recipe(h_new_1=("linear", "x", "h_prev_0")), "recipe: hidden state h_new_0 is missing"),
        (
            recipe(h_new_0=("linear", "x", "h_prev_0"), h_new_2=("linear", "x", "h_prev_0")),
            "recipe: hidden state h_new_1 is missing",
        ),
        (recipe(h_new_3=("linear", "x", "h_prev_0")), "recipe: found h_new_3, expected at most 3 hidden states"),
        (recipe(h_new_0=("linear", "x", "a")), "recipe, node 'h_new_0': unknown input 'a'"),
        (recipe(h_new_0=("linear", "x", "h_prev_1")), "recipe, node 'h_new_0': unknown input 'h_prev_1'"),
        (
            recipe(h_new_0=("activation_tanh", "x")),
            "recipe, node 'h_new_0': found x in activation_tanh, expected it in linear only",
        ),
        (
            recipe(a=("linear", "x", "b"), b=("activation_tanh", "a"), h_new_0=("linear", "x", "b")),
            "recipe: nodes depend on each other in a circle: 'a', 'b', 'h_new_0'",
        ),
        (recipe(h_new_0=("linear", "h_new_0")), "recipe: nodes depend on each other in a circle: 'h_new_0'"),
        (
            recipe(h_new_0=("linear", "x"), **{f"a{number}": ("linear", "x") for number in range(24)}),
            "recipe: found 25 nodes, expected at most 24",
        ),
    ],
)
def test_a_mistake_is_named(text, message):
    with pytest.raises(InputError) as caught:
        SPACE.parse(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_recipe_may_have_24_nodes():
    nodes = {f"a{number}": ("linear", "x") for number in range(23)}
    assert len(SPACE.parse(recipe(h_new_0=("linear", "x"), **nodes)).nodes) == 24


# Canonical form.


def test_names_orders_and_dead_nodes_do_not_change_the_canonical_form():
    one = recipe(
        a=("linear", "x", "h_prev_0"),
        b=("activation_tanh", "a"),
        h_new_0=("elementwise_sum", "b", "a"),
    )
    other = recipe(
        dead=("linear", "x"),
        h_new_0=("elementwise_sum", "node_7", "node_9"),
        node_9=("activation_tanh", "node_7"),
        node_7=("linear", "h_prev_0", "x"),
    )
    assert SPACE.canonical(one) == SPACE.canonical(other)
    assert recurrent.identity(SPACE, one) == recurrent.identity(SPACE, other)
    assert SPACE.canonical(SPACE.canonical(one)) == SPACE.canonical(one)


def test_the_order_of_a_blends_inputs_matters():
    one, other = (
        recipe(a=("linear", "x", "h_prev_0"), b=("activation_tanh", "a"), h_new_0=("blend", *inputs))
        for inputs in (("a", "b", "h_prev_0"), ("b", "a", "h_prev_0"))
    )
    assert SPACE.canonical(one) != SPACE.canonical(other)
    assert recurrent.identity(SPACE, one) != recurrent.identity(SPACE, other)


def test_the_benchmark_trained_the_same_cells_several_times(mirror):
    """265 distinct cells in 344 recipes; those that are equal reach losses that are as good as equal."""
    table = pd.read_parquet(mirror / "nas-bench-nlp.architectures.parquet").set_index("index")
    losses = pd.read_parquet(mirror / "nas-bench-nlp.performance.parquet").query("dataset == 'wikitext-2'")
    cells = table["architecture"].map(SPACE.canonical)
    assert cells.nunique() == 265
    assert table.groupby(cells)["parameters_wikitext2"].nunique().max() == 1
    grouped = losses.set_index("index")["loss"].groupby(cells)
    assert grouped.std().median() < 0.02 * losses["loss"].std()


# Random recipes and edits.


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_recipes_and_their_neighbours_are_valid_and_canonical(seed):
    rng = np.random.default_rng(seed)
    (architecture,) = SPACE.sample(1, rng)
    for _ in range(3):
        parsed = SPACE.parse(architecture)
        assert SPACE.canonical(architecture) == architecture
        used = {name for node in parsed.nodes for name in node.inputs}
        assert used >= {"x", *(f"h_prev_{state}" for state in range(parsed.states))}
        neighbour = str(rng.choice(SPACE.neighbours(architecture)))
        assert neighbour != architecture
        assert SPACE.parse(neighbour).states == parsed.states
        architecture = neighbour


def test_a_sample_depends_on_its_seed_alone_and_has_no_duplicates():
    first, again, other = (SPACE.sample(40, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) == 40


def test_a_sample_looks_like_the_benchmark(mirror):
    benchmark = pd.read_parquet(mirror / "nas-bench-nlp.architectures.parquet")["architecture"]
    ours = SPACE.sample(344, np.random.default_rng(0))

    def shares(architectures):
        recipes = [SPACE.parse(architecture) for architecture in architectures]
        operations = Counter(node.operation for one in recipes for node in one.nodes)
        states = Counter(one.states for one in recipes)
        sizes = np.mean([len(one.nodes) for one in recipes])
        return {name: operations[name] / operations.total() for name in ARITY}, states, sizes

    (operations, states, size), (our_operations, our_states, our_size) = shares(benchmark), shares(ours)
    for name in ARITY:
        assert our_operations[name] == pytest.approx(operations[name], abs=0.05)
    for count in (1, 2, 3):
        assert our_states[count] == pytest.approx(states[count], abs=35)
    assert our_size == pytest.approx(size, abs=1.5)


def test_neighbours_of_a_small_cell():
    """Two other activations, and x or h_prev_0 for neither: both are there already and must stay."""
    expected = {
        SPACE.canonical(recipe(f=("linear", "x", "h_prev_0"), h_new_0=(f"activation_{name}", "f")))
        for name in ("sigm", "leaky_relu")
    }
    assert set(SPACE.neighbours(RNN)) == expected


def test_neighbours_are_listed_once():
    neighbours = SPACE.neighbours(GRU)
    assert len(neighbours) == len(set(neighbours)) > 20


def test_a_cell_of_one_node_has_no_neighbours():
    assert SPACE.neighbours(recipe(h_new_0=("linear", "x", "h_prev_0"))) == []


def test_a_negative_sample_is_refused():
    with pytest.raises(InputError, match=r"^count: found -1, expected 0 or more$"):
        SPACE.sample(-1, np.random.default_rng(0))


def test_the_space_is_registered_with_the_benchmarks_widths():
    assert SPACES["nas-bench-nlp"] is NasBenchNLP
    assert space("nas-bench-nlp").widths == (600, 600, 400)
    assert space("nas-bench-nlp", hidden_size=5, layers=2).widths == (5, 400)
    assert NasBenchNLP(layers=1).widths == (400,)
    with pytest.raises(InputError, match=r"^layers: found 0, expected a whole number, 1 or more$"):
        NasBenchNLP(layers=0)


def test_populations_by_hand():
    def traits(**nodes):
        return tuple(SPACE.traits(recipe(**nodes))[name] for name in ("connected", "reachable"))

    assert traits(h_new_0=("linear", "x", "h_prev_0")) == (True, True)
    assert traits(h_new_0=("linear", "h_prev_0")) == (False, True)
    # A node that nothing needs, and a hidden state that only itself needs.
    assert traits(h_new_0=("linear", "x"), a=("activation_tanh", "h_prev_0")) == (True, False)
    assert traits(h_new_0=("linear", "h_prev_0"), h_new_1=("linear", "x", "h_prev_1")) == (False, False)
    # The second hidden state reads the input, and the first one reads it a step later.
    assert traits(h_new_0=("linear", "h_prev_1"), h_new_1=("linear", "x")) == (True, True)


def test_encoding_by_hand():
    text = (
        '{"total": {"op": "linear", "input": ["x", "h_prev_0", "h_prev_1"]},'
        ' "h_new_0": {"op": "activation_tanh", "input": ["total"]},'
        ' "h_new_1": {"op": "elementwise_sum", "input": ["h_new_0", "total"]}}'
    )
    # linear, blend, product, sum, tanh, sigmoid, leaky ReLU; their inputs; uses of x and of states; states.
    assert NasBenchNLP().encoding(text) == (1, 0, 0, 1, 1, 0, 0, 3, 0, 0, 2, 1, 0, 0, 1, 2, 2)
