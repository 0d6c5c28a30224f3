"""A stage of a study, done once: a marker with the fingerprint of its inputs is written when it is complete."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.hashing import config_hash, seal, unsealed
from clipsonic_eval.progress import Progress

MARKER: Final = ".done.json"


class Stage(NamedTuple):
    """A part of a study that is done once.

    Attributes:
        folder: of its results, and of its marker.
        label: for display.
        fingerprint: JSON-serialisable; everything that changes the result.
        work: computes the results, given a progress reporter. It may find part of them there and resume. For another
            process it must be picklable.
        after: folders of the stages whose results it needs.
    """

    folder: Path
    label: str
    fingerprint: Any
    work: Callable[[Progress], object]
    after: tuple[Path, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the folder has a marker of the same fingerprint."""
        return (marked(self.folder / MARKER) or {}).get("fingerprint") == config_hash(self.fingerprint)

    def run(self, progress: Progress) -> None:
        """Do the work and leave the marker, with the seconds of this attempt: an interrupted one leaves none."""
        started = time.perf_counter()
        self.work(progress)
        seconds = round(time.perf_counter() - started, 1)
        done = {"label": self.label, "fingerprint": config_hash(self.fingerprint), "seconds": seconds}
        write_json(self.folder / MARKER, seal(done))


def marked(marker: Path) -> dict[str, Any] | None:
    """Return the contents of a marker; None if it is missing or damaged, and the stage runs again."""
    try:
        return unsealed(read_json(marker))
    except (UserError, ValueError):
        return None
