"""Registries filled by scanning a folder: a new file in the folder is all that a plug-in needs."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from clipsonic_eval.errors import unknown_name

T = TypeVar("T")


class Registry(Generic[T]):
    """Named things that live one per file in a package.

    The package is scanned on first use. Modules that start with an underscore are not entries. A name that is
    registered twice is an error of ours, not the user's.
    """

    def __init__(self, what: str, package: str) -> None:
        self._what = what
        self._package = package
        self._items: dict[str, T] = {}
        self._scanned = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorate the thing that goes by this name."""

        def add(item: T) -> T:
            if name in self._items:
                raise RuntimeError(f"{self._what} '{name}' is registered twice")
            self._items[name] = item
            return item

        return add

    def add(self, name: str, item: T) -> T:
        """Register a value that is not a function or class."""
        return self.register(name)(item)

    def _scan(self) -> None:
        if self._scanned:
            return
        self._scanned = True
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_") and not module.ispkg:
                importlib.import_module(f"{self._package}.{module.name}")

    def __getitem__(self, name: str) -> T:
        self._scan()
        if name not in self._items:
            raise unknown_name(self._what, name, self._items)
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        self._scan()
        return iter(sorted(self._items))

    def __len__(self) -> int:
        self._scan()
        return len(self._items)
