"""One study at work: what all its stages share."""

from __future__ import annotations

import json
from dataclasses import dataclass

from clipsonic_eval.progress import Progress
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.stages import Stages


@dataclass(frozen=True, slots=True)
class Study:
    """A study at work.

    Attributes:
        config: its settings.
        layout: its folders.
        stages: runs each stage once.
        progress: shows bars and notes.
    """

    config: StudyConfig
    layout: Layout
    stages: Stages
    progress: Progress

    @classmethod
    def start(cls, config: StudyConfig, layout: Layout, progress: Progress, n_stages: int | None = None) -> Study:
        """Return a study that begins at its first stage, of so many."""
        return cls(config, layout, Stages(layout.root, progress, n_stages), progress)

    def fingerprint(self) -> str:
        """Return everything that changes a result, as text."""
        return json.dumps(self.config.identity(), sort_keys=True)
