"""The samples of the study: every system answers the same queries; each folder of wavs is a job that resumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.harness.sample import sample
from clipsonic_eval.seeds import derive
from clipsonic_eval.study.entries import StudySystem
from clipsonic_eval.study.study import Study
from clipsonic_eval.systems import resolve
from clipsonic_eval.types import Embeddings, Query

_BATCH = 64


class SystemRunner:
    """Samples the systems of one training seed, each loaded once: network and query embeddings are reused.

    Args:
        study: at work.
        systems: to be sampled.
        seed: of their training and sampling; None for controls, which need no training.

    Attributes:
        systems: by name.
        seed: as given.
    """

    def __init__(self, study: Study, systems: Sequence[StudySystem], seed: int | None) -> None:
        self.systems = {system.name: system for system in systems}
        self.seed = seed
        self._layout, self._progress = study.layout, study.progress
        self._loaded: dict[str, Any] = {}

    def sample(self, name: str, split: str, *, guidance: float | None = None, sweep: bool = False) -> Path:
        """Sample one system on the queries of a split.

        Args:
            name: of the system.
            split: ``val`` or ``test``.
            guidance: scale of classifier-free guidance, for systems that have one.
            sweep: keep folders of several scales apart.

        Returns:
            The folder of wavs.

        Raises:
            UserError: a query could not be answered; in the study's own world that is a fault.
        """
        system = self._system(name)
        if guidance is not None:
            system = system.with_guidance(guidance)
        out = self._layout.wavs(split, name, self.seed, guidance if sweep else None)
        seed = self.seed or 0
        done = sample(
            system, self._queries(split), out, seed=seed, batch_size=_BATCH, name=name, progress=self._progress
        )
        if done.skipped:
            first = done.skipped[0]
            raise UserError(
                f"{out}: {name} left out {len(done.skipped)} queries, the first ({first.key}): {first.reason}"
            )
        return out

    def conditions(self, name: str, split: str) -> Embeddings:
        """Return the condition embeddings of a system on a split, (n, d) for n queries, for the gap statistics."""
        queries, system = self._queries(split), self._system(name)
        seeds = [derive(self.seed or 0, q.key, "sample") for q in queries]
        vectors = system.conditions(queries, seeds)
        modality = "text" if name == "ZS" else "image"
        return Embeddings(vectors, tuple(q.key for q in queries), modality, system.encoder.card)  # type: ignore[arg-type]

    def _system(self, name: str) -> Any:
        if name not in self._loaded:
            system = self.systems[name]
            self._loaded[name] = resolve(system.spec, system.settings)
        return self._loaded[name]

    def _queries(self, split: str) -> list[Query]:
        path = self._layout.queries(split)
        return list(read_queries(path).single(path, "prepare the world again"))
