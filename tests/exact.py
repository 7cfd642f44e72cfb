"""Recurrent networks with constant shared weights in mpmath's numbers of any precision, as the definition says."""

from functools import reduce

import mpmath
import numpy as np

from epsinas.spaces.operations import LEAK


class Exact:
    """Operations on pairs of an array of mpmath numbers (batch,) and the number of equal units it stands for."""

    def __init__(self, weight: float):
        self.weight = mpmath.mpf(weight)

    def linear(self, xs, features):
        return self.weight * sum(units * x for x, units in xs) + self.weight, features

    def prod(self, xs):
        return reduce(np.multiply, [x for x, _ in xs]), xs[0][1]

    def sum(self, xs):
        return reduce(np.add, [x for x, _ in xs]), xs[0][1]

    def blend(self, a, b, c):
        return a[0] * b[0] + (1 - a[0]) * c[0], a[1]

    def activation_tanh(self, x):
        return self._map(mpmath.tanh, x)

    def activation_sigm(self, x):
        return self._map(lambda value: 1 / (1 + mpmath.exp(-value)), x)

    def activation_leaky_relu(self, x):
        return self._map(lambda value: value if value >= 0 else value * mpmath.mpf(LEAK), x)

    def recurrent(self, cell, x, features, states):
        steps, units = x
        start = np.full(steps.shape[1], self.weight, dtype=object)
        hidden, outputs = ((start, features),) * states, []
        for step in steps:
            hidden = cell((step, units), hidden)
            outputs.append(hidden[0][0])
        return np.array(outputs, dtype=object), features

    def _map(self, function, x):
        return np.array([function(value) for value in x[0]], dtype=object), x[1]


def outputs(space, architecture, batch, weight):
    """Return one unit of the last layer, (time, batch) of mpmath numbers."""
    sums = [sum(map(mpmath.mpf, row)) for row in batch.embedding.astype(float).tolist()]
    x = np.array([[sums[token] for token in step] for step in batch.tokens], dtype=object)
    return space.network(Exact(weight), architecture, (x, 1))[0]


def epsilon(low, high, zeros="masked"):
    """Eq. 1 to 4 on mpmath numbers."""
    vectors = []
    for vector in (low.ravel(), high.ravel()):
        least, most = min(vector), max(vector)
        if least == most:
            return float("nan")
        vectors.append((vector - least) / (most - least))
    first, second = vectors
    keep = (first != 0) & (second != 0) if zeros == "masked" else np.ones(len(first), dtype=bool)
    if not keep.any():
        return float("nan")
    rest = np.concatenate([vector[vector != 0] if zeros == "masked" else vector for vector in vectors])
    return float(abs(first - second)[keep].mean() / rest.mean())
