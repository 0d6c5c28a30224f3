"""Stages that are done once: a marker with the fingerprint of what went in, written when the work is complete."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.hashing import config_hash, seal, unsealed
from clipsonic_eval.progress import Progress

T = TypeVar("T")

_MARKER = ".done.json"


class Stages:
    """Runs named stages of a study and remembers how long each took.

    Args:
        root: the study's folder.
        progress: shows which stage is at work.
        total: stages that will be asked for, so that a person knows how many are left; None: not known.
    """

    def __init__(self, root: Path, progress: Progress, total: int | None = None) -> None:
        self._root = root
        self._progress = progress
        self._total = total
        self._number = 0

    def always(self, label: str, work: Callable[[], T]) -> T:
        """Do a stage that leaves no marker, and return what it gives."""
        self._number += 1
        self._announce(label)
        return work()

    def _announce(self, label: str) -> None:
        of = f"[{self._number} of {self._total}] " if self._total is not None else ""
        self._progress.note(f"• {of}{label}")

    def run(self, folder: Path, label: str, fingerprint: Any, work: Callable[[], object]) -> Path:
        """Do ``work`` unless ``folder`` carries a marker of the same fingerprint.

        ``work`` may find a part of its results there and goes on from them. The seconds in the marker add up over
        interrupted tries only as far as the last one goes: an interrupted try leaves no marker.

        Args:
            folder: where the stage's results lie.
            label: what a person reads.
            fingerprint: JSON-serialisable; everything that changes the result.
            work: does the stage.

        Returns:
            ``folder``.
        """
        self._number += 1
        marker = folder / _MARKER
        wanted = config_hash(fingerprint)
        if (_marked(marker) or {}).get("fingerprint") == wanted:
            return folder
        self._announce(label)
        started = time.perf_counter()
        work()
        told = {"label": label, "fingerprint": wanted, "seconds": round(time.perf_counter() - started, 1)}
        write_json(marker, seal(told))
        return folder

    def timings(self) -> dict[str, float]:
        """Return the seconds of every finished stage, by its label, in the order in which they were finished."""
        found = sorted(self._root.rglob(_MARKER), key=lambda p: p.stat().st_mtime_ns)
        return {marked["label"]: marked["seconds"] for p in found if (marked := _marked(p)) is not None}


def _marked(marker: Path) -> dict[str, Any] | None:
    """Return what a marker says; None where there is none, or a damaged one: the stage is then done again."""
    try:
        return unsealed(read_json(marker))
    except (UserError, ValueError):
        return None
