"""What the tests of searches share: a space of 27 networks, and a generator that does as it is told."""

from collections import deque
from itertools import product

import numpy as np

from epsinas.evaluation.tabular import edit_neighbours

# Three edges with three operations: 27 networks in a shuffled order, 6 neighbours each.
OPERATIONS = np.random.default_rng(0).permutation(list(product(range(3), repeat=3))).astype(np.int8)
NEIGHBOURS = edit_neighbours(OPERATIONS, 3)
VALIDATION = np.random.default_rng(1).integers(0, 12, 27) / 2  # with ties
RING = [[(i - 1) % 5, (i + 1) % 5] for i in range(5)]  # five networks in a circle


class Scripted:
    """Stands in for a generator: gives what it was told to, and checks that the shape asked for is that."""

    def __init__(self, *answers: list):
        self.answers = deque(np.array(answer) for answer in answers)

    def _next(self, size: int | tuple[int, ...]) -> np.ndarray:
        answer = self.answers.popleft()
        assert answer.shape == (size if isinstance(size, tuple) else (size,))
        return answer

    def integers(self, high: int, size: int | tuple[int, ...], dtype: type = np.int64) -> np.ndarray:
        answer = self._next(size)
        assert (answer < high).all()
        return answer.astype(dtype)

    def random(self, size: tuple[int, ...]) -> np.ndarray:
        return self._next(size)
