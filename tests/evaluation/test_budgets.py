import numpy as np
import pytest
import torch

from epsinas.errors import InputError
from epsinas.evaluation.budgets import (
    _Policy,
    budgeted_evolution,
    budgeted_random_search,
    budgeted_reinforce,
)
from epsinas.evaluation.tabular import edit_neighbours, network_lookup
from tests.evaluation.small_space import NEIGHBOURS, OPERATIONS, RING, VALIDATION, Scripted

COST = np.random.default_rng(3).uniform(10, 30, 27)
BUDGETED = {
    "random": budgeted_random_search,
    "evolution": budgeted_evolution,
    "reinforce": budgeted_reinforce,
}


def budgeted(method: str, seed: int = 0, **arguments):
    usual = {"validation": VALIDATION, "cost_seconds": COST, "budget_seconds": 500, "runs": 20}
    usual["rng"] = np.random.default_rng(seed)
    if method == "evolution":
        usual["neighbours"] = NEIGHBOURS
    if method == "reinforce":
        usual |= {"operations": OPERATIONS, "choices": 3}
    return BUDGETED[method](**usual | arguments)


def test_budget_by_hand():
    # Run 0: 10 + 25 s are spent when the third network starts, with which the budget of 36 s is exceeded.
    # Run 1: the budget is spent exactly after 20 + 16 s.
    script = Scripted([0, 1], [2, 3], [0, 2], [1, 1])
    found = budgeted_random_search([7, 5, 7, 1], [10, 20, 25, 16], 36, 2, script)
    assert found.history.tolist() == [[0, 2, 0], [1, 3, -1]]
    assert found.chosen.tolist() == [0, 1]  # 0 and 2 have the same accuracy: the one trained first
    assert found.seconds.tolist() == [45, 36]


@pytest.mark.parametrize("method", BUDGETED)
def test_budget_is_spent_and_the_best_is_chosen(method: str):
    found = budgeted(method)
    for history, chosen, seconds in zip(found.history, found.chosen, found.seconds, strict=True):
        trained = history[history >= 0]
        assert (history[len(trained) :] == -1).all()
        assert seconds == pytest.approx(COST[trained].sum())
        assert COST[trained[:-1]].sum() < 500 <= seconds
        assert VALIDATION[chosen] == VALIDATION[trained].max()
    assert (found.history >= 0).any(axis=0).all()  # no column without a network
    assert found.history.dtype == found.chosen.dtype == np.int32


@pytest.mark.parametrize("method", BUDGETED)
def test_budgeted_search_is_determined_by_the_seed(method: str):
    first, again, other = (budgeted(method, seed).history for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_budgeted_evolution_by_hand():
    # Population of 2 and tournament of 2, drawn with replacement: member 0 twice, then members 1 and 0.
    script = Scripted([0], [2], [[0, 0]], [1], [[1, 0]], [0])
    found = budgeted_evolution([50, 60, 55, 70, 65], RING, [1.0] * 5, 4, 1, script, population=2, tournament=2)
    # Population 0 2: parent 0, child 1. Population 2 1: 1 (60) beats 2 (55), child 0.
    assert found.history.tolist() == [[0, 2, 1, 0]]
    assert found.chosen.tolist() == [1]


def test_budgeted_children_come_from_the_population():
    for row in budgeted("evolution").history:
        for step in range(10, (row >= 0).sum()):
            assert row[step] in NEIGHBOURS[row[step - 10 : step]]


def policy(runs: int, rng: np.random.Generator, learning_rate: float = 0.1) -> _Policy:
    return _Policy(OPERATIONS, network_lookup(OPERATIONS, 3), 3, runs, learning_rate, 0.9, rng)


def test_policy_samples_its_softmax():
    sampler = policy(1, np.random.default_rng(0))
    sampler.logits = np.tile(np.log([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [1 / 3] * 3]), (20_000, 1, 1))
    drawn = OPERATIONS[sampler.sample()]
    frequencies = [(drawn == operation).mean(axis=0) for operation in range(3)]
    # The largest standard deviation of a frequency is sqrt(0.25 / 20000) = 0.0035.
    assert np.transpose(frequencies) == pytest.approx(
        np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [1 / 3] * 3]), abs=0.014
    )


def test_policy_learns_like_torch():
    """The same rewards through autograd and torch's Adam give the same logits."""
    learner = policy(2, np.random.default_rng(0))
    logits = torch.tensor(learner.logits, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    numerator = denominator = 0.0
    for networks, rewards in [((3, 8), (50.0, 90.0)), ((20, 8), (70.0, 10.0)), ((1, 26), (65.0, 55.0))]:
        learner.learn(np.array(networks), np.array(rewards))
        numerator = 0.9 * numerator + 0.1 * torch.tensor(rewards, dtype=torch.float64)
        denominator = 0.9 * denominator + 0.1
        distribution = torch.distributions.Categorical(logits=logits)
        log_probability = distribution.log_prob(torch.tensor(OPERATIONS[list(networks)], dtype=torch.int64))
        advantage = torch.tensor(rewards) - numerator / denominator
        optimizer.zero_grad()
        (-log_probability * advantage[:, None]).sum().backward()
        optimizer.step()
        assert learner.logits == pytest.approx(logits.detach().numpy(), abs=1e-12)


def test_first_reward_teaches_nothing():
    learner = policy(1, np.random.default_rng(0))
    before = learner.logits.copy()
    learner.learn(np.array([3]), np.array([80.0]))  # the moving average is this reward
    assert (learner.logits == before).all()


def test_reinforce_finds_the_rewarded_operation():
    accuracy = 50 + 10.0 * (OPERATIONS == 2).sum(axis=1)
    found = budgeted("reinforce", validation=accuracy, cost_seconds=np.ones(27), learning_rate=0.1)
    # By chance one edge of three carries the rewarded operation, in the end nearly all three do.
    assert accuracy[found.history[:, :10]].mean() < 62
    assert accuracy[found.history[:, -50:]].mean() > 79


@pytest.mark.parametrize("method", BUDGETED)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"validation": [np.inf]}, "validation: found inf for network 0, expected a finite number for each"),
        ({"cost_seconds": [1.0]}, "cost_seconds: found 1 values, expected one for each of 27 networks"),
        (
            {"cost_seconds": np.where(np.arange(27) == 4, -1, COST)},
            "cost_seconds: found -1.0 for network 4, expected above 0",
        ),
        ({"budget_seconds": 0}, "budget_seconds: found 0, expected a positive number"),
        ({"budget_seconds": np.inf}, "budget_seconds: found inf, expected a positive number"),
        ({"runs": 0}, "runs: found 0, expected at least 1"),
    ],
)
def test_budgeted_bad_input(method: str, arguments: dict, message: str):
    with pytest.raises(InputError) as raised:
        budgeted(method, **arguments)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("evolution", {"population": 0}, "population: found 0, expected at least 1"),
        ("evolution", {"tournament": 0}, "tournament: found 0, expected at least 1"),
        (
            "evolution",
            {"neighbours": NEIGHBOURS[:3]},
            "neighbours: found 3 rows, expected one for each of 27 networks",
        ),
        ("reinforce", {"learning_rate": 0}, "learning_rate: found 0, expected a positive number"),
        ("reinforce", {"momentum": 1}, "momentum: found 1, expected at least 0 and below 1"),
        (
            "reinforce",
            {"operations": [[0], [1], [2]]},
            "operations: found 3 networks, expected 27 as in validation",
        ),
    ],
)
def test_method_bad_input(method: str, arguments: dict, message: str):
    with pytest.raises(InputError) as raised:
        budgeted(method, **arguments)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("method", "mean", "spread"),
    # CIFAR-10 test of RS, REA and REINFORCE in Table 2, which has the same mean for all three.
    [("random", 93.92, 0.31), ("evolution", 93.92, 0.30), ("reinforce", 93.92, 0.32)],
)
def test_trained_methods_on_nas_bench_201(
    nas_bench_201: dict[str, np.ndarray], method: str, mean: float, spread: float
):
    arguments = {
        "validation": nas_bench_201["valid_12"],
        "cost_seconds": nas_bench_201["cost"],
        "budget_seconds": 12_000,
        "runs": 500,
        "rng": np.random.default_rng(0),
    }
    if method == "evolution":
        arguments["neighbours"] = edit_neighbours(nas_bench_201["operations"])
    if method == "reinforce":
        arguments["operations"] = nas_bench_201["operations"]
    reached = nas_bench_201["test"][BUDGETED[method](**arguments).chosen]
    assert reached.mean() == pytest.approx(mean, abs=0.2)
    assert reached.std() == pytest.approx(spread, abs=0.15)
