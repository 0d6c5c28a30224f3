"""The stages of a study, run in order or side by side, each once."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from clipsonic_eval import threads
from clipsonic_eval.progress import Progress
from clipsonic_eval.study import side_by_side
from clipsonic_eval.study.stage import MARKER, Stage, marked

T = TypeVar("T")


class Stages:
    """Runs the stages of a study and remembers how long each took.

    Args:
        root: the study's folder.
        progress: shows which stage runs.
        total: number of stages, for display; None: not known.
        processes: stages at a time in :meth:`run_all`, at most one per core.
    """

    def __init__(self, root: Path, progress: Progress, total: int | None = None, processes: int = 2) -> None:
        self._root = root
        self._progress = progress
        self._total = total
        self._number = 0
        self._processes = min(processes, threads.cores())
        self._peak_mib = 0.0

    def discard_others(self, planned: Sequence[Stage]) -> None:
        """Remove what an earlier study of other settings left: all stages but the planned ones that are complete.

        Only below the study's own folder: its world may be another study's.
        """
        complete = {stage.folder for stage in planned if stage.complete}
        begun = {stage.folder for stage in planned if stage.folder.exists()}
        for folder in begun | {marker.parent for marker in self._root.rglob(MARKER)}:
            if folder not in complete and folder.is_relative_to(self._root):
                shutil.rmtree(folder, ignore_errors=True)  # it may lie in another one

    def always(self, label: str, work: Callable[[], T]) -> T:
        """Run a stage that leaves no marker, and return its result."""
        self._announce(label)
        return work()

    def run(self, stage: Stage) -> Path:
        """Run a stage in this process, with all its cores, unless it is complete; return its folder."""
        if stage.complete:
            self._number += 1
        else:
            self._announce(stage.label)
            stage.run(self._progress)
        return stage.folder

    def run_all(self, stages: Sequence[Stage]) -> None:
        """Run the stages that are not complete side by side, each as soon as those it needs are complete.

        Each runs in a process of its own, with one thread. Of those that could start, the first in the list does.

        Raises:
            UserError: a stage failed, or its process was killed; the others are ended, and resume when run again.
        """
        missing = [stage for stage in stages if not stage.complete]
        self._number += len(stages) - len(missing)
        peak = side_by_side.run(missing, self._processes, self._announce, self._progress)
        self._peak_mib = max(self._peak_mib, peak)

    def peak_mib(self) -> float:
        """Return an upper bound of the memory of all processes together, MiB: the sum of their own peaks."""
        own = max(side_by_side.peak_mib(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return own + self._peak_mib

    def _announce(self, label: str) -> int:
        """Show that a stage begins; return its number."""
        self._number += 1
        of = f"[{self._number} of {self._total}] " if self._total is not None else ""
        self._progress.note(f"• {of}{label}")
        return self._number

    def timings(self) -> dict[str, float]:
        """Return the seconds of every complete stage by label, in the order of completion."""
        found = sorted(self._root.rglob(MARKER), key=lambda p: p.stat().st_mtime_ns)
        return {done["label"]: done["seconds"] for p in found if (done := marked(p)) is not None}
