"""Stages that are done once: a marker with the fingerprint of what went in, written when the work is complete."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clipsonic_eval import atomic
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json
from clipsonic_eval.hashing import config_hash, seal, unsealed
from clipsonic_eval.progress import Progress

_MARKER = ".done.json"


class Stages:
    """Runs named stages of a study and remembers how long each took.

    Args:
        root: the study's folder.
        progress: shows which stage is at work.
    """

    def __init__(self, root: Path, progress: Progress) -> None:
        self._root = root
        self._progress = progress

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
        marker = folder / _MARKER
        wanted = config_hash(fingerprint)
        if (_marked(marker) or {}).get("fingerprint") == wanted:
            return folder
        self._progress.note(f"• {label}")
        started = time.perf_counter()
        work()
        told = {"label": label, "fingerprint": wanted, "seconds": round(time.perf_counter() - started, 1)}
        atomic.write_json(marker, seal(told))
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
