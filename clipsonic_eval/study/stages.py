"""Stages that run once: a marker with the fingerprint of the inputs is written when a stage is complete."""

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
        progress: shows which stage runs.
        total: number of stages, for display; None: not known.
    """

    def __init__(self, root: Path, progress: Progress, total: int | None = None) -> None:
        self._root = root
        self._progress = progress
        self._total = total
        self._number = 0

    def always(self, label: str, work: Callable[[], T]) -> T:
        """Run a stage that leaves no marker, and return its result."""
        self._number += 1
        self._announce(label)
        return work()

    def _announce(self, label: str) -> None:
        of = f"[{self._number} of {self._total}] " if self._total is not None else ""
        self._progress.note(f"• {of}{label}")

    def run(self, folder: Path, label: str, fingerprint: Any, work: Callable[[], object]) -> Path:
        """Run ``work`` unless ``folder`` has a marker of the same fingerprint.

        ``work`` may find part of its results there and resume. The seconds in the marker are those of the last attempt:
        an interrupted one leaves no marker.

        Args:
            folder: of the stage's results.
            label: for display.
            fingerprint: JSON-serialisable; everything that changes the result.
            work: computes the stage.

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
        done = {"label": label, "fingerprint": wanted, "seconds": round(time.perf_counter() - started, 1)}
        write_json(marker, seal(done))
        return folder

    def timings(self) -> dict[str, float]:
        """Return the seconds of every complete stage by label, in the order of completion."""
        found = sorted(self._root.rglob(_MARKER), key=lambda p: p.stat().st_mtime_ns)
        return {marked["label"]: marked["seconds"] for p in found if (marked := _marked(p)) is not None}


def _marked(marker: Path) -> dict[str, Any] | None:
    """Return the contents of a marker; None if it is missing or damaged, and the stage runs again."""
    try:
        return unsealed(read_json(marker))
    except (UserError, ValueError):
        return None
