"""Which networks are the same function of their weights, whatever these are: the interpreter that only names things.

Each convolution has weights of its own, so that two of one map are two things, but it does not matter which is which.
Sums are order-free and nested sums are opened; a map that nothing reaches is zero, and so is what is made of it.
"""

import hashlib
from collections.abc import Sequence

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

    def conv(self, x: _Thing, channels: int, kernel: int, stride: int = 1) -> _Thing:
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
    for channels in space.widths:
        output = space.cell(_Names(), architecture, _Thing("input"), channels)
        digest.update(b"".join(_colours(_behind(output))))
    return digest.digest()


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


def _colours(things: Sequence[_Thing]) -> list[bytes]:
    """Return the colours of a graph's things, sorted: those of equal graphs are equal.

    A thing's colour says what it is made of and what is made of it, which is refined until no more things are told
    apart (Weisfeiler and Leman 1968).
    """
    colours = {id(thing): _hash(thing.operation.encode()) for thing in things}
    while True:
        above: dict[int, list[bytes]] = {id(thing): [] for thing in things}
        below = {}
        for thing in things:
            made_of = []
            for place, inner in enumerate(thing.inputs):
                where = str(place).encode() if thing.operation == "concat" else b""
                above[id(inner)].append(where + colours[id(thing)])
                made_of.append(where + colours[id(inner)])
            below[id(thing)] = sorted(made_of)
        finer = {key: _hash(colours[key], *below[key], b"/", *sorted(above[key])) for key in colours}
        if len(set(finer.values())) == len(set(colours.values())):
            return sorted(finer.values())
        colours = finer


def _hash(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"".join(parts), digest_size=16).digest()
