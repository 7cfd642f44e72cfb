"""Searches that train for a fixed time and return one network (Table 2, trained methods).

See `epsinas.evaluation.tabular` for what a search is here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsinas.errors import InputError
from epsinas.evaluation.tabular import (
    Networks,
    Propose,
    check_positive,
    children_table,
    finite_per_network,
    network_lookup,
    offspring,
    train_rounds,
)


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
            number is out of range.

    Example:
        Four trainings of 10 s each exceed 35 s, but three do not.

        >>> found = budgeted_random_search([91.0, 93.0], [10.0, 10.0], 35.0, 2, np.random.default_rng(0))
        >>> found.seconds.tolist()
        [40.0, 40.0]
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
    children = children_table(neighbours, len(accuracy))
    check_positive(population=population, tournament=tournament)

    def propose(history: Networks) -> NDArray[np.integer]:
        if history.shape[1] < population:
            return rng.integers(len(accuracy), size=runs)
        entrants = rng.integers(population, size=(runs, tournament))
        return offspring(history[:, -population:], entrants, accuracy, children, rng)

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
    check_positive(runs=runs)
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
    check_positive(runs=runs)
    if not (budget > 0 and np.isfinite(budget)):
        raise InputError(f"budget_seconds: found {budget}, expected a positive number")
    history = train_rounds(propose, runs, cost, budget)
    trained = history >= 0
    best = np.where(trained, accuracy[history], -np.inf).argmax(axis=1)
    return BudgetedSearch(
        history=history,
        chosen=np.take_along_axis(history, best[:, None], axis=1)[:, 0],
        seconds=np.where(trained, cost[history], 0.0).sum(axis=1),
    )


def _trainable(validation: ArrayLike, cost_seconds: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    accuracy = finite_per_network("validation", validation)
    cost = finite_per_network("cost_seconds", cost_seconds, len(accuracy))
    if cost.min() <= 0:
        raise InputError(f"cost_seconds: found {cost.min()} for network {cost.argmin()}, expected above 0")
    return accuracy, cost
