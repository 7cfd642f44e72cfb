"""Compiled loops of the lumped interpreter of recurrent networks.

A cell is a program: rows of `code` are an operation and up to three registers that it reads. Register 0 is the
layer's input, the next ones are the hidden states, and every operation writes the register after the last. A
register holds one entry for each sequence of the batch. `factors` are, for a linear operation, the units that
each of its inputs stands for.
"""

import math

import numpy as np

from epsinas.compilation import compiled

LINEAR, PROD, SUM, BLEND, TANH, SIGM, LEAKY_RELU = range(7)

# Fused multiply-adds are all the freedom that the compiler gets: no reordering of sums.
_compiled = compiled(nogil=True, error_model="numpy", fastmath={"contract"})


@_compiled
def run_values(
    code: np.ndarray,
    factors: np.ndarray,
    outputs: np.ndarray,
    x: np.ndarray,
    weight: float,
    leak: float,
    kept: np.ndarray,
) -> np.ndarray:
    """Run a layer's cell along a sequence.

    Args:
        code: int64 (operations, 4).
        factors: (operations, 3), of the dtype of `x`.
        outputs: int64 (states,), the register of each new hidden state.
        x: (time, batch), float32 or float64; what it stands for is in `factors`.
        weight: of the dtype of `x`: every weight, every bias, and what every hidden state starts at.
        leak: of the dtype of `x`, the leaky rectifier's slope.
        kept: int64, the registers to return; those of hidden states are as they are before a time step.

    Returns:
        (time, kept, batch).
    """
    steps, batch = x.shape
    states, operations = outputs.size, len(code)
    one = x.dtype.type(1)
    registers = np.empty((1 + states + operations, batch), x.dtype)
    registers[1 : 1 + states] = weight
    result = np.empty((steps, kept.size, batch), x.dtype)
    for step in range(steps):
        registers[0] = x[step]
        for at in range(operations):
            operation = code[at, 0]
            a, b, c = registers[code[at, 1]], registers[code[at, 2]], registers[code[at, 3]]
            out = registers[1 + states + at]
            if operation == LINEAR:
                p, q, r = factors[at, 0], factors[at, 1], factors[at, 2]
                # An input that is not there has the factor 0, but its register may hold infinities.
                if r != 0:
                    for i in range(batch):
                        out[i] = weight * (p * a[i] + q * b[i] + r * c[i]) + weight
                elif q != 0:
                    for i in range(batch):
                        out[i] = weight * (p * a[i] + q * b[i]) + weight
                else:
                    for i in range(batch):
                        out[i] = weight * (p * a[i]) + weight
            elif operation == PROD:
                for i in range(batch):
                    out[i] = a[i] * b[i]
            elif operation == SUM:
                for i in range(batch):
                    out[i] = a[i] + b[i]
            elif operation == BLEND:
                for i in range(batch):
                    out[i] = a[i] * b[i] + (one - a[i]) * c[i]
            elif operation == TANH:
                for i in range(batch):
                    out[i] = math.tanh(a[i])
            elif operation == SIGM:
                for i in range(batch):
                    out[i] = one / (one + math.exp(-a[i]))
            else:
                for i in range(batch):
                    out[i] = leak * a[i] if a[i] < 0 else a[i]
        for position in range(kept.size):
            result[step, position] = registers[kept[position]]
        for state in range(states):
            registers[1 + state] = registers[outputs[state]]
    return result


@_compiled
def _evaluate(
    code: np.ndarray, factors: np.ndarray, registers: np.ndarray, states: int, weight: float, leak: float
) -> None:
    """Run a cell once on one number for each register, in place."""
    for at in range(len(code)):
        operation = code[at, 0]
        a, b, c = registers[code[at, 1]], registers[code[at, 2]], registers[code[at, 3]]
        if operation == LINEAR:
            total = factors[at, 0] * a
            if factors[at, 1] != 0:
                total += factors[at, 1] * b
            if factors[at, 2] != 0:
                total += factors[at, 2] * c
            value = weight * total + weight
        elif operation == PROD:
            value = a * b
        elif operation == SUM:
            value = a + b
        elif operation == BLEND:
            value = a * b + (1.0 - a) * c
        elif operation == TANH:
            value = math.tanh(a)
        elif operation == SIGM:
            value = 1.0 / (1.0 + math.exp(-a))
        else:
            value = leak * a if a < 0 else a
        registers[1 + states + at] = value


@_compiled
def iterate(
    code: np.ndarray,
    factors: np.ndarray,
    outputs: np.ndarray,
    x: float,
    weight: float,
    leak: float,
    rounds: int,
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Run a cell on its own states until they stay where they are.

    Args:
        code: as in `run_values`.
        factors: as in `run_values`, float64.
        outputs: as in `run_values`.
        x: the layer's input in every time step.
        weight: as in `run_values`.
        leak: as in `run_values`.
        rounds: at most.
        tolerance: relative change at which a state stays.

    Returns:
        The registers, and for each state whether it stays.
    """
    states = outputs.size
    registers = np.empty(1 + states + len(code))
    registers[0] = x
    registers[1 : 1 + states] = weight
    stays = np.zeros(states, np.bool_)
    for _ in range(rounds):
        _evaluate(code, factors, registers, states, weight, leak)
        for state in range(states):
            old, new = registers[1 + state], registers[outputs[state]]
            stays[state] = abs(new - old) <= tolerance * abs(old)
        if stays.all():
            break
        for state in range(states):
            registers[1 + state] = registers[outputs[state]]
    return registers, stays


@_compiled
def _sigmoid_change(start: float, change: float, below: float) -> float:
    """Return sigmoid(start + change) - sigmoid(start) without cancellation; `below` is exp(-abs(start)).

    With a = start + change and b = start it is sinh(change / 2) / (2 cosh(a / 2) cosh(b / 2)), here with every
    exponential of a negative number.
    """
    end = start + change
    above = math.exp(-abs(end))
    shared = 1.0 if (end < 0) != (start < 0) else max(above, below)
    size = -math.expm1(-abs(change)) * shared / ((1.0 + above) * (1.0 + below))
    return size if change > 0 else -size


@_compiled
def run_deviations(
    code: np.ndarray,
    factors: np.ndarray,
    outputs: np.ndarray,
    x: np.ndarray,
    weight: float,
    leak: float,
    fixed: np.ndarray,
    start: np.ndarray,
    drift: np.ndarray,
    kept: np.ndarray,
) -> np.ndarray:
    """Run a layer's cell along a sequence on deviations from a constant in each register.

    Every operation computes the change of its output from the changes of its inputs, so that a change keeps its
    16 digits however small a part of the constant it is.

    Args:
        code: as in `run_values`.
        factors: as in `run_values`.
        outputs: as in `run_values`.
        x: (time, batch) float64, deviations of the layer's input from its constant.
        weight: as in `run_values`.
        leak: as in `run_values`.
        fixed: (time, registers), the constant of each register.
        start: (states,), deviation of each hidden state before the first time step.
        drift: (states,), by which the constant of each new hidden state exceeds that of the state it becomes.
        kept: int64, the registers to return.

    Returns:
        (time, kept, batch), deviations from the constants.
    """
    steps, batch = x.shape
    states, operations = outputs.size, len(code)
    registers = np.empty((1 + states + operations, batch))
    for state in range(states):
        registers[1 + state] = start[state]
    result = np.empty((steps, kept.size, batch))
    for step in range(steps):
        constants_now = fixed[step]
        registers[0] = x[step]
        for at in range(operations):
            operation = code[at, 0]
            a, b, c = registers[code[at, 1]], registers[code[at, 2]], registers[code[at, 3]]
            u, v, w = constants_now[code[at, 1]], constants_now[code[at, 2]], constants_now[code[at, 3]]
            out = registers[1 + states + at]
            if operation == LINEAR:
                p, q, r = factors[at, 0], factors[at, 1], factors[at, 2]
                if r != 0:
                    for i in range(batch):
                        out[i] = weight * (p * a[i] + q * b[i] + r * c[i])
                elif q != 0:
                    for i in range(batch):
                        out[i] = weight * (p * a[i] + q * b[i])
                else:
                    for i in range(batch):
                        out[i] = weight * (p * a[i])
            elif operation == PROD:
                for i in range(batch):
                    out[i] = u * b[i] + a[i] * (v + b[i])
            elif operation == SUM:
                for i in range(batch):
                    out[i] = a[i] + b[i]
            elif operation == BLEND:
                # (u + a)(v + b) + (1 - u - a)(w + c) less its value without a, b and c
                for i in range(batch):
                    out[i] = (u + a[i]) * b[i] + (1.0 - (u + a[i])) * c[i] + a[i] * (v - w)
            elif operation == TANH:
                # tanh(z) is 2 sigmoid(2 z) - 1
                below = math.exp(-2.0 * abs(u))
                for i in range(batch):
                    out[i] = 2.0 * _sigmoid_change(2.0 * u, 2.0 * a[i], below)
            elif operation == SIGM:
                below = math.exp(-abs(u))
                for i in range(batch):
                    out[i] = _sigmoid_change(u, a[i], below)
            else:
                for i in range(batch):
                    end = u + a[i]
                    if (end < 0) == (u < 0):
                        out[i] = leak * a[i] if u < 0 else a[i]
                    else:
                        out[i] = end - leak * u if u < 0 else leak * end - u
        for position in range(kept.size):
            result[step, position] = registers[kept[position]]
        for state in range(states):
            old, new = registers[1 + state], registers[outputs[state]]
            for i in range(batch):
                old[i] = new[i] + drift[state]
    return result
