"""The condition embeddings of the study's systems: what each network was told, before any sound."""

from __future__ import annotations

from typing import Any

from clipsonic_eval.seeds import derive
from clipsonic_eval.study.entries import StudySystem
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.sampling import queries
from clipsonic_eval.systems import resolve
from clipsonic_eval.types import Embeddings


def conditions(system: StudySystem, layout: Layout, split: str) -> Embeddings:
    """Return the condition embeddings of a system on a split, (n, d) for n queries, for the gap statistics."""
    asked, loaded = queries(layout, split), resolve(system.spec, system.settings)
    vectors = loaded.conditions(asked, [derive(system.seed or 0, q.key, "sample") for q in asked])  # type: ignore[attr-defined]
    modality: Any = "text" if system.name == "ZS" else "image"
    return Embeddings(vectors, tuple(q.key for q in asked), modality, loaded.encoder.card)  # type: ignore[attr-defined]
