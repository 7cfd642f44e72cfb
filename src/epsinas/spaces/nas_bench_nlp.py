"""NAS-Bench-NLP: recurrent cells of up to 24 nodes, seven operations and three hidden states.

A cell's recipe is a JSON object with an entry for each node, `"name": {"op": ..., "input": [...]}`. Inputs are
other nodes, `x` (the layer's input) and `h_prev_0`, `h_prev_1`, ... (its hidden states); the nodes `h_new_0`,
`h_new_1`, ... are the new hidden states, and the first of them is what the next layer reads.

Source: Klyuchnikov et al. (2022), "NAS-Bench-NLP: Neural Architecture Search Benchmark for Natural Language
Processing".
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NoReturn

import numpy as np

from epsinas.errors import InputError, shown
from epsinas.spaces.base import check_skeleton
from epsinas.spaces.operations import RecurrentOperations, Tensor

ARITY = {
    "linear": (1, 3),
    "blend": (3, 3),
    "elementwise_prod": (2, 3),
    "elementwise_sum": (2, 3),
    "activation_tanh": (1, 1),
    "activation_sigm": (1, 1),
    "activation_leaky_relu": (1, 1),
}
"""How many inputs each operation takes: at least, at most."""

OPERATIONS = tuple(ARITY)
MAXIMUM_NODES, MAXIMUM_STATES = 24, 3

LONGEST = 100_000
"""Characters of JSON beyond which no recipe is read; 24 nodes need a few thousand."""

_ACTIVATIONS = tuple(name for name in OPERATIONS if name.startswith("activation_"))
_ELEMENTWISE = ("elementwise_sum", "elementwise_prod")
_ORDERED = ("blend",)
"""Operations of several inputs whose order matters."""

# Shares of the random recipes' parts among the benchmark's.
_STATES = (0.46, 0.41, 0.13)
_GROWTH = {"linear": 0.80, "elementwise_sum": 0.09, "elementwise_prod": 0.06, "blend": 0.05}
_ACTIVATED = 0.92
_THREE_INPUTS = 0.17
_LARGEST_GROWN = 15
_UNUSED = 4.0
"""How much likelier a value without a use is taken as an input than one that has one."""


@dataclass(frozen=True)
class RecipeNode:
    """A node of a recipe: its name, its operation, and the names of its inputs in order."""

    name: str
    operation: str
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class CellRecipe:
    """A cell as a graph of nodes.

    Attributes:
        nodes: in the order of the JSON.
        order: the same nodes, each behind its inputs.
        states: number of hidden states.
    """

    nodes: tuple[RecipeNode, ...]
    order: tuple[RecipeNode, ...]
    states: int


@dataclass(frozen=True)
class NasBenchNLP:
    """The search space and its skeleton.

    Attributes:
        hidden_size: units of every recurrent layer but the last.
        layers: number of recurrent layers.
        embedding: units of the embedding, and of the last layer, whose weights the decoder shares.

    Raises:
        InputError: one of these is no whole number, or below 1.

    Example:
        >>> NasBenchNLP(hidden_size=8, embedding=4).widths
        (8, 8, 4)
    """

    hidden_size: int = 600
    layers: int = 3
    embedding: int = 400
    name: ClassVar[str] = "nas-bench-nlp"
    title: ClassVar[str] = "NAS-Bench-NLP"
    family: ClassVar[str] = "sequences"
    summary: ClassVar[str] = "recurrent cells with up to 24 nodes, 7 operations, 3 hidden states"
    size: ClassVar[int] = 14_322
    weights: ClassVar[tuple[float, float]] = (1e-5, 1e-3)

    def __post_init__(self) -> None:
        check_skeleton(self)

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each layer: 600, 600 and 400 in the benchmark."""
        return (self.hidden_size,) * (self.layers - 1) + (self.embedding,)

    def parse(self, architecture: str) -> CellRecipe:
        """Read a recipe's JSON.

        Raises:
            InputError: it is not JSON as described above; a name appears twice or is reserved; an operation is
                unknown or has too few or too many inputs; an input is unknown, or is `x` outside a linear
                operation (its width is another); nodes depend on each other in a circle; a hidden state is
                missing; there are more than 24 nodes or 3 hidden states.

        Example:
            >>> text = (
            ...     '{"total": {"op": "linear", "input": ["x", "h_prev_0"]},'
            ...     ' "h_new_0": {"op": "activation_tanh", "input": ["total"]}}'
            ... )
            >>> [node.operation for node in NasBenchNLP().parse(text).nodes]
            ['linear', 'activation_tanh']
        """
        return _recipe(_nodes(_load(architecture)))

    def format(self, recipe: CellRecipe) -> str:
        """Print a recipe as the benchmark does, nodes in the order of `recipe.nodes`: the inverse of `parse`."""
        return json.dumps({node.name: {"op": node.operation, "input": list(node.inputs)} for node in recipe.nodes})

    def canonical(self, architecture: str) -> str:
        """Print the JSON that all recipes of one cell share.

        Nodes come in the order in which `h_new_0`, `h_new_1`, ... need them and are called `node_0`, `node_1`, ...;
        inputs of sums, products and linear operations are sorted, and nodes that no hidden state needs left out.
        Hidden states keep their numbers.

        Raises:
            InputError: as `parse`.

        Example:
            >>> NasBenchNLP().canonical('{"h_new_0": {"op": "linear", "input": ["x", "h_prev_0"]}}')
            '{"h_new_0": {"op": "linear", "input": ["h_prev_0", "x"]}}'
        """
        return self._canonical(self.parse(architecture))

    def _canonical(self, recipe: CellRecipe) -> str:
        nodes = {node.name: node for node in recipe.nodes}
        digests: dict[str, bytes] = {}
        inputs: dict[str, tuple[str, ...]] = {}
        for node in recipe.order:
            chosen = node.inputs
            if node.operation not in _ORDERED:
                chosen = tuple(sorted(chosen, key=lambda name: digests.get(name, name.encode())))
            inputs[node.name] = chosen
            content = [node.operation.encode(), *(digests.get(name, name.encode()) for name in chosen)]
            digests[node.name] = hashlib.blake2b(b"\0".join(content), digest_size=16).digest()
        names: dict[str, str] = {}
        printed: list[RecipeNode] = []

        def visit(name: str) -> None:
            if name in names or name not in nodes:
                return
            for inner in inputs[name]:
                visit(inner)
            kept = _new_state(name) is not None
            names[name] = name if kept else f"node_{len(printed)}"
            taken = tuple(names.get(inner, inner) for inner in inputs[name])
            printed.append(RecipeNode(names[name], nodes[name].operation, taken))

        for state in range(recipe.states):
            visit(f"h_new_{state}")
        return self.format(CellRecipe(tuple(printed), tuple(printed), recipe.states))

    def sample(self, count: int, rng: np.random.Generator) -> list[str]:
        """Draw `count` different random recipes, in canonical form.

        Follows the benchmark: values are joined at random by linear operations of two or three inputs, most
        of them followed by an activation, and by sums, products and blends; some become the hidden states, and
        what they do not need is removed. A recipe of two nodes or more is kept if it uses `x` and every hidden state.

        Raises:
            InputError: `count` is negative.

        Example:
            >>> space = NasBenchNLP()
            >>> recipes = space.sample(10, np.random.default_rng(0))
            >>> [space.canonical(recipe) for recipe in recipes] == recipes
            True
        """
        if count < 0:
            raise InputError(f"count: found {count}, expected 0 or more")
        drawn: dict[str, None] = {}
        while len(drawn) < count:
            nodes = _grow(rng)
            if nodes is not None:
                drawn[self._canonical(_recipe(nodes))] = None
        return list(drawn)

    def neighbours(self, architecture: str) -> list[str]:
        """List the recipes that differ in one node, in canonical form.

        A node may get another operation of its kind (activation, or sum and product), another input in place of
        one, and if it is linear, an input more or less. Nodes that no hidden state needs any more are removed.
        Recipes of a single node, or that would not use `x` or a hidden state, do not count.

        Raises:
            InputError: as `parse`.

        Example:
            >>> text = (
            ...     '{"total": {"op": "linear", "input": ["x", "h_prev_0"]},'
            ...     ' "h_new_0": {"op": "activation_tanh", "input": ["total"]}}'
            ... )
            >>> operations = set()
            >>> for neighbour in NasBenchNLP().neighbours(text):
            ...     operations.update(node.operation for node in NasBenchNLP().parse(neighbour).nodes)
            >>> sorted(operations)
            ['activation_leaky_relu', 'activation_sigm', 'linear']
        """
        recipe, start = self.parse(architecture), self.canonical(architecture)
        found: dict[str, None] = {}
        for node in recipe.nodes:
            for edited in _edits(recipe, node):
                neighbour = self._edited(recipe, node, edited)
                if neighbour not in (None, start):
                    found[neighbour] = None
        return list(found)

    def traits(self, architecture: str) -> dict[str, bool | int]:
        """Say whether a network belongs to each of two populations.

        `connected`: the first hidden state, which is a layer's output, depends on the layer's input, in this time step
        or a later one. `reachable`: it needs every node, and so every hidden state.

        Raises:
            InputError: as `parse`.

        Example:
            >>> NasBenchNLP().traits('{"h_new_0": {"op": "linear", "input": ["h_prev_0"]}}')
            {'connected': False, 'reachable': True}
        """
        recipe = self.parse(architecture)
        inputs = {node.name: node.inputs for node in recipe.nodes}
        inputs |= {f"h_prev_{state}": (f"h_new_{state}",) for state in range(recipe.states)}
        needed, waiting = set(), ["h_new_0"]
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting.extend(inputs.get(name, ()))
        return {"connected": "x" in needed, "reachable": all(node.name in needed for node in recipe.nodes)}

    def encoding(self, architecture: str) -> tuple[int, ...]:
        """Return counts, since recipes have no fixed places that could be encoded one by one.

        Nodes of each of the seven operations, inputs of all nodes of each, uses of `x`, uses of hidden states, and
        hidden states.

        Raises:
            InputError: as `parse`.

        Example:
            >>> NasBenchNLP().encoding('{"h_new_0": {"op": "linear", "input": ["x", "h_prev_0"]}}')
            (1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 1, 1)
        """
        recipe = self.parse(architecture)
        nodes = [[node for node in recipe.nodes if node.operation == name] for name in OPERATIONS]
        inputs = [name for node in recipe.nodes for name in node.inputs]
        return (
            *map(len, nodes),
            *(sum(len(node.inputs) for node in own) for own in nodes),
            inputs.count("x"),
            sum(name.startswith("h_prev_") for name in inputs),
            recipe.states,
        )

    def _edited(self, recipe: CellRecipe, node: RecipeNode, edited: RecipeNode) -> str | None:
        """Return the canonical recipe with one node replaced, None where it is no cell to search."""
        nodes = _prune([edited if other is node else other for other in recipe.nodes], recipe.states)
        if not _is_grown(nodes, recipe.states):
            return None
        return self._canonical(_recipe(nodes))

    def cell(
        self, ops: RecurrentOperations[Tensor], recipe: CellRecipe, x: Tensor, hidden: tuple[Tensor, ...], features: int
    ) -> tuple[Tensor, ...]:
        """Apply a cell once: from the layer's input and hidden states to the new hidden states."""
        values = {"x": x, **{f"h_prev_{state}": value for state, value in enumerate(hidden)}}
        for node in recipe.order:
            inputs = [values[name] for name in node.inputs]
            match node.operation:
                case "linear":
                    values[node.name] = ops.linear(inputs, features)
                case "elementwise_prod":
                    values[node.name] = ops.prod(inputs)
                case "elementwise_sum":
                    values[node.name] = ops.sum(inputs)
                case activation_or_blend:
                    values[node.name] = getattr(ops, activation_or_blend)(*inputs)
        return tuple(values[f"h_new_{state}"] for state in range(recipe.states))

    def network(self, ops: RecurrentOperations[Tensor], architecture: str, embedded: Tensor) -> Tensor:
        """Describe the recurrent layers, from embedded tokens (time, batch, embedding) to the last one's units."""
        recipe = self.parse(architecture)
        x = embedded
        for features in self.widths:

            def cell(x: Tensor, hidden: tuple[Tensor, ...], features: int = features) -> tuple[Tensor, ...]:
                return self.cell(ops, recipe, x, hidden, features)

            x = ops.recurrent(cell, x, features, recipe.states)
        return x


def _load(architecture: str) -> dict[str, object]:
    """Read the JSON, refusing names that appear twice."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        for name, _ in pairs:
            if sum(other == name for other, _ in pairs) > 1:
                raise InputError(f"recipe: name {shown(name)} appears twice")
        return dict(pairs)

    if len(architecture) > LONGEST:
        _malformed(f"{len(architecture)} characters")
    try:
        found = json.loads(architecture, object_pairs_hook=unique)
    except InputError:
        raise
    except (ValueError, RecursionError):
        text = architecture.strip()
        _malformed(repr(text if len(text) <= 60 else text[:57] + "..."))
    if not isinstance(found, dict) or not found:
        _malformed("an empty object" if found == {} else type(found).__name__)
    return found


def _malformed(found: str) -> NoReturn:
    expected = '{"name": {"op": "...", "input": ["...", ...]}, ...}'
    raise InputError(f"recipe: found {found}, expected JSON like {expected}")


def _nodes(content: dict[str, object]) -> tuple[RecipeNode, ...]:
    """Return a recipe's nodes, each checked by itself."""
    if len(content) > MAXIMUM_NODES:
        raise InputError(f"recipe: found {len(content)} nodes, expected at most {MAXIMUM_NODES}")
    nodes = []
    for name, spec in content.items():
        where = f"recipe, node {shown(name)}"
        if name == "x" or name.startswith("h_prev"):
            raise InputError(f"{where}: the name is reserved for an input of the cell")
        if not name.isprintable():
            raise InputError(f"{where}: the name has characters that cannot be printed")
        if not isinstance(spec, dict) or set(spec) != {"op", "input"}:
            found = ", ".join(map(shown, spec)) or "none" if isinstance(spec, dict) else type(spec).__name__
            raise InputError(f"{where}: found {found}, expected the keys op and input")
        operation, inputs = spec["op"], spec["input"]
        if not isinstance(operation, str) or operation not in ARITY:
            raise InputError(f"{where}: unknown operation {shown(operation)}: expected one of {', '.join(OPERATIONS)}")
        if not isinstance(inputs, list) or not all(isinstance(inner, str) for inner in inputs):
            raise InputError(f"{where}: input is no list of names")
        least, most = ARITY[operation]
        if not least <= len(inputs) <= most:
            expected = str(least) if least == most else f"{least} to {most}"
            raise InputError(f"{where}: found {len(inputs)} inputs of {operation}, expected {expected}")
        nodes.append(RecipeNode(name, operation, tuple(inputs)))
    return tuple(nodes)


def _recipe(nodes: tuple[RecipeNode, ...]) -> CellRecipe:
    """Return the recipe of these nodes, checked as a whole."""
    names = {node.name for node in nodes}
    numbers = [state for node in nodes if (state := _new_state(node.name)) is not None]
    states = max(numbers, default=-1) + 1
    if states > MAXIMUM_STATES:
        raise InputError(f"recipe: found h_new_{states - 1}, expected at most {MAXIMUM_STATES} hidden states")
    for state in range(max(states, 1)):
        if f"h_new_{state}" not in names:
            raise InputError(f"recipe: hidden state h_new_{state} is missing")
    known = names | {"x"} | {f"h_prev_{state}" for state in range(states)}
    for node in nodes:
        for name in node.inputs:
            if name not in known:
                raise InputError(f"recipe, node {shown(node.name)}: unknown input {shown(name)}")
            if name == "x" and node.operation != "linear":
                raise InputError(
                    f"recipe, node {shown(node.name)}: found x in {node.operation}, expected it in linear only, "
                    "since its width is another"
                )
    return CellRecipe(nodes, _ordered(nodes), states)


def _new_state(name: str) -> int | None:
    """Return i of a name `h_new_i`, None for any other."""
    match = re.fullmatch(r"h_new_(0|[1-9][0-9]{0,5})", name)
    return int(match[1]) if match else None


def _ordered(nodes: tuple[RecipeNode, ...]) -> tuple[RecipeNode, ...]:
    """Order nodes behind their inputs, otherwise as they are."""
    waiting, done, order = list(nodes), set(), []
    names = {node.name for node in nodes}
    while waiting:
        for node in waiting:
            if all(name in done or name not in names for name in node.inputs):
                break
        else:
            raise InputError(
                f"recipe: nodes depend on each other in a circle: {', '.join(repr(node.name) for node in waiting)}"
            )
        waiting.remove(node)
        done.add(node.name)
        order.append(node)
    return tuple(order)


def _prune(nodes: Sequence[RecipeNode], states: int) -> tuple[RecipeNode, ...]:
    """Keep what the hidden states need."""
    by_name = {node.name: node for node in nodes}
    needed: set[str] = set()
    waiting = [f"h_new_{state}" for state in range(states)]
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in needed:
            needed.add(name)
            waiting.extend(by_name[name].inputs)
    return tuple(node for node in nodes if node.name in needed)


def _is_grown(nodes: Sequence[RecipeNode], states: int) -> bool:
    """Say whether a cell has two nodes at least, as all of the benchmark's, and uses `x` and every hidden state."""
    used = {name for node in nodes for name in node.inputs}
    return len(nodes) > 1 and used >= {"x", *(f"h_prev_{state}" for state in range(states))}


def _edits(recipe: CellRecipe, node: RecipeNode) -> Iterable[RecipeNode]:
    """Yield the versions of a node that differ in its operation or in one input."""
    kinds = next((kind for kind in (_ACTIVATIONS, _ELEMENTWISE) if node.operation in kind), ())
    for operation in kinds:
        if operation != node.operation:
            yield RecipeNode(node.name, operation, node.inputs)
    behind = _behind(recipe, node.name)
    values = [*(f"h_prev_{state}" for state in range(recipe.states))]
    values += [other.name for other in recipe.nodes if other.name not in behind]
    if node.operation == "linear":
        values.append("x")
        if len(node.inputs) > 2:
            for position in range(len(node.inputs)):
                yield RecipeNode(node.name, node.operation, node.inputs[:position] + node.inputs[position + 1 :])
    values = [name for name in values if name not in node.inputs]
    for name in values:
        for position in range(len(node.inputs)):
            replaced = (*node.inputs[:position], name, *node.inputs[position + 1 :])
            yield RecipeNode(node.name, node.operation, replaced)
        if node.operation == "linear" and len(node.inputs) < ARITY["linear"][1]:
            yield RecipeNode(node.name, node.operation, (*node.inputs, name))


def _behind(recipe: CellRecipe, name: str) -> set[str]:
    """Return the nodes that depend on this one, itself included."""
    behind = {name}
    for node in recipe.order:
        if behind.intersection(node.inputs):
            behind.add(node.name)
    return behind


def _grow(rng: np.random.Generator) -> tuple[RecipeNode, ...] | None:
    """Draw the nodes of a random cell; None where `_is_grown` refuses them."""
    states = int(rng.choice(len(_STATES), p=_STATES)) + 1
    inputs = [f"h_prev_{state}" for state in range(states)]
    nodes: list[RecipeNode] = []
    used: dict[str, int] = {}

    def take(values: Sequence[str], count: int) -> tuple[str, ...]:
        weights = np.array([1.0 if used.get(name) else _UNUSED for name in values])
        chosen = rng.choice(len(values), count, replace=False, p=weights / weights.sum())
        names = tuple(values[position] for position in chosen)
        for name in names:
            used[name] = used.get(name, 0) + 1
        return names

    def add(operation: str, taken: tuple[str, ...]) -> str:
        nodes.append(RecipeNode(f"node_{len(nodes)}", operation, taken))
        return nodes[-1].name

    size = int(rng.integers(2 * states, _LARGEST_GROWN))
    while len(nodes) < size:
        operation = str(rng.choice(list(_GROWTH), p=list(_GROWTH.values())))
        activated = [node.name for node in nodes if node.operation in _ACTIVATIONS]
        if operation == "linear":
            values = ["x", *inputs, *activated]
            count = 3 if len(values) > 2 and rng.random() < _THREE_INPUTS else 2
            name = add("linear", take(values, count))
            if rng.random() < _ACTIVATED:
                add(str(rng.choice(_ACTIVATIONS)), take([name], 1))
            continue
        values = [*inputs, *(node.name for node in nodes)]
        count = ARITY[operation][0]
        if len(values) >= count:
            add(operation, take(values, count))
    open_ends = [node.name for node in nodes if node.name not in used]
    others = [node.name for node in nodes if node.name in used]
    chosen = [*rng.permutation(open_ends), *rng.permutation(others)][:states]
    renamed = {str(name): f"h_new_{state}" for state, name in enumerate(rng.permutation(chosen))}
    final = [
        RecipeNode(
            renamed.get(node.name, node.name), node.operation, tuple(renamed.get(name, name) for name in node.inputs)
        )
        for node in nodes
    ]
    pruned = _prune(final, states)
    return pruned if len(renamed) == states and _is_grown(pruned, states) else None


SPACE = NasBenchNLP
