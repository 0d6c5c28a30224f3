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

    def wavs(self, split: str, system: str, seed: int | None, guidance: float | None = None, changed: str = "") -> Path:
        """The samples of a system; ``seed`` is None for systems without training.

        On the validation split folders are kept apart by guidance scale, and by a setting that is ``changed``.
        """
        owner = "controls" if seed is None else f"seed-{seed}"
        place = self.root / owner / "wavs" / split / system
        at = [] if guidance is None else [f"w-{guidance:g}", *changed.split()]
        return place / "-".join(at) if at else place

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
