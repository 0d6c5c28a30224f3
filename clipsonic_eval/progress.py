"""Progress reporters: an object that long work reports to; the library's default is silent."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """A reporter that long work reports to."""

    def track(self, items: Iterable[T], *, label: str, total: int | None = None, done: int = 0) -> Iterator[T]:
        """Yield the items and show progress; ``done`` items were finished before (a resumed job)."""
        ...

    def note(self, text: str) -> None:
        """Show one line next to the bars."""
        ...


class Silent:
    """The default: no output."""

    def track(self, items: Iterable[T], *, label: str, total: int | None = None, done: int = 0) -> Iterator[T]:
        """Yield the items."""
        yield from items

    def note(self, text: str) -> None:
        """Drop the line."""


class Bars:
    """tqdm bars on stderr.

    Args:
        line: of the bar, where several processes show one each.
        prefix: before every label.
    """

    def __init__(self, line: int = 0, prefix: str = "") -> None:
        self._line, self._prefix = line, prefix

    def track(self, items: Iterable[T], *, label: str, total: int | None = None, done: int = 0) -> Iterator[T]:
        """Yield the items under a bar."""
        from tqdm import tqdm

        if total is None and isinstance(items, Sized):
            total = len(items)
        desc, line = self._prefix + label, self._line
        yield from tqdm(items, desc, total, initial=done, position=line, dynamic_ncols=True, mininterval=0.5)

    def note(self, text: str) -> None:
        """Write a line above the bars."""
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)


SILENT = Silent()
