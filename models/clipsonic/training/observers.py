"""What watches a training from outside: it is told the log, may look at the weights, and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Sight(NamedTuple):
    """What an observer found, to be told to all.

    Attributes:
        values: by name, such as ``val/fad``.
        sounds: wav files by name.
    """

    values: Mapping[str, float]
    sounds: Mapping[str, Path]


class Observer:
    """Watches a run; by default it does nothing."""

    def is_due(self, step: int, steps: int) -> bool:
        """Return whether :meth:`look` is to be called after so many steps of all; the same on every process."""
        del step, steps
        return False

    def look(self, step: int) -> Sight:
        """Look at the network of the task, which holds the averaged weights now.

        It is called on every process at the same step, so that they can share the work; what the main one returns is
        told.
        """
        raise NotImplementedError

    def told(self, step: int, sight: Sight) -> None:
        """Receive the numbers of a row of the log, or what an observer found; on the main process only."""
