"""The folders of a study, known here only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one study.

    Attributes:
        root: holds everything but, perhaps, the world.
        shared_world: media files of another study with the same world; None: its own.
    """

    root: Path
    shared_world: Path | None = None

    @property
    def world(self) -> Path:
        """The media files that the study starts from."""
        return self.shared_world or self.root / "world"

    def clips(self, part: str) -> Path:
        """Prepared clips of a part: ``videos``, ``pairs``, ``val``, ``test``, ``val_reference`` or ``reference``."""
        return self.root / "clips" / part

    def queries(self, split: str) -> Path:
        """The csv of a held-out part (key, path, prompt, label); those of a split are its queries."""
        return self.world / f"{split}.csv"

    def model(self, seed: int, name: str) -> Path:
        """A trained model: ``video``, ``clip-tta``, ``clap-tta``, ``prior-pd`` or ``prior-sd``."""
        return self.root / f"seed-{seed}" / "models" / name

    def wavs(self, split: str, system: str, seed: int | None, guidance: float | None = None) -> Path:
        """The samples of a system; ``seed`` is None for systems without training."""
        owner = "controls" if seed is None else f"seed-{seed}"
        place = self.root / owner / "wavs" / split / system
        return place if guidance is None else place / f"w-{guidance:g}"

    def run(self, name: str) -> Path:
        """A run folder with ``record.json``."""
        return self.root / "runs" / name

    @property
    def cache(self) -> Path:
        """Embeddings by content."""
        return self.root / "cache"

    @property
    def report(self) -> Path:
        """The report."""
        return self.root / "report"
