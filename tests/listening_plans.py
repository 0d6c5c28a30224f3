"""Plans of listening tests whose sounds need not exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval.listening.answers import Answer, accept
from clipsonic_eval.listening.plan import ListeningPlan, SessionPart, Sound
from clipsonic_eval.listening.protocols import NOISE, PROTOCOLS
from clipsonic_eval.listening.trials import RATED, TRAP
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
    """Answers of attentive listeners: ratings from levels of systems, listeners, queries, and noise."""
    rng = np.random.default_rng(seed)
    level = {**dict(zip(made.systems, effects, strict=False)), "reference": 5.5, NOISE: -1.0}
    level |= {"anchor-3.5kHz": 2.0, "anchor-shuffled": 1.0}
    queries = {query.key: rng.normal(0, sd[1]) for query in made.queries}
    found = []
    for number in range(listeners):
        own = rng.normal(0, sd[0])
        heard: dict[tuple[object, ...], str] = {}
        for trial in made.trials(number):
            for protocol in trial.protocols:
                layout = PROTOCOLS[protocol].layout if protocol in PROTOCOLS else ""
                for slider in range(len(trial.systems) if layout == "sliders" else 1):
                    key = (protocol, trial.query, trial.systems, slider)
                    levels = [level[name] + queries[trial.query] + own + rng.normal(0, sd[2]) for name in trial.systems]
                    answer = heard.get(key, trial.expected) or _answer(layout, levels, slider)
                    if trial.kind == RATED:
                        heard[key] = answer
                    elif trial.kind == TRAP:
                        answer = trial.expected
                    found.append(
                        accept(made, f"L{number:03d}", number, trial.number, protocol, answer, slider=slider,
                               seconds=5.0, played=1.0, time="2026-01-02T03:04:05+00:00")
                    )  # fmt: skip
    return found


def _answer(layout: str, levels: list[float], slider: int) -> str:
    if layout == "pair":
        return "equal" if abs(levels[0] - levels[1]) < 0.3 else ("left" if levels[0] > levels[1] else "right")
    if layout == "sliders":
        return str(int(np.clip(round(20 * levels[slider]), 0, 100)))
    return str(int(np.clip(round(levels[0]), 1, 5)))
