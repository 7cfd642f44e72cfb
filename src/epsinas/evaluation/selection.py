"""How good a network comes out when one is picked from a random pool (Table 2, trainless methods)."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsinas.errors import InputError
from epsinas.evaluation.ranking import one_per_network

Columns = Mapping[str, ArrayLike]
"""For each column of the table (a dataset and split), one accuracy for each network."""


def select(
    scores: ArrayLike, performance: Columns, pool_size: int, runs: int, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Pick the network with the highest score from each of `runs` random pools (Table 2).

    A pool is `pool_size` networks drawn uniformly with replacement. Networks without a score lose to any that
    has one; equal scores, and a pool in which none has a score, go to the network drawn first. `select`,
    `select_optimal` and `select_random` draw the same pools from the same state of `rng`.

    Args:
        scores: (networks,) float; a value that is not finite means no score.
        performance: for each column (networks,) float, accuracy in percent, NaN where unknown.
        pool_size: the paper's N, 1000 or 100.
        runs: number of pools, 500 in the paper.
        rng: source of randomness.

    Returns:
        For each column (runs,) float64: the picked network's accuracy in every run.

    Raises:
        InputError: if an array is not one number for each network, no column or network is given, or a number
            is below 1.

    Example:
        Pools of 64 draws hold all three networks, so that the score decides.

        >>> accuracy = {"cifar10_test": [91.0, 93.0, 92.0]}
        >>> select([0.1, 0.2, 0.3], accuracy, 64, 2, np.random.default_rng(0))["cifar10_test"].tolist()
        [92.0, 92.0]
    """
    columns = _columns(performance)
    networks = _network_count(columns)
    values = one_per_network("scores", scores, networks)
    pools = _draw_pools(networks, pool_size, runs, rng)
    ranked = np.where(np.isfinite(values), values, -np.inf)[pools]
    picked = _pick(pools, ranked.argmax(axis=1))
    return {name: column[picked] for name, column in columns.items()}


def select_optimal(
    performance: Columns, pool_size: int, runs: int, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Reach, in each column by itself, the best accuracy of every pool (baseline "Optimal" of Table 2).

    Arguments, return value and errors as in `select`; unknown accuracies are passed over.

    Example:
        >>> select_optimal({"cifar10_test": [91.0, 93.0]}, 64, 2, np.random.default_rng(0))["cifar10_test"].tolist()
        [93.0, 93.0]
    """
    columns = _columns(performance)
    pools = _draw_pools(_network_count(columns), pool_size, runs, rng)
    return {name: np.fmax.reduce(column[pools], axis=1) for name, column in columns.items()}


def select_random(
    performance: Columns, pool_size: int, runs: int, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Pick the network of each pool that was drawn first: a random one (baseline "Random" of Table 2).

    Arguments, return value and errors as in `select`.

    Example:
        >>> select_random({"cifar10_test": [91.0, 91.0]}, 64, 2, np.random.default_rng(0))["cifar10_test"].tolist()
        [91.0, 91.0]
    """
    columns = _columns(performance)
    pools = _draw_pools(_network_count(columns), pool_size, runs, rng)
    return {name: column[pools[:, 0]] for name, column in columns.items()}


def _columns(performance: Columns) -> dict[str, NDArray[np.float64]]:
    if not performance:
        raise InputError("performance: found no column, expected at least one")
    return {name: one_per_network(f"performance[{name!r}]", values) for name, values in performance.items()}


def _network_count(columns: dict[str, NDArray[np.float64]]) -> int:
    first = len(next(iter(columns.values())))
    if first == 0:
        raise InputError("performance: found no network, expected at least one")
    for name, column in columns.items():
        one_per_network(f"performance[{name!r}]", column, first)
    return first


def _draw_pools(networks: int, pool_size: int, runs: int, rng: np.random.Generator) -> NDArray[np.int64]:
    for name, number in (("pool_size", pool_size), ("runs", runs)):
        if number < 1:
            raise InputError(f"{name}: found {number}, expected at least 1")
    return rng.integers(networks, size=(runs, pool_size))


def _pick(pools: NDArray[np.int64], position: NDArray[np.intp]) -> NDArray[np.int64]:
    """Take from each pool the network at its position."""
    return np.take_along_axis(pools, position[:, None], axis=1)[:, 0]
