"""Search spaces: each describes its networks once, against `epsinas.operations`."""

from epsinas.errors import InputError
from epsinas.spaces.nas_bench_201 import NasBench201

SPACES = {NasBench201.name: NasBench201}
"""Every search space by its name."""


def space(name: str, **skeleton: int) -> NasBench201:
    """Return the search space called `name`, with the given skeleton (its dataclass fields).

    Raises:
        InputError: there is no such space.
    """
    if name not in SPACES:
        raise InputError(f"unknown search space {name!r}: expected one of {', '.join(SPACES)}")
    return SPACES[name](**skeleton)
