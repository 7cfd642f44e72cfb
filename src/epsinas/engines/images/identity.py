"""Which networks are the same function of their weights, whatever these are: the interpreter that only names things.

Each convolution has weights of its own, so that two of one map are two things, but it does not matter which is which.
Sums are order-free and nested sums are opened; a map that nothing reaches is zero, and so is what is made of it.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from epsinas.spaces import ImageSpace


class _Thing:
    """A map, or several side by side, by how it is made; the inputs of a sum are in any order."""

    __slots__ = ("inputs", "operation", "terms")

    def __init__(self, operation: str, *inputs: "_Thing"):
        self.operation, self.inputs = operation, inputs
        self.terms: tuple[_Thing, ...] = inputs if operation == "add" else (self,)


class _Names:
    """Operations on things. A sum without inputs is zero; what has no weights is one thing where it is made twice."""

    def __init__(self) -> None:
        self._known: dict[tuple, _Thing] = {}
        self.channels: list[int] = []

    def conv(self, x: _Thing, channels: int, kernel: int, stride: int = 1) -> _Thing:
        self.channels.append(channels)
        return _Thing(f"conv {channels} {kernel} {stride}", x) if x.terms else x

    def batch_norm(self, x: _Thing) -> _Thing:
        return self._same("batch_norm", x)

    def relu(self, x: _Thing) -> _Thing:
        return self._same("relu", x)

    def avg_pool(self, x: _Thing, kernel: int, stride: int) -> _Thing:
        return self._same(f"avg_pool {kernel} {stride}", x)

    def max_pool(self, x: _Thing, kernel: int, stride: int) -> _Thing:
        return self._same(f"max_pool {kernel} {stride}", x)

    def truncate(self, x: _Thing, channels: int) -> _Thing:
        self.channels.append(channels)
        return self._same(f"truncate {channels}", x)

    def add(self, xs: Sequence[_Thing]) -> _Thing:
        terms = sorted((term for x in xs for term in x.terms), key=id)
        return terms[0] if len(terms) == 1 else self._made("add", *terms)

    def concat(self, xs: Sequence[_Thing]) -> _Thing:
        return self._made("concat", *xs)

    def zeros(self, x: _Thing) -> _Thing:
        return self._made("add")

    def global_avg_pool(self, x: _Thing) -> _Thing:
        return self._same("global_avg_pool", x)

    def linear(self, x: _Thing, features: int) -> _Thing:
        return _Thing(f"linear {features}", x)

    def _same(self, operation: str, x: _Thing) -> _Thing:
        """Apply an operation that maps zero to zero."""
        return self._made(operation, x) if x.terms else x

    def _made(self, operation: str, *inputs: _Thing) -> _Thing:
        return self._known.setdefault((operation, *map(id, inputs)), _Thing(operation, *inputs))


def trained_identity(space: ImageSpace, architecture: str) -> bytes:
    """Return a digest of a cell: networks of one space with equal digests train alike.

    They are equal where the cells are the same but for what does not reach the output, and for how edges that change
    nothing are laid.

    Raises:
        InputError: the architecture is malformed.

    Example:
        Two convolutions side by side are not one convolution twice.

        >>> from epsinas.spaces import NasBench201
        >>> one, two = "nor_conv_3x3~0|+|skip_connect~0|none~1", "nor_conv_3x3~0|+|nor_conv_3x3~0|none~1"
        >>> rest = "|+|none~0|skip_connect~1|skip_connect~2|"
        >>> trained_identity(NasBench201(), f"|{one}{rest}") == trained_identity(NasBench201(), f"|{two}{rest}")
        False
    """
    digest = hashlib.blake2b(digest_size=16)
    first: list[int] | None = None
    for channels in space.widths:
        names = _Names()
        output = space.cell(names, architecture, _Thing("input"), channels)
        # The first cell with its channels multiplied equals what the first one equals.
        again = first is not None and _proportional(names.channels, first)
        digest.update(b"again" if again else repr(_colours(_behind(output))).encode())
        first = names.channels if first is None else first
    return digest.digest()


def _proportional(channels: Sequence[int], first: Sequence[int]) -> bool:
    """Say whether the numbers of one list are those of the other by one factor."""
    return all(one * first[0] == channels[0] * other for one, other in zip(channels, first, strict=True))


def _behind(output: _Thing) -> list[_Thing]:
    """Return everything that a thing is made of, itself included, each once."""
    found = {id(output): output}
    waiting = [output]
    while waiting:
        for inner in waiting.pop().inputs:
            if id(inner) not in found:
                found[id(inner)] = inner
                waiting.append(inner)
    return list(found.values())


def _colours(things: Sequence[_Thing]) -> list[int]:
    """Return the colours of a graph's things, sorted: those of equal graphs are equal.

    A thing's colour says what it is made of and what is made of it, which is refined until no more things are told
    apart (Weisfeiler and Leman 1968).
    """
    places = {id(thing): place for place, thing in enumerate(things)}
    edges = [
        (places[id(inner)], place, at if thing.operation == "concat" else 0)
        for place, thing in enumerate(things)
        for at, inner in enumerate(thing.inputs)
    ]
    colours = [_number(thing.operation) for thing in things]
    while True:
        below: list[list[int]] = [[] for _ in things]
        above: list[list[int]] = [[] for _ in things]
        for inner, outer, at in edges:
            below[outer].append(hash((at, colours[inner])))
            above[inner].append(hash((at, colours[outer])))
        finer = [
            hash((own, tuple(sorted(made_of)), tuple(sorted(makes))))
            for own, made_of, makes in zip(colours, below, above, strict=True)
        ]
        if len(set(finer)) == len(set(colours)):
            return sorted(finer)
        colours = finer


@lru_cache(maxsize=256)
def _number(operation: str) -> int:
    """Return a number for a text; Python's own hashes of texts differ between processes, those of numbers do not."""
    return int.from_bytes(hashlib.blake2b(operation.encode(), digest_size=7).digest(), "big")
