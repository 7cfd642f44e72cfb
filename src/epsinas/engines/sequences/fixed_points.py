"""Where the states of a recurrent layer tend to under a constant input, to more digits than float64 has.

A state's way in time is its distance from there. Where it begins close to its fixed point, or hardly moves, that
distance is a difference of two numbers that agree in nearly all of float64's digits: hence decimals.
"""

from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import NamedTuple

import numpy as np

from epsinas.engines.sequences import kernels
from epsinas.spaces.operations import LEAK

ROUNDS = 4
"""Times the number of time steps: iterations in float64 that look for a fixed point.

A state that has not come within a rounding of it by then is still 1e-4 of its way off at the end of the sequence, so
that there are no small differences in time to be kept.
"""

TOLERANCE = 4 * np.finfo(np.float64).eps
"""Relative change of a state at which it is at its fixed point in float64: a few roundings."""

DIGITS = 60
"""Of the decimals."""

_DECIMAL_ROUNDS = 8
_SETTLED = Decimal("1e-10")
"""Change of a state, relative to its whole way, at which it is at its fixed point."""


class Constants(NamedTuple):
    """What the registers of a layer's program are told by.

    Attributes:
        registers: the constant of each register, float64.
        start: of each state, what it starts at less its constant.
        drift: of each state, what the cell adds to its constant: 0 at a fixed point.
    """

    registers: np.ndarray
    start: np.ndarray
    drift: np.ndarray


def find_constants(
    code: np.ndarray, factors: np.ndarray, outputs: np.ndarray, x: float, weight: float, steps: int
) -> Constants:
    """Choose the constants of a program's registers: at a fixed point of the cell, as far as iteration finds one.

    A state that does not arrive gets 0 if it goes there, otherwise `weight`, where it starts: what the cell adds to
    that has all digits.

    Args:
        code: as in `kernels.run_values`.
        factors: as in `kernels.run_values`, float64.
        outputs: as in `kernels.run_values`.
        x: the constant of the layer's input.
        weight: as in `kernels.run_values`.
        steps: of the sequence.
    """
    registers, arrived = kernels.iterate(code, factors, outputs, x, weight, LEAK, ROUNDS * steps, TOLERANCE)
    found = registers[1 : 1 + outputs.size]
    with localcontext(prec=DIGITS):
        cell = _cell(code, factors, outputs, x, weight)
        first, states = Decimal(weight), [Decimal(state) for state in found.tolist()]
        if arrived.all():
            for _ in range(_DECIMAL_ROUNDS):
                before, states = states, cell(states)[1]
            ways = zip(before, states, strict=True)
            arrived = np.array([abs(end - last) <= _SETTLED * abs(first - end) for last, end in ways])
        for at in np.flatnonzero(~arrived).tolist():
            states[at] = Decimal(0) if abs(found[at]) <= TOLERANCE * weight else first
        values, new = cell(states)
        ways = zip(states, new, strict=True)
        drift = [0.0 if arrived.all() else float(end - start) for start, end in ways]
        return Constants(
            np.array([x, *map(float, states), *map(float, values)]),
            np.array([float(first - state) for state in states]),
            np.array(drift),
        )


def _cell(
    code: np.ndarray, factors: np.ndarray, outputs: np.ndarray, x: float, weight: float
) -> Callable[[list[Decimal]], tuple[list[Decimal], list[Decimal]]]:
    """Return a function of the states, in decimals: what each operation gives, and the new states."""
    program = list(zip(code.tolist(), factors.tolist(), strict=True))
    constant, leak = Decimal(weight), Decimal(LEAK)

    def run(states: list[Decimal]) -> tuple[list[Decimal], list[Decimal]]:
        registers = [Decimal(x), *states]
        for (operation, *places), units in program:
            a, b, c = (registers[place] for place in places)
            if operation == kernels.LINEAR:
                value = constant * sum(int(n) * y for n, y in zip(units, (a, b, c), strict=True)) + constant
            elif operation == kernels.PROD:
                value = a * b
            elif operation == kernels.SUM:
                value = a + b
            elif operation == kernels.BLEND:
                value = a * b + (1 - a) * c
            elif operation == kernels.TANH:
                value = _tanh(a)
            elif operation == kernels.SIGM:
                value = _sigmoid(a)
            else:
                value = leak * a if a < 0 else a
            registers.append(value)
        return registers[1 + len(states) :], [registers[place] for place in outputs.tolist()]

    return run


def _sigmoid(x: Decimal) -> Decimal:
    small = (-abs(x)).exp()
    return (1 if x >= 0 else small) / (1 + small)


def _tanh(x: Decimal) -> Decimal:
    if abs(x) < Decimal("1e-10"):  # the next term is below the last digit, and nothing cancels
        square = x * x
        return x * (1 - square / 3 * (1 - square * 2 / 5 * (1 - square * 17 / 42)))
    small = (-2 * abs(x)).exp()
    size = (1 - small) / (1 + small)
    return size if x >= 0 else -size
