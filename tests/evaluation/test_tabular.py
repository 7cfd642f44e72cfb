import numpy as np
import pytest

from epsinas.errors import InputError
from epsinas.evaluation.tabular import edit_neighbours, network_lookup
from tests.evaluation.small_space import NEIGHBOURS, OPERATIONS


def test_lookup_by_hand():
    # Codes operations[0] + 2 * operations[1]: 3, 0, 1, 2.
    assert network_lookup([[1, 1], [0, 0], [1, 0], [0, 1]], 2).tolist() == [1, 2, 3, 0]


def test_neighbours_by_hand():
    # On the first edge, then on the second.
    assert edit_neighbours([[1, 1], [0, 0], [1, 0], [0, 1]], 2).tolist() == [[3, 2], [2, 3], [1, 0], [0, 1]]


def test_neighbours_differ_on_one_edge_and_are_all_of_them():
    assert NEIGHBOURS.shape == (27, 6)
    assert NEIGHBOURS.dtype == np.int32
    for network, row in enumerate(NEIGHBOURS):
        at_distance_1 = np.flatnonzero((OPERATIONS[network] != OPERATIONS).sum(axis=1) == 1)
        assert sorted(row) == at_distance_1.tolist()


@pytest.mark.parametrize(
    ("operations", "choices", "message"),
    [
        ([[0], [1]], 1, "choices: found 1, expected at least 2"),
        ([0, 1], 2, "operations: found int64 of shape (2,), expected integers of shape (networks, edges)"),
        (
            [[0.0]],
            2,
            "operations: found float64 of shape (1, 1), expected integers of shape (networks, edges)",
        ),
        (
            [[0], [1, 1]],
            2,
            "operations: found rows of different lengths, expected integers of shape (networks, edges)",
        ),
        ([[0], [2]], 2, "operations: found 2 in network 1, edge 0, expected 0 to 1"),
        ([[0], [-1]], 2, "operations: found -1 in network 1, edge 0, expected 0 to 1"),
        (
            [[0, 0], [0, 1]],
            2,
            "operations: found 2 networks, expected all 4 combinations of 2 operations on 2 edges",
        ),
        ([[0], [0]], 2, "operations: network 0 occurs again later, expected each combination once"),
    ],
)
@pytest.mark.parametrize("function", [network_lookup, edit_neighbours])
def test_bad_spaces(function, operations: list, choices: int, message: str):
    with pytest.raises(InputError) as raised:
        function(operations, choices)
    assert str(raised.value) == message
