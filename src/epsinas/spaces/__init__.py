"""Search spaces: each describes its networks once, against abstract operations."""

from typing import Any

from epsinas.errors import InputError
from epsinas.spaces.base import Space
from epsinas.spaces.nas_bench_101 import NasBench101
from epsinas.spaces.nas_bench_201 import NasBench201
from epsinas.spaces.nas_bench_nlp import NasBenchNLP

__all__ = ["SPACES", "NasBench101", "NasBench201", "NasBenchNLP", "Space", "space"]

SPACES: dict[str, type[NasBench101] | type[NasBench201] | type[NasBenchNLP]] = {
    NasBench201.name: NasBench201,
    NasBench101.name: NasBench101,
    NasBenchNLP.name: NasBenchNLP,
}
"""Every search space by its name."""


def space(name: str, **skeleton: int) -> Any:
    """Return the search space called `name`, with the given skeleton (its dataclass fields).

    Raises:
        InputError: there is no such space.
    """
    if name not in SPACES:
        raise InputError(f"unknown search space {name!r}: expected one of {', '.join(SPACES)}")
    return SPACES[name](**skeleton)
