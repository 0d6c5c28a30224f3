"""Registries of plug-ins: a module in the scanned package, or an entry point of any installed distribution.

A distribution adds to a registry in its ``pyproject.toml``; the group is that of the registry, the name that of the
plug-in, and the value the object that is registered::

    [project.entry-points."clipsonic_eval.encoders"]
    my-encoder = "my_package.encoder:load"

A plug-in that cannot be imported or whose name is taken costs one logged sentence; all others stay.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from clipsonic_eval.errors import UserError, unknown_name

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Registry(Generic[T]):
    """Named objects, found on first use.

    Our own live in a package, one or several to a module or sub-package; modules whose names begin with an underscore
    are not imported. Other distributions' are found by their entry points.

    Args:
        what: an entry in the singular, for error messages, e.g. ``metric``.
        package: scanned for modules that register; its name is also the group of the entry points.
        accepts: whether an object may be an entry; applied to entry points.
    """

    def __init__(self, what: str, package: str, accepts: Callable[[object], bool] = lambda _: True) -> None:
        self._what = what
        self._package = package
        self._accepts = accepts
        self._items: dict[str, T] = {}
        self._origins: dict[str, str] = {}
        self._broken: dict[str, str] = {}
        self._scanned = False

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers a function or class under this name.

        Raises:
            RuntimeError: the name is taken.
        """

        def add(item: T) -> T:
            if name in self._items:
                raise RuntimeError(f"{self._what} '{name}' is registered twice")
            self._items[name] = item
            return item

        return add

    def add(self, name: str, item: T) -> T:
        """Register an object and return it.

        Raises:
            RuntimeError: the name is taken.
        """
        return self.register(name)(item)

    def origin(self, name: str) -> str:
        """Return the distribution that an entry comes from, e.g. ``my-package 1.2``; "" for our own."""
        self._scan()
        return self._origins.get(name, "")

    def broken(self) -> dict[str, str]:
        """Return why an entry point was left out, a sentence by name."""
        self._scan()
        return dict(self._broken)

    def _scan(self) -> None:
        if self._scanned:
            return
        self._scanned = True
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_"):
                importlib.import_module(f"{self._package}.{module.name}")
        for entry in sorted(entry_points(group=self._package), key=lambda e: (_distribution(e), e.name)):
            self._load(entry)

    def _load(self, entry: EntryPoint) -> None:
        source = _distribution(entry)
        if entry.name in self._items:
            owner = self._origins.get(entry.name, "clipsonic-eval")
            self._leave_out(entry, f"the name is taken by {owner}; rename it, or uninstall one of the two")
            return
        try:
            item = entry.load()
        except Exception as error:  # whatever another distribution raises when it is imported
            line = (str(error).strip() or type(error).__name__).partition("\n")[0]
            self._leave_out(entry, f"{entry.value} cannot be imported ({line}); update or uninstall {source}")
            return
        if not self._accepts(item):
            self._leave_out(entry, f"{entry.value} is a {type(item).__name__}, no {self._what}; update {source}")
            return
        self._items[entry.name] = item
        self._origins[entry.name] = source

    def _leave_out(self, entry: EntryPoint, why: str) -> None:
        sentence = f"{self._what} '{entry.name}' of {_distribution(entry)} is left out: {why}"
        self._broken.setdefault(entry.name, sentence)
        _log.warning("%s", sentence)

    def __getitem__(self, name: str) -> T:
        self._scan()
        if name in self._items:
            return self._items[name]
        if name in self._broken:
            raise UserError(self._broken[name])
        raise unknown_name(self._what, name, self._items)

    def __contains__(self, name: object) -> bool:
        self._scan()
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        self._scan()
        return iter(sorted(self._items))

    def __len__(self) -> int:
        self._scan()
        return len(self._items)


def _distribution(entry: EntryPoint) -> str:
    """Return name and version of the distribution of an entry point."""
    found = entry.dist
    return f"{found.name} {found.version}" if found is not None else "an unnamed distribution"
