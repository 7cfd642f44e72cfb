"""Passes of a network's description that tell what each operation is given and returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Watch = Callable[[str, tuple[Any, ...], Any], object]
"""Is told an operation's name, as the spaces call it, its arguments and what it returns."""


class Watching:
    """Stands in the place of an object and tells `watch` of every call of its methods.

    Around an interpreter of a family of networks it tells of the operations, around a search space of the cells.

    Example:
        >>> Watching("a b", lambda *call: print(call)).split(" ")
        ('split', (' ',), ['a', 'b'])
        ['a', 'b']
    """

    def __init__(self, watched: Any, watch: Watch):
        self._watched, self._watch = watched, watch

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._watched, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            result = found(*arguments, **options)
            self._watch(name, arguments, result)
            return result

        return call


def watched_pass(network: Any, inputs: torch.Tensor, watch: Watch) -> torch.Tensor:
    """Return the outputs of a full-width network of any family, and tell `watch` of its operations and cells.

    An operation's first argument is its input: `relu` is told with what it rectifies. A cell's third one is.
    """
    space = Watching(network.space, watch)
    return type(network.space).network(space, Watching(network.operations(), watch), network.architecture, inputs)
