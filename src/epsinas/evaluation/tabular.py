"""A search space as tables, and the loop that all searches on a tabular benchmark share.

A search only ever reads the tables it is given, so all its rounds advance together, one trained network at a time, as
columns of an array.

Results are arrays of network numbers (rounds, trained) in the order of training. The population of ageing
evolution is always the last `population` of them, so the history is at the same time its whole state.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsinas.errors import InputError
from epsinas.evaluation.ranking import one_per_network

Networks = NDArray[np.int32]
Propose = Callable[[Networks], NDArray[np.integer]]
"""Given the networks trained so far (rounds, steps), name the next one of each round (rounds,)."""


def network_lookup(operations: ArrayLike, choices: int = 5) -> Networks:
    """Index a space in which every edge of a cell carries one of `choices` operations.

    Args:
        operations: (networks, edges) integers, the operation 0 .. choices - 1 on each edge.
        choices: number of operations, 5 in NAS-Bench-201.

    Returns:
        (choices ** edges,) int32: at position sum_e operations[e] * choices ** e the network's number.

    Raises:
        InputError: if the array has another form, an operation is out of range, or the networks are not all
            combinations, each once.

    Example:
        >>> network_lookup([[1, 1], [0, 0], [1, 0], [0, 1]], choices=2).tolist()
        [1, 2, 3, 0]
    """
    table = _operations(operations, choices)
    networks, edges = table.shape
    if networks != choices**edges:
        raise InputError(
            f"operations: found {networks} networks, expected all {choices**edges} combinations of {choices} "
            f"operations on {edges} edges"
        )
    codes = table @ choices ** np.arange(edges)
    lookup = np.full(choices**edges, -1, np.int32)
    lookup[codes] = np.arange(networks)
    if (lookup < 0).any():
        repeated = np.setdiff1d(np.arange(networks), lookup)[0]
        raise InputError(f"operations: network {repeated} occurs again later, expected each combination once")
    return lookup


def edit_neighbours(operations: ArrayLike, choices: int = 5) -> Networks:
    """List for each network those that differ from it in the operation on exactly one edge.

    Args:
        operations: (networks, edges) integers, the operation 0 .. choices - 1 on each edge.
        choices: number of operations, 5 in NAS-Bench-201.

    Returns:
        (networks, edges * (choices - 1)) int32 network numbers; NAS-Bench-201 has 24 neighbours per network.

    Raises:
        InputError: as `network_lookup`.

    Example:
        >>> edit_neighbours([[1, 1], [0, 0], [1, 0], [0, 1]], choices=2).tolist()
        [[3, 2], [2, 3], [1, 0], [0, 1]]
    """
    lookup = network_lookup(operations, choices)
    table = _operations(operations, choices)
    place = choices ** np.arange(table.shape[1])
    changed = (table[:, :, None] + np.arange(1, choices)) % choices - table[:, :, None]
    codes = (table @ place)[:, None, None] + changed * place[:, None]
    return lookup[codes.reshape(len(table), -1)]


def _operations(operations: ArrayLike, choices: int) -> NDArray[np.int64]:
    if choices < 2:
        raise InputError(f"choices: found {choices}, expected at least 2")
    table = _integer_table("operations", operations, "(networks, edges)")
    wrong = (table < 0) | (table >= choices)
    if wrong.any():
        network, edge = np.argwhere(wrong)[0]
        raise InputError(
            f"operations: found {table[network, edge]} in network {network}, edge {edge}, expected 0 to {choices - 1}"
        )
    return table


def train_rounds(propose: Propose, rounds: int, cost: NDArray[np.float64], budget: float) -> Networks:
    """Train what is proposed in every round while less than the budget is spent.

    Args:
        propose: names the next network of every round.
        rounds: independent repetitions.
        cost: (networks,) float64, positive: what training a network costs, 1 to count networks or its seconds.
        budget: in the unit of `cost`; the network that exceeds it still counts.

    Returns:
        (rounds, most trained) int32 network numbers in the order of training, -1 once the budget was spent.
    """
    most = int(np.ceil(budget / cost.min()))
    history = np.empty((rounds, most), np.int32)
    spent = np.zeros((rounds, most))
    total = np.zeros(rounds)
    for step in range(most):
        spent[:, step] = total
        if (total >= budget).all():
            most = step
            break
        history[:, step] = propose(history[:, :step])
        total = total + cost[history[:, step]]
    return np.where(spent < budget, history, -1)[:, :most].astype(np.int32)


def offspring(
    population: Networks,
    entrants: NDArray[np.integer],
    fitness: NDArray[np.float64],
    children: Networks,
    rng: np.random.Generator,
) -> Networks:
    """Give a random neighbour of each round's fittest entrant; of equals the first entrant is the parent.

    Args:
        population: (rounds, members) int32 network numbers.
        entrants: (rounds, tournament) int, positions in the population.
        fitness: (networks,) float64, the larger the better.
        children: (networks, degree) int32, the neighbours of each network.
        rng: source of randomness.

    Returns:
        (rounds,) int32 network numbers.
    """
    competing = np.take_along_axis(population, entrants, axis=1)
    winner = fitness[competing].argmax(axis=1)
    parents = np.take_along_axis(competing, winner[:, None], axis=1)[:, 0]
    return children[parents, rng.integers(children.shape[1], size=len(parents))]


def finite_per_network(name: str, values: ArrayLike, networks: int | None = None) -> NDArray[np.float64]:
    """Check that every network has a finite value: a search can ask for any of them.

    Args:
        name: the argument's name, for the message.
        values: the argument.
        networks: how many values are expected; None accepts any number but 0.

    Returns:
        (networks,) float64.

    Raises:
        InputError: if the values are not one finite number for each network, or there is no network.
    """
    array = one_per_network(name, values, networks)
    if not len(array):
        raise InputError(f"{name}: found no network, expected at least one")
    missing = ~np.isfinite(array)
    if missing.any():
        raise InputError(
            f"{name}: found {array[missing][0]} for network {missing.argmax()}, expected a finite number for each"
        )
    return array


def children_table(neighbours: ArrayLike, networks: int) -> Networks:
    """Check the neighbours of each of so many networks, which are the children that evolution may give it.

    Returns:
        (networks, degree) int32 network numbers.

    Raises:
        InputError: if `neighbours` is no such table of integers, or names another network.
    """
    table = _integer_table("neighbours", neighbours, "(networks, degree)")
    if len(table) != networks:
        raise InputError(f"neighbours: found {len(table)} rows, expected one for each of {networks} networks")
    check_networks("neighbours", table, networks)
    return table.astype(np.int32)


def _integer_table(name: str, values: ArrayLike, shape: str) -> NDArray[np.int64]:
    try:
        table = np.asarray(values)
    except ValueError:
        raise InputError(f"{name}: found rows of different lengths, expected integers of shape {shape}") from None
    if table.ndim != 2 or table.size == 0 or not np.issubdtype(table.dtype, np.integer):
        raise InputError(f"{name}: found {table.dtype} of shape {table.shape}, expected integers of shape {shape}")
    return table.astype(np.int64)


def check_networks(name: str, numbers: NDArray[np.integer], networks: int) -> None:
    """Check that an argument called `name` holds numbers of `networks` networks; raises `InputError`."""
    wrong = (numbers < 0) | (numbers >= networks)
    if wrong.any():
        raise InputError(f"{name}: found {numbers[wrong][0]}, expected network numbers 0 to {networks - 1}")


def check_positive(**numbers: int) -> None:
    """Check that arguments, given by their names, are 1 or more; raises `InputError`."""
    for name, number in numbers.items():
        if number < 1:
            raise InputError(f"{name}: found {number}, expected at least 1")
