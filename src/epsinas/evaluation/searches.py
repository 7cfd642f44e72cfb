"""Searches for a good network on a tabular benchmark, with and without the help of a score.

Two families share one loop. Figures 3 and 5 train a fixed number of networks and follow the best test
accuracy so far; the trained methods of Table 2 train for a fixed time and return one network. A search only
ever reads the tables it is given, so all rounds advance together, one trained network at a time, as columns
of an array.

Results are arrays of network numbers (rounds, trained) in the order of training. The population of ageing
evolution is always the last `population` of them, so the history is at the same time its whole state.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsinas.errors import InputError
from epsinas.evaluation.ranking import one_per_network

Networks = NDArray[np.int32]
Propose = Callable[[Networks], NDArray[np.integer]]
"""Given the networks trained so far (rounds, steps), name the next one of each round (rounds,)."""


# --- Search spaces as tables ---


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


# --- Figures 3 and 5: a fixed number of trained networks ---


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
    accuracy = _known("validation", validation)
    children = _children(neighbours, len(accuracy))
    _check_numbers(rounds=rounds, trained=trained, population=population, tournament=tournament)
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
        return _offspring(history[:, -population:], youngest_first, fitness, children, rng)

    return _train(propose, rounds, np.ones(len(accuracy)), trained)


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
    """
    _check_numbers(networks=networks, rounds=rounds, trained=trained, warm_up=warm_up)
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
    """
    accuracy = _known("test", test)
    _check_range("history", history, len(accuracy))
    return np.maximum.accumulate(accuracy[history], axis=1)


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
    accuracy = _known("test", test, len(_known("validation", validation)))
    _check_numbers(warm_up_pool=warm_up_pool)
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
    falling = np.argsort(-_zero_filled(scores, networks, "warm-up")[pools], axis=1, kind="stable")
    drawn[:, :warm_up] = np.take_along_axis(pools, falling[:, :warm_up], axis=1)
    return drawn


def _zero_filled(scores: ArrayLike | None, networks: int, purpose: str) -> NDArray[np.float64]:
    """Count networks without a score as score 0."""
    if scores is None:
        raise InputError(f"scores: found none, expected one for each network ({purpose} needs them)")
    values = one_per_network("scores", scores, networks)
    return np.where(np.isfinite(values), values, 0.0)


# --- Table 2: a fixed training time ---


@dataclass(frozen=True)
class BudgetedSearch:
    """What the runs of a search with a training budget trained and chose."""

    history: Networks
    """(runs, most trained) int32 network numbers in the order of training, -1 once the budget was spent."""
    chosen: Networks
    """(runs,) int32: of the networks a run trained, the one with the highest validation accuracy."""
    seconds: NDArray[np.float64]
    """(runs,) float64: simulated training time of each run."""


def budgeted_random_search(
    validation: ArrayLike, cost_seconds: ArrayLike, budget_seconds: float, runs: int, rng: np.random.Generator
) -> BudgetedSearch:
    """Random search within a training budget ("RS" of Table 2).

    Each run trains networks, drawn uniformly with replacement, while less than the budget is spent; the
    network whose training exceeds it still counts. Every training is paid for, also that of a network met
    before, as in the simulation of NAS-Bench-201 (Dong and Yang, ICLR 2020).

    Args:
        validation: (networks,) float, finite: the accuracy after the training that is paid for (12 epochs).
        cost_seconds: (networks,) float, positive: how long that training takes.
        budget_seconds: 12,000 in NAS-Bench-201 for CIFAR-10.
        runs: independent repetitions, 500 in the paper.
        rng: source of randomness.

    Returns:
        What each run trained and chose.

    Raises:
        InputError: if an array is not one finite (for costs also positive) number for each network, or a
            number
            is out of range.
    """
    accuracy, cost = _trainable(validation, cost_seconds)

    def propose(history: Networks) -> NDArray[np.integer]:
        return rng.integers(len(accuracy), size=runs)

    return _search_within_budget(propose, runs, accuracy, cost, budget_seconds)


def budgeted_evolution(
    validation: ArrayLike,
    neighbours: ArrayLike,
    cost_seconds: ArrayLike,
    budget_seconds: float,
    runs: int,
    rng: np.random.Generator,
    *,
    population: int = 10,
    tournament: int = 3,
) -> BudgetedSearch:
    """Regularised evolution within a training budget ("REA" of Table 2; Real et al., AAAI 2019).

    The population starts with random networks. Then the best of `tournament` members, drawn with replacement
    as in Algorithm 1 of Real et al., is the parent of a random neighbour, and the oldest member leaves. A
    population of 10 and a tournament of 3 are the settings of NAS-Bench-201's released search.

    Args:
        validation: as in `budgeted_random_search`.
        neighbours: (networks, degree) int, the possible children, as from `edit_neighbours`.
        cost_seconds: as in `budgeted_random_search`.
        budget_seconds: as in `budgeted_random_search`.
        runs: as in `budgeted_random_search`.
        rng: source of randomness.
        population: size of the population.
        tournament: draws that compete to be the parent.

    Returns:
        What each run trained and chose.

    Raises:
        InputError: as `budgeted_random_search`, or if `neighbours` has another form.
    """
    accuracy, cost = _trainable(validation, cost_seconds)
    children = _children(neighbours, len(accuracy))
    _check_numbers(population=population, tournament=tournament)

    def propose(history: Networks) -> NDArray[np.integer]:
        if history.shape[1] < population:
            return rng.integers(len(accuracy), size=runs)
        entrants = rng.integers(population, size=(runs, tournament))
        return _offspring(history[:, -population:], entrants, accuracy, children, rng)

    return _search_within_budget(propose, runs, accuracy, cost, budget_seconds)


def budgeted_reinforce(
    validation: ArrayLike,
    operations: ArrayLike,
    cost_seconds: ArrayLike,
    budget_seconds: float,
    runs: int,
    rng: np.random.Generator,
    *,
    choices: int = 5,
    learning_rate: float = 0.01,
    momentum: float = 0.9,
) -> BudgetedSearch:
    """REINFORCE within a training budget (Table 2; Williams, Machine Learning 1992).

    The policy is an independent softmax over the operations of each edge, with logits that start at normal(0,
    0.001). With r the validation accuracy in percent of a sampled network a, b the bias-corrected exponential
    moving average of r (r included) and p the probabilities, Adam (Kingma and Ba, ICLR 2015, default moments)
    descends the gradient (r - b) (p - onehot(a)). These choices are those of the search released with
    NATS-Bench (Dong et al., TPAMI 2021), the successor of NAS-Bench-201, whose own script has a learning rate
    of 0.001.

    Args:
        validation: as in `budgeted_random_search`.
        operations: (networks, edges) integers, all combinations of 0 .. choices - 1, as in `network_lookup`.
        cost_seconds: as in `budgeted_random_search`.
        budget_seconds: as in `budgeted_random_search`.
        runs: as in `budgeted_random_search`.
        rng: source of randomness.
        choices: number of operations on an edge.
        learning_rate: step size of Adam, positive.
        momentum: weight of the past in the moving average, from 0 up to but not including 1.

    Returns:
        What each run trained and chose.

    Raises:
        InputError: as `budgeted_random_search` and `network_lookup`, or if a rate is out of range.
    """
    accuracy, cost = _trainable(validation, cost_seconds)
    lookup = network_lookup(operations, choices)
    if len(lookup) != len(accuracy):
        raise InputError(f"operations: found {len(lookup)} networks, expected {len(accuracy)} as in validation")
    if not learning_rate > 0:
        raise InputError(f"learning_rate: found {learning_rate}, expected a positive number")
    if not 0 <= momentum < 1:
        raise InputError(f"momentum: found {momentum}, expected at least 0 and below 1")
    _check_numbers(runs=runs)
    policy = _Policy(np.asarray(operations), lookup, choices, runs, learning_rate, momentum, rng)

    def propose(history: Networks) -> NDArray[np.integer]:
        if history.shape[1]:
            policy.learn(history[:, -1], accuracy[history[:, -1]])
        return policy.sample()

    return _search_within_budget(propose, runs, accuracy, cost, budget_seconds)


class _Policy:
    """One softmax policy for each run, trained by REINFORCE."""

    def __init__(
        self,
        operations: NDArray[np.integer],
        lookup: Networks,
        choices: int,
        runs: int,
        learning_rate: float,
        momentum: float,
        rng: np.random.Generator,
    ) -> None:
        self.rng = rng
        self.lookup = lookup
        self.place = choices ** np.arange(operations.shape[1])
        self.onehot = np.eye(choices)[operations]
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.logits = 1e-3 * rng.standard_normal((runs, operations.shape[1], choices))
        self.mean = np.zeros_like(self.logits)
        self.square = np.zeros_like(self.logits)
        self.reward = np.zeros(runs)
        self.steps = 0

    def sample(self) -> Networks:
        """Draw one network for each run."""
        # The largest of logit + Gumbel noise has the probabilities of the softmax.
        actions = (self.logits + self.rng.gumbel(size=self.logits.shape)).argmax(axis=-1)
        return self.lookup[actions @ self.place]

    def learn(self, networks: Networks, reward: NDArray[np.float64]) -> None:
        """Take one step of Adam towards the networks that did better than the moving average."""
        self.steps += 1
        self.reward = self.momentum * self.reward + (1 - self.momentum) * reward
        baseline = self.reward / (1 - self.momentum**self.steps)
        odds = np.exp(self.logits - self.logits.max(axis=-1, keepdims=True))
        probability = odds / odds.sum(axis=-1, keepdims=True)
        gradient = (reward - baseline)[:, None, None] * (probability - self.onehot[networks])
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.square = 0.999 * self.square + 0.001 * gradient**2
        mean, square = self.mean / (1 - 0.9**self.steps), self.square / (1 - 0.999**self.steps)
        self.logits = self.logits - self.learning_rate * mean / (np.sqrt(square) + 1e-8)


def _search_within_budget(
    propose: Propose, runs: int, accuracy: NDArray[np.float64], cost: NDArray[np.float64], budget: float
) -> BudgetedSearch:
    _check_numbers(runs=runs)
    if not (budget > 0 and np.isfinite(budget)):
        raise InputError(f"budget_seconds: found {budget}, expected a positive number")
    history = _train(propose, runs, cost, budget)
    trained = history >= 0
    best = np.where(trained, accuracy[history], -np.inf).argmax(axis=1)
    return BudgetedSearch(
        history=history,
        chosen=np.take_along_axis(history, best[:, None], axis=1)[:, 0],
        seconds=np.where(trained, cost[history], 0.0).sum(axis=1),
    )


# --- What both families share ---


def _train(propose: Propose, rounds: int, cost: NDArray[np.float64], budget: float) -> Networks:
    """Train what is proposed in every round while less than the budget is spent; -1 marks what came later."""
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


def _offspring(
    population: Networks,
    entrants: NDArray[np.integer],
    fitness: NDArray[np.float64],
    children: Networks,
    rng: np.random.Generator,
) -> Networks:
    """Give a random neighbour of each round's fittest entrant; of equals the first entrant is the parent.

    `entrants` are positions (rounds, tournament) in the population (rounds, members).
    """
    competing = np.take_along_axis(population, entrants, axis=1)
    winner = fitness[competing].argmax(axis=1)
    parents = np.take_along_axis(competing, winner[:, None], axis=1)[:, 0]
    return children[parents, rng.integers(children.shape[1], size=len(parents))]


def _known(name: str, values: ArrayLike, networks: int | None = None) -> NDArray[np.float64]:
    """Check that every network has a finite value: a search can ask for any of them."""
    array = one_per_network(name, values, networks)
    if not len(array):
        raise InputError(f"{name}: found no network, expected at least one")
    missing = ~np.isfinite(array)
    if missing.any():
        raise InputError(
            f"{name}: found {array[missing][0]} for network {missing.argmax()}, expected a finite number for each"
        )
    return array


def _trainable(validation: ArrayLike, cost_seconds: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    accuracy = _known("validation", validation)
    cost = _known("cost_seconds", cost_seconds, len(accuracy))
    if cost.min() <= 0:
        raise InputError(f"cost_seconds: found {cost.min()} for network {cost.argmin()}, expected above 0")
    return accuracy, cost


def _children(neighbours: ArrayLike, networks: int) -> Networks:
    table = _integer_table("neighbours", neighbours, "(networks, degree)")
    if len(table) != networks:
        raise InputError(f"neighbours: found {len(table)} rows, expected one for each of {networks} networks")
    _check_range("neighbours", table, networks)
    return table.astype(np.int32)


def _integer_table(name: str, values: ArrayLike, shape: str) -> NDArray[np.int64]:
    try:
        table = np.asarray(values)
    except ValueError:
        raise InputError(f"{name}: found rows of different lengths, expected integers of shape {shape}") from None
    if table.ndim != 2 or table.size == 0 or not np.issubdtype(table.dtype, np.integer):
        raise InputError(f"{name}: found {table.dtype} of shape {table.shape}, expected integers of shape {shape}")
    return table.astype(np.int64)


def _check_range(name: str, numbers: NDArray[np.integer], networks: int) -> None:
    wrong = (numbers < 0) | (numbers >= networks)
    if wrong.any():
        raise InputError(f"{name}: found {numbers[wrong][0]}, expected network numbers 0 to {networks - 1}")


def _check_numbers(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise InputError(f"{name}: found {number}, expected at least 1")
