"""The study's sounds: every system asks the same queries; each folder is a job that resumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.harness.sample import SampleSettings, sample
from clipsonic_eval.progress import Progress
from clipsonic_eval.seeds import derive
from clipsonic_eval.study.entries import Entry
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.systems import resolve
from clipsonic_eval.types import Embeddings, Query

_BATCH = 64


class SystemRunner:
    """The study's systems of one seed, loaded when first asked and kept: network and query embeddings are reused."""

    def __init__(self, entries: Sequence[Entry], at: Layout, seed: int | None, progress: Progress) -> None:
        self.entries = {e.name: e for e in entries}
        self._at, self._seed, self._progress = at, seed, progress
        self._loaded: dict[str, Any] = {}

    def system(self, name: str) -> Any:
        """Return a loaded system."""
        if name not in self._loaded:
            entry = self.entries[name]
            self._loaded[name] = resolve(entry.spec, entry.settings)
        return self._loaded[name]

    def sample(self, name: str, split: str, *, guidance: float | None = None, sweep: bool = False) -> Path:
        """Answer a split's queries with one system and return the folder of wavs.

        Args:
            name: of the entry.
            split: ``val`` or ``test``.
            guidance: scale, for systems that have one.
            sweep: keep folders of several scales apart.

        Raises:
            UserError: a query could not be answered; in the study's own world that is a fault.
        """
        system = self.system(name)
        if guidance is not None:
            system = system.with_guidance(guidance)
        out = self._at.wavs(split, name, self._seed, guidance if sweep else None)
        settings = SampleSettings(seed=self._seed or 0, batch_size=_BATCH, name=name)
        done = sample(system, self._queries(split), out, settings, progress=self._progress)
        if done.skipped:
            first = done.skipped[0]
            raise UserError(
                f"{out}: {name} left out {len(done.skipped)} queries, the first ({first.key}): {first.reason}"
            )
        return out

    def conditions(self, name: str, split: str) -> Embeddings:
        """Return what a system hands to the network for each query: for the gap statistics."""
        queries, system = self._queries(split), self.system(name)
        seeds = [derive(self._seed or 0, q.key, "sample") for q in queries]
        vectors = system.conditions(queries, seeds)
        modality = "text" if name == "ZS" else "image"
        return Embeddings(vectors, tuple(q.key for q in queries), modality, system.encoder.card)  # type: ignore[arg-type]

    def _queries(self, split: str) -> list[Query]:
        return list(read_queries(self._at.queries(split)).single(self._at.queries(split), "prepare the world again"))
