"""Plans of listening tests whose sounds need not exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipsonic_eval.listening.answers import Answer
from clipsonic_eval.listening.plan import ListeningPlan, Sound
from clipsonic_eval.listening.rehearsal import rehearse
from clipsonic_eval.listening.trials import SessionPart
from clipsonic_eval.stats.crossed import VarianceComponents
from clipsonic_eval.types import Query

RATINGS = SessionPart(("mos-fidelity", "mos-relevance"), 12)


def plan(
    n_systems: int = 3, n_queries: int = 24, *parts: SessionPart, reference: bool = True, **others: Any
) -> ListeningPlan:
    systems = tuple(f"S{i}" for i in range(n_systems))
    queries = tuple(Query(f"q{i:03d}", f"sound number {i}") for i in range(n_queries))
    names = (*systems, *(["reference"] if reference else []))
    sounds = {
        name: {query.key: Sound(Path(f"/wavs/{name}/{query.key}.wav"), f"{name}-{query.key}") for query in queries}
        for name in names
    }
    return ListeningPlan("text", parts or (RATINGS,), systems, queries, sounds, **others)


def simulated(
    made: ListeningPlan,
    listeners: int,
    seed: int = 0,
    *,
    effects: tuple[float, ...] = (3.0, 3.5, 2.5),
    sd: tuple[float, float, float] = (0.5, 0.4, 0.9),
) -> list[Answer]:
    """Answers of attentive listeners who do not call themselves simulated: ``L000``, ``L001``, …."""
    means = dict(zip(made.systems, effects, strict=False))
    components = VarianceComponents(*(one**2 for one in sd))
    found = rehearse(made, means, listeners=listeners, components=components, seed=seed)
    return [one._replace(listener=f"L{one.number:03d}") for one in found]
