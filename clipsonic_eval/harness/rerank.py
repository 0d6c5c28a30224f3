"""Best of k: of k sounds of a system for a query, the one whose CLAP embedding is nearest to the prompt's.

Published systems do so in their own pipelines (AudioLDM 2 keeps the best of three). Selection by a text encoder raises
every score of text against audio, and most of all that of the same encoder: number and encoder stand on the card.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clipsonic_eval.arraytypes import AnyArray, Float32
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.seeds import derive
from clipsonic_eval.stages import stage
from clipsonic_eval.systems import System
from clipsonic_eval.types import Clip, Query

RULE = "highest mean cosine of the windows and the prompt"


class Reranked:
    """A system that answers a query with the best of k sounds of another. The candidates of k are among those of k + 1.

    Args:
        system: draws the sounds; the first with the query's own seed.
        encoder: with an audio and a text tower.
        candidates: k.
    """

    def __init__(self, system: System, encoder: Encoder, candidates: int) -> None:
        if candidates < 2:
            raise ConfigError(f"reranking needs at least 2 candidates per query, got {candidates}; set --candidates")
        missing = {"audio", "text"} - set(encoder.card.modalities)
        if missing:
            raise ConfigError(f"reranking by {encoder.card.name}: it takes no {min(missing)}; name a CLAP")
        self.name = f"{system.name}-best{candidates}"
        self.sample_rate = int(system.sample_rate)
        self._system, self._encoder, self._candidates = system, encoder, candidates

    def card(self) -> dict[str, Any]:
        """Return the card of the system, with the encoder and the number of candidates."""
        by = self._encoder.card
        rerank = {"candidates": self._candidates, "encoder": by.short, "preprocessing": by.preprocessing, "rule": RULE}
        return {**self._system.card(), "rerank": rerank}

    def forget(self) -> None:
        """Let the system forget earlier queries, where it remembers any."""
        getattr(self._system, "forget", lambda: None)()

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        """Return the best sound (n,) of each query; see :class:`clipsonic_eval.systems.System`."""
        if not queries:
            return []
        drawn = [list(self._system.generate(queries, self._seeds(seeds, k))) for k in range(self._candidates)]
        wrong = next((sounds for sounds in drawn if len(sounds) != len(queries)), None)
        if wrong is not None:
            return wrong  # refused by whoever asked
        with stage("rerank"):
            texts = _unit(self._encoder.text([query.prompt for query in queries]))
            return [self._best(texts[i], [sounds[i] for sounds in drawn]) for i in range(len(queries))]

    @staticmethod
    def _seeds(seeds: Sequence[int], k: int) -> list[int]:
        return [int(seed) if k == 0 else derive(int(seed), str(k), "rerank") for seed in seeds]

    def _best(self, text: AnyArray, sounds: list[Float32]) -> Float32:
        """Return the sound (n,) nearest to a text (d,); one that cannot be embedded only where none can."""
        usable = [s for s in sounds if np.ndim(s) == 1 and np.size(s) and bool(np.isfinite(s).all())]
        if not usable:
            return sounds[0]
        clips = [Clip(str(k), np.asarray(s, np.float32)[None], self.sample_rate) for k, s in enumerate(usable)]
        cosines = _unit(self._encoder.audio(clips)) @ text  # (rows,)
        rows = np.array([int(key) for key in self._encoder.audio_rows(clips)])
        means = [float(cosines[rows == k].mean()) for k in range(len(usable))]
        return usable[int(np.argmax(means))]


def _unit(vectors: AnyArray) -> AnyArray:
    """Return (n, d) vectors of norm 1, float64."""
    wide = vectors.astype(np.float64)
    unit: AnyArray = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return unit
