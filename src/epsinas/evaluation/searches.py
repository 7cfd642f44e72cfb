"""Searches that train a fixed number of networks, with and without the help of a score (Figures 3 and 5).

Followed is the best test accuracy so far. See `epsinas.evaluation.tabular` for what a search is here.
"""

from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsinas.errors import InputError
from epsinas.evaluation.ranking import one_per_network
from epsinas.evaluation.tabular import (
    Networks,
    check_networks,
    check_positive,
    children_table,
    finite_per_network,
    offspring,
    train_rounds,
)


def ageing_evolution(
    validation: ArrayLike,
    neighbours: ArrayLike,
    rng: np.random.Generator,
    *,
    scores: ArrayLike | None = None,
    warm_up_pool: int = 0,
    move: bool = False,
    rounds: int = 100,
    trained: int = 300,
    population: int = 64,
    tournament: int = 10,
) -> Networks:
    """Ageing evolution, plain or helped by a score (Section 2.2, Figures 3 and 5, top).

    The first `population` networks are random, or with warm-up the best by score of `warm_up_pool` random
    ones. Then, until `trained` networks are trained: of `tournament` distinct members of the population the
    one with the highest validation accuracy (in "move" mode: the highest score) is the parent, a random
    neighbour of it is trained and joins, and the oldest member leaves. Equally good entrants: the youngest is
    the parent. As in the released code random networks are drawn with replacement, so a network can be
    trained more than once.

    Args:
        validation: (networks,) float, finite: the accuracy that guides evolution. Where only a test accuracy
            is known, give that.
        neighbours: (networks, degree) int, the possible children, as from `edit_neighbours`.
        rng: source of randomness.
        scores: (networks,) float, needed for warm-up and move; a value that is not finite counts as 0, as in
            the released code.
        warm_up_pool: random networks scored for the warm-up, 3000 in the paper; 0 means no warm-up.
        move: whether the score instead of the validation accuracy decides the parent.
        rounds: independent repetitions.
        trained: networks trained in each round.
        population: size of the population.
        tournament: members that compete to be the parent.

    Returns:
        (rounds, trained) int32 network numbers in the order of training. `best_so_far` turns them into a
        curve.

    Raises:
        InputError: if an array or number has another form or is out of range, or `scores` is needed but
            absent.
    """
    accuracy = finite_per_network("validation", validation)
    children = children_table(neighbours, len(accuracy))
    check_positive(rounds=rounds, trained=trained, population=population, tournament=tournament)
    if tournament > population:
        raise InputError(f"tournament: found {tournament}, expected at most the population's {population}")
    initial = _initial(len(accuracy), rounds, population, population, warm_up_pool, scores, rng)
    fitness = _zero_filled(scores, len(accuracy), "move") if move else accuracy

    def propose(history: Networks) -> NDArray[np.integer]:
        if history.shape[1] < population:
            return initial[:, history.shape[1]]
        keys = rng.random((rounds, population))
        entrants = np.sort(np.argpartition(keys, tournament - 1)[:, :tournament])
        youngest_first = entrants[:, ::-1]
        return offspring(history[:, -population:], youngest_first, fitness, children, rng)

    return train_rounds(propose, rounds, np.ones(len(accuracy)), trained)


def random_search(
    networks: int,
    rng: np.random.Generator,
    *,
    scores: ArrayLike | None = None,
    warm_up_pool: int = 0,
    warm_up: int = 64,
    rounds: int = 100,
    trained: int = 300,
) -> Networks:
    """Random search, plain or with a warm-up (Section 2.2, Figures 3 and 5, bottom).

    Networks are drawn uniformly with replacement. With warm-up the first `warm_up` are the best by score of
    `warm_up_pool` random ones, best first.

    Args:
        networks: size of the space.
        rng: source of randomness.
        scores: (networks,) float, needed for warm-up; a value that is not finite counts as 0.
        warm_up_pool: random networks scored for the warm-up, 3000 in the paper; 0 means no warm-up.
        warm_up: how many of the trained networks come from the pool: 64 in the paper's text, all 300 in the
            released code.
        rounds: independent repetitions.
        trained: networks trained in each round.

    Returns:
        (rounds, trained) int32 network numbers in the order of training.

    Raises:
        InputError: if an array or number has another form or is out of range, or `scores` is needed but
            absent.

    Example:
        Of two networks in the pool, the one with the higher score comes first.

        >>> rng = np.random.default_rng(0)
        >>> random_search(2, rng, scores=[0.1, 0.2], warm_up_pool=64, warm_up=1, rounds=3, trained=5)[:, 0].tolist()
        [1, 1, 1]
    """
    check_positive(networks=networks, rounds=rounds, trained=trained, warm_up=warm_up)
    return _initial(networks, rounds, trained, min(warm_up, trained), warm_up_pool, scores, rng)


def best_so_far(test: ArrayLike, history: Networks) -> NDArray[np.float64]:
    """Follow the best test accuracy among the networks trained so far.

    Args:
        test: (networks,) float, finite.
        history: (rounds, trained) int network numbers, as from `ageing_evolution` or `random_search`.

    Returns:
        (rounds, trained) float64, not decreasing along the second axis.

    Raises:
        InputError: if `test` is not one finite number for each network, or `history` names another network.

    Example:
        >>> best_so_far([91.0, 93.0, 92.0], np.array([[0, 2, 0, 1]])).tolist()
        [[91.0, 92.0, 92.0, 93.0]]
    """
    accuracy = finite_per_network("test", test)
    check_networks("history", history, len(accuracy))
    return np.maximum.accumulate(accuracy[history], axis=1)


def quartiles(best: NDArray[np.float64]) -> dict[str, NDArray[np.floating | np.integer]]:
    """Return what a figure shows of `best_so_far` (rounds, trained), as columns of a table.

    Returns:
        `trained`, from 1, and over rounds `lower`, `median` and `upper`, the quartiles.

    Example:
        >>> quartiles(np.array([[91.0, 92.0], [93.0, 94.0], [95.0, 96.0]]))["median"].tolist()
        [93.0, 94.0]
    """
    lower, median, upper = np.percentile(best, [25, 50, 75], axis=0)
    return {"trained": np.arange(1, len(median) + 1), "lower": lower, "median": median, "upper": upper}


def search_curves(
    validation: ArrayLike,
    test: ArrayLike,
    scores: ArrayLike,
    neighbours: ArrayLike,
    rng: np.random.Generator,
    *,
    warm_up_pool: int = 3000,
    random_warm_up: int = 64,
    rounds: int = 100,
    trained: int = 300,
    population: int = 64,
    tournament: int = 10,
) -> dict[str, NDArray[np.float64]]:
    """The six curves of Figure 3 for one dataset.

    Arguments as in `ageing_evolution`, `random_search` (whose `warm_up` is `random_warm_up` here) and
    `best_so_far`.

    Returns:
        (rounds, trained) float64 best test accuracy so far, under the keys `evolution`, `evolution_warm_up`,
        `evolution_move`, `evolution_warm_up_move`, `random` and `random_warm_up`. The figure shows the median
        and the quartiles over rounds.

    Raises:
        InputError: as the functions named above.
    """
    accuracy = finite_per_network("test", test, len(finite_per_network("validation", validation)))
    check_positive(warm_up_pool=warm_up_pool)
    evolve = partial(
        ageing_evolution,
        validation,
        neighbours,
        rng,
        scores=scores,
        rounds=rounds,
        trained=trained,
        population=population,
        tournament=tournament,
    )
    draw = partial(random_search, len(accuracy), rng, scores=scores, rounds=rounds, trained=trained)
    histories = {
        "evolution": evolve(),
        "evolution_warm_up": evolve(warm_up_pool=warm_up_pool),
        "evolution_move": evolve(move=True),
        "evolution_warm_up_move": evolve(warm_up_pool=warm_up_pool, move=True),
        "random": draw(),
        "random_warm_up": draw(warm_up_pool=warm_up_pool, warm_up=random_warm_up),
    }
    return {name: best_so_far(accuracy, history) for name, history in histories.items()}


def _initial(
    networks: int,
    rounds: int,
    count: int,
    warm_up: int,
    warm_up_pool: int,
    scores: ArrayLike | None,
    rng: np.random.Generator,
) -> Networks:
    """Draw `count` random networks for each round, the first `warm_up` by score if there is a pool."""
    drawn = rng.integers(networks, size=(rounds, count), dtype=np.int32)
    if warm_up_pool == 0:
        return drawn
    if warm_up_pool < warm_up:
        raise InputError(f"warm_up_pool: found {warm_up_pool}, expected 0 or at least the {warm_up} to be taken")
    pools = rng.integers(networks, size=(rounds, warm_up_pool), dtype=np.int32)
    _, places = np.unique(-_zero_filled(scores, networks, "warm-up"), return_inverse=True)
    # Integers of 16 bits are sorted by their digits, ten times as fast.
    falling = np.argsort(places.astype(np.min_scalar_type(networks))[pools], axis=1, kind="stable")
    drawn[:, :warm_up] = np.take_along_axis(pools, falling[:, :warm_up], axis=1)
    return drawn


def _zero_filled(scores: ArrayLike | None, networks: int, purpose: str) -> NDArray[np.float64]:
    """Count networks without a score as score 0."""
    if scores is None:
        raise InputError(f"scores: found none, expected one for each network ({purpose} needs them)")
    values = one_per_network("scores", scores, networks)
    return np.where(np.isfinite(values), values, 0.0)
