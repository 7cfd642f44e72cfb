from collections import deque

import numpy as np
import pytest

from epsinas.errors import InputError
from epsinas.evaluation.searches import ageing_evolution, best_so_far, random_search, search_curves
from epsinas.evaluation.tabular import edit_neighbours
from tests.evaluation.small_space import NEIGHBOURS, RING, VALIDATION, Scripted

TEST = VALIDATION + np.random.default_rng(2).normal(size=27)
SCORES = np.where(np.arange(27) % 4 == 0, np.nan, np.round(VALIDATION))
SMALL = {"rounds": 7, "trained": 40, "population": 8, "tournament": 3}


# --- Ageing evolution ---


def followed_by_hand(**arguments) -> np.ndarray:
    """Population of 3, tournament of 2, six networks trained; the script is the same for every test."""
    script = Scripted(
        [[0, 1, 2]],  # the random networks at the start
        [[0.1, 0.9, 0.2]],  # smallest keys: the oldest and the youngest compete
        [1],  # the child is the right neighbour
        [[0.3, 0.1, 0.9]],  # the oldest and the middle one
        [0],  # left
        [[0.5, 0.1, 0.2]],  # the middle one and the youngest
        [1],  # right
    )
    usual = {"validation": [50, 60, 55, 70, 65], "rounds": 1, "trained": 6, "population": 3, "tournament": 2}
    return ageing_evolution(neighbours=RING, rng=script, **usual | arguments)[0]


def test_evolution_by_hand():
    # Population 0 1 2: 2 (55) beats 0 (50), child 3. Population 1 2 3: 1 (60) beats 2 (55), child 0.
    # Population 2 3 0: 3 (70) beats 0 (50), child 4.
    history = followed_by_hand()
    assert history.tolist() == [0, 1, 2, 3, 0, 4]
    assert best_so_far([10, 20, 15, 40, 30], history[None]).tolist() == [[10, 20, 20, 40, 40, 40]]


def test_evolution_with_move_by_hand():
    # Population 0 1 2: 0 (score 5) beats 2 (1), child 1. Population 1 2 1: 2 (1) beats 1 (none, so 0),
    # child 1. Population 2 1 1: 1 competes with itself, child 2.
    history = followed_by_hand(scores=[5, np.nan, 1, 0, 9], move=True)
    assert history.tolist() == [0, 1, 2, 1, 1, 2]


def test_of_equals_the_youngest_is_the_parent():
    # Population 0 1 2: the youngest entrant is 2, child 3. Population 1 2 3: it is 2, child 1.
    # Population 2 3 1: it is 1, child 2.
    assert followed_by_hand(validation=[50.0] * 5).tolist() == [0, 1, 2, 3, 1, 2]


def test_warm_up_by_hand():
    # Scores of the pool: 0 (none), 9, 5, 1, 9; of the equals the one drawn first comes first.
    script = Scripted([[1, 1]], [[1, 4, 0, 2, 4]])
    history = ageing_evolution(
        [1.0] * 5,
        RING,
        script,
        scores=[5, -np.inf, 1, 0, 9],
        warm_up_pool=5,
        rounds=1,
        trained=2,
        population=2,
        tournament=1,
    )
    assert history.tolist() == [[4, 4]]


def evolution_in_words(
    fitness: np.ndarray,
    initial: np.ndarray,
    rng: np.random.Generator,
    population: int,
    tournament: int,
    trained: int,
) -> list[list[int]]:
    """Ageing evolution with one queue for each round, drawing the same random numbers."""
    histories = [list(row) for row in initial]
    queues = [deque(row, maxlen=population) for row in initial]
    for _ in range(trained - population):
        keys = rng.random((len(queues), population))
        child_numbers = rng.integers(NEIGHBOURS.shape[1], size=len(queues))
        for history, queue, key, number in zip(histories, queues, keys, child_numbers, strict=True):
            assert len(queue) == population
            entrants = sorted(np.argsort(key)[:tournament])
            _, _, parent = max((fitness[queue[place]], place, queue[place]) for place in entrants)
            child = NEIGHBOURS[parent, number]
            queue.append(child)  # and the oldest drops out
            history.append(child)
    return histories


@pytest.mark.parametrize("move", [False, True])
@pytest.mark.parametrize("warm_up_pool", [0, 20])
def test_evolution_agrees_with_queues(move: bool, warm_up_pool: int):
    history = ageing_evolution(
        VALIDATION,
        NEIGHBOURS,
        np.random.default_rng(5),
        scores=SCORES,
        warm_up_pool=warm_up_pool,
        move=move,
        **SMALL,
    )
    rng = np.random.default_rng(5)
    filled = np.nan_to_num(SCORES)
    initial = rng.integers(27, size=(7, 8), dtype=np.int32)
    if warm_up_pool:
        pools = rng.integers(27, size=(7, warm_up_pool), dtype=np.int32)
        initial = [sorted(pool, key=lambda network: -filled[network])[:8] for pool in pools]
    expected = evolution_in_words(filled if move else VALIDATION, initial, rng, 8, 3, 40)
    assert history.tolist() == expected


def test_history_has_the_budget_and_children_come_from_the_population():
    history = ageing_evolution(VALIDATION, NEIGHBOURS, np.random.default_rng(6), rounds=3)
    assert history.shape == (3, 300)
    assert history.dtype == np.int32
    for row in history:
        for step in range(64, 300):
            assert row[step] in NEIGHBOURS[row[step - 64 : step]]


def test_a_tournament_of_all_takes_the_best_of_the_population():
    arguments = SMALL | {"tournament": 8}
    history = ageing_evolution(TEST, NEIGHBOURS, np.random.default_rng(7), **arguments)
    for row in history:
        for step in range(8, 40):
            parent = max(row[step - 8 : step], key=TEST.__getitem__)
            assert row[step] in NEIGHBOURS[parent]


def test_fewer_trained_than_the_population_are_its_beginning():
    short, long = (
        ageing_evolution(VALIDATION, NEIGHBOURS, np.random.default_rng(8), **SMALL | {"trained": trained})
        for trained in (5, 8)
    )
    assert (short == long[:, :5]).all()


def test_warm_up_is_the_best_of_the_pool_also_for_evolution():
    history = ageing_evolution(
        VALIDATION, NEIGHBOURS, np.random.default_rng(9), scores=VALIDATION, warm_up_pool=3000, **SMALL
    )
    # 3,000 draws from 27 networks hold each of them many times: the best fill the population.
    assert (VALIDATION[history[:, :8]] == VALIDATION.max()).all()


# --- Random search ---


def test_random_search_without_help_is_uniform():
    history = random_search(10, np.random.default_rng(0), rounds=100, trained=300)
    assert history.shape == (100, 300)
    # 30,000 draws: each network 3,000 times, with a standard deviation of 52.
    assert np.abs(np.bincount(history.ravel()) - 3000).max() < 250


@pytest.mark.parametrize(("warm_up", "random_after"), [(64, True), (300, False)])
def test_warm_up_takes_exactly_the_best_of_the_pool_first(warm_up: int, random_after: bool):
    scores = np.random.default_rng(1).permutation(15_625).astype(float)
    rng = np.random.default_rng(2)
    history = random_search(15_625, rng, scores=scores, warm_up_pool=3000, warm_up=warm_up, rounds=4)
    rng = np.random.default_rng(2)
    rng.integers(15_625, size=(4, 300), dtype=np.int32)
    pools = rng.integers(15_625, size=(4, 3000), dtype=np.int32)
    for row, pool in zip(history, pools, strict=True):
        assert row[:warm_up].tolist() == sorted(pool, key=lambda network: -scores[network])[:warm_up]
    falls_throughout = (np.diff(scores[history]) <= 0).all()
    assert falls_throughout != random_after


def test_networks_without_a_score_count_as_score_0():
    script = Scripted([[0, 0, 0]], [[0, 1, 2, 3]])
    history = random_search(4, script, scores=[-1, np.nan, 1, -np.inf], warm_up_pool=4, warm_up=3, rounds=1, trained=3)
    assert history.tolist() == [[2, 1, 3]]


# --- Curves ---


def curves(seed: int, **arguments) -> dict[str, np.ndarray]:
    usual = {"warm_up_pool": 20, "random_warm_up": 5} | SMALL
    rng = np.random.default_rng(seed)
    return search_curves(VALIDATION, TEST, SCORES, NEIGHBOURS, rng, **usual | arguments)


def test_six_curves_that_never_fall():
    found = curves(0)
    assert list(found) == [
        "evolution",
        "evolution_warm_up",
        "evolution_move",
        "evolution_warm_up_move",
        "random",
        "random_warm_up",
    ]
    for curve in found.values():
        assert curve.shape == (7, 40)
        assert (np.diff(curve) >= 0).all()
        assert np.isin(curve, TEST).all()


def test_curves_are_determined_by_the_seed():
    first, again, other = (np.stack(list(curves(seed).values())) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any(axis=(1, 2)).all()


def test_curves_need_a_pool():
    with pytest.raises(InputError) as raised:
        curves(0, warm_up_pool=0)
    assert str(raised.value) == "warm_up_pool: found 0, expected at least 1"


def test_best_so_far_by_hand():
    curve = best_so_far([3.0, 1.0, 2.0], np.array([[1, 2, 1, 0], [0, 1, 2, 2]]))
    assert curve.tolist() == [[1, 2, 2, 3], [3, 3, 3, 3]]


def test_best_so_far_of_networks_that_are_not_there():
    with pytest.raises(InputError) as raised:
        best_so_far([3.0, 1.0], np.array([[1, -1]]))
    assert str(raised.value) == "history: found -1, expected network numbers 0 to 1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"validation": []}, "validation: found no network, expected at least one"),
        (
            {"validation": [1, np.nan, 3]},
            "validation: found nan for network 1, expected a finite number for each",
        ),
        ({"scores": [1.0]}, "scores: found 1 values, expected one for each of 27 networks"),
        ({"scores": None}, "scores: found none, expected one for each network (warm-up needs them)"),
        (
            {"scores": None, "warm_up_pool": 0},
            "scores: found none, expected one for each network (move needs them)",
        ),
        ({"warm_up_pool": 7}, "warm_up_pool: found 7, expected 0 or at least the 8 to be taken"),
        ({"rounds": 0}, "rounds: found 0, expected at least 1"),
        ({"trained": 0}, "trained: found 0, expected at least 1"),
        ({"population": 0}, "population: found 0, expected at least 1"),
        ({"tournament": 0}, "tournament: found 0, expected at least 1"),
        ({"tournament": 9}, "tournament: found 9, expected at most the population's 8"),
        ({"neighbours": NEIGHBOURS[:3]}, "neighbours: found 3 rows, expected one for each of 27 networks"),
        ({"neighbours": NEIGHBOURS + 1}, "neighbours: found 27, expected network numbers 0 to 26"),
        ({"neighbours": NEIGHBOURS - 1}, "neighbours: found -1, expected network numbers 0 to 26"),
        (
            {"neighbours": np.ones(27)},
            "neighbours: found float64 of shape (27,), expected integers of shape (networks, degree)",
        ),
        (
            {"neighbours": [[1], [0, 1]]},
            "neighbours: found rows of different lengths, expected integers of shape (networks, degree)",
        ),
    ],
)
def test_evolution_bad_input(arguments: dict, message: str):
    usual = {
        "validation": VALIDATION,
        "neighbours": NEIGHBOURS,
        "rng": np.random.default_rng(0),
        "scores": SCORES,
        "warm_up_pool": 20,
        "move": True,
    }
    with pytest.raises(InputError) as raised:
        ageing_evolution(**usual | SMALL | arguments)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"networks": 0}, "networks: found 0, expected at least 1"),
        ({"rounds": 0}, "rounds: found 0, expected at least 1"),
        ({"trained": 0}, "trained: found 0, expected at least 1"),
        ({"warm_up": 0}, "warm_up: found 0, expected at least 1"),
        ({"scores": None}, "scores: found none, expected one for each network (warm-up needs them)"),
        ({"warm_up_pool": 63}, "warm_up_pool: found 63, expected 0 or at least the 64 to be taken"),
    ],
)
def test_random_search_bad_input(arguments: dict, message: str):
    usual = {"networks": 27, "rng": np.random.default_rng(0), "scores": SCORES, "warm_up_pool": 100}
    with pytest.raises(InputError) as raised:
        random_search(**usual | arguments)
    assert str(raised.value) == message


def test_figure_3_on_nas_bench_201(nas_bench_201: dict[str, np.ndarray]):
    neighbours = edit_neighbours(nas_bench_201["operations"])
    assert neighbours.shape == (15_625, 24)
    found = search_curves(
        nas_bench_201["guide"],
        nas_bench_201["test"],
        nas_bench_201["scores"],
        neighbours,
        np.random.default_rng(0),
    )
    median = {name: np.median(curve, axis=0) for name, curve in found.items()}
    assert all(curve.shape == (300,) for curve in median.values())
    # Evolution ends above random search; a warm-up helps at the start.
    assert median["evolution"][-1] > median["random"][-1] + 0.2
    assert median["evolution_warm_up"][0] > median["evolution"][0] + 1
    assert median["evolution"][-1] == pytest.approx(94.37, abs=0.05)
