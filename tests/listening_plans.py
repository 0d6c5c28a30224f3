"""Plans of listening tests whose sounds need not exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipsonic_eval.listening.plan import ListeningPlan, Part, Sound
from clipsonic_eval.types import Query

RATINGS = Part(("mos-fidelity", "mos-relevance"), 12)


def plan(n_systems: int = 3, n_queries: int = 24, *parts: Part, reference: bool = True, **others: Any) -> ListeningPlan:
    systems = tuple(f"S{i}" for i in range(n_systems))
    queries = tuple(Query(f"q{i:03d}", f"sound number {i}") for i in range(n_queries))
    names = (*systems, *(["reference"] if reference else []))
    sounds = {
        name: {query.key: Sound(Path(f"/wavs/{name}/{query.key}.wav"), f"{name}-{query.key}") for query in queries}
        for name in names
    }
    return ListeningPlan("text", parts or (RATINGS,), systems, queries, sounds, **others)
