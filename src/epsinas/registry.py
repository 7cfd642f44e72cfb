"""Registries: search spaces, metrics, data sets and pages, each found by its name.

A module of a registry's package that has one object to offer names it in one constant, such as `METRIC`. Nothing
lists the modules: a new one in the folder is there. Objects of one's own are registered by a module of one's own,
which `import_all` imports.
"""

import importlib
import os
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Generic, Protocol, TypeVar

from epsinas.errors import InputError


class Named(Protocol):
    """Something that has a name."""

    @property
    def name(self) -> str:
        """Its identifier, in files and on the command line."""


Item = TypeVar("Item", bound=Named)


class Registry(Generic[Item]):
    """Objects of one kind by name, in the order of their modules' names, those of one's own last.

    Args:
        kind: what they are, for messages.
        package: whose modules are searched, when the registry is first asked.
        constant: the name under which a module has its object.
    """

    def __init__(self, kind: str, package: str, constant: str):
        self.kind, self._package, self._constant = kind, package, constant
        self._items: dict[str, Item] = {}
        self._own: dict[str, Item] = {}
        self._searched = False

    def register(self, item: Item) -> Item:
        """Add an object of one's own, and return it, so that this is also a decorator of classes.

        Raises:
            InputError: another object has its name.
        """
        known = self._all().get(item.name)
        if known is not None and known is not item:
            raise InputError(f"{self.kind} {item.name!r}: found two of this name, expected different names")
        self._own[item.name] = item
        return item

    def unregister(self, name: str) -> None:
        """Take an object of one's own out again."""
        self._own.pop(name, None)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all objects."""
        return tuple(self._all())

    def __getitem__(self, name: str) -> Item:
        items = self._all()
        if name not in items:
            raise InputError(f"unknown {self.kind} {name!r}: expected one of {', '.join(items)}")
        return items[name]

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[Item]:
        return iter(self._all().values())

    def _all(self) -> dict[str, Item]:
        if not self._searched:
            package = importlib.import_module(self._package)
            for found in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
                module = importlib.import_module(f"{self._package}.{found}")
                if hasattr(module, self._constant):
                    item = getattr(module, self._constant)
                    self._items[item.name] = item
            self._searched = True
        return self._items | self._own


def import_own(name: str) -> ModuleType:
    """Import a module of one's own; the working directory is searched after everything else.

    Raises:
        InputError: it cannot be imported.
    """
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"module {name}: cannot be imported: {error}") from error


def import_all(names: Iterable[str]) -> None:
    """Import modules of one's own, which register what they have; see `import_own`."""
    for name in names:
        import_own(name)
