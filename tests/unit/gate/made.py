"""Records made of random numbers with a known change, for the tests of the gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Score

N = 200
_SIGNATURES = {
    "fad": "fad|num:1|enc:toy-audio+1a2b3c4d|encnum:1|cov:n-1|est:plug-in|ref:5e6f7a8b|n:{n}|v:0.1.0",
    "clap_score": "clap_score|num:1|enc:toy-clap+5e6f7a8b|encnum:1|pair:key|queries:1f2e3d4c|n:{n}|v:0.1.0",
    "kl": "kl|num:1|enc:toy-classes+9c0d1e2f|encnum:1|ref:5e6f7a8b|n:{n}|v:0.1.0",
}
_HIGHER = {"fad": False, "clap_score": True, "kl": False}


def keys(n: int) -> list[str]:
    return [f"q{i:04d}" for i in range(n)]


def clip_score(
    values: NDArray[np.float64], metric: str = "clap_score", system: str = "PD", names: Sequence[str] = ()
) -> Score:
    """A mean over clips."""
    n, value = len(values), float(values.mean())
    per_clip = dict(zip(names or keys(n), values.tolist(), strict=True))
    half = 2 * float(values.std()) / n**0.5
    signature = _SIGNATURES[metric].format(n=n)
    ci = (value - half, value + half)
    return Score(metric, system, value, ci, "b", n, n, "", _HIGHER[metric], signature, per_clip=per_clip)


def set_score(
    parts: NDArray[np.float64],
    reference: NDArray[np.float64] | None = None,
    metric: str = "fad",
    system: str = "PD",
    names: Sequence[str] = (),
) -> Score:
    """A statistic of sets whose value is the mean of parts, so that its influences are exact."""
    n, value = len(parts), float(parts.mean())
    rows = np.zeros(3) if reference is None else reference
    made = clip_score(parts, metric, system, names)
    influence = dict(zip(made.per_clip, ((parts - value) / n).tolist(), strict=True))
    half = 1.96 * float(np.sqrt(np.var(parts) / n + np.var(rows) / len(rows)))
    other = {f"r{i:04d}": float((x - rows.mean()) / len(rows)) for i, x in enumerate(rows)}
    return dataclasses.replace(
        made,
        value=value + float(rows.mean()),
        ci=(value - half, value + half),
        per_clip={},
        influence=influence,
        reference_influence=other,
    )


def record(*scores: Score, created: str = "2026-01-01T00:00:00+00:00", **changes: Any) -> RunRecord:
    """A record of these scores, of its own time."""
    cards: Mapping[str, Any] = changes.pop("systems", {score.system: {"kind": "folder-of-wavs"} for score in scores})
    provenance = {"commit": "a" * 40, "created": created, **changes.pop("provenance", {})}
    return RunRecord(changes.pop("kind", "evaluate"), scores, systems=cards, provenance=provenance, **changes)


def moved(run: RunRecord, **changes: Any) -> RunRecord:
    """The same record, written a day later."""
    provenance = {**run.provenance, "created": "2026-01-02T00:00:00+00:00", **changes.pop("provenance", {})}
    return dataclasses.replace(run, provenance=provenance, **changes)


def clips(seed: int = 0, n: int = N, mean: float = 0.4, spread: float = 0.1) -> NDArray[np.float64]:
    return mean + spread * np.random.default_rng(seed).standard_normal(n)
