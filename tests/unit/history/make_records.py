"""Small records for tests of the history."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.types import Score

SIGNATURE = "fad|num:1|enc:toy-audio+55fc3054|encnum:1|rate:16k|cov:n-1|est:plug-in|ref:59cc8f74|n:24|v:0.1.0"


def score(system: str, value: float, metric: str = "fad", n: int = 24, **more: Any) -> Score:
    """Return a score with an interval of width 1."""
    ci = (value - 0.5, value + 0.5)
    signature = SIGNATURE.replace("fad|", f"{metric}|", 1).replace("n:24", f"n:{n}")
    return Score(
        metric, system, value, ci, "bootstrap-clip-bca-200", n, n, "squared distance", False, signature, **more
    )


def record(step: int = 0, *, systems: int = 2, clips: int = 24, tags: Mapping[str, str] | None = None) -> RunRecord:
    """Return an evaluation; each step is another one."""
    rng = np.random.default_rng(step)
    names = [f"S{i}" for i in range(systems)]
    keys = [f"clip-{i:04d}" for i in range(clips)]
    scores = [
        score(name, float(rng.normal(10)), influence=dict(zip(keys, rng.normal(size=clips).tolist(), strict=True)))
        for name in names
    ]
    scores += [
        score(
            name, float(rng.normal()), "clap_score", per_clip=dict(zip(keys, rng.random(clips).tolist(), strict=True))
        )
        for name in names
    ]
    day = f"2026-01-01T{step // 3600 % 24:02d}:{step // 60 % 60:02d}:{step % 60:02d}+00:00"
    return RunRecord(
        "evaluate",
        tuple(scores),
        comparisons=(Comparison("fad", "S0", "S1", float(rng.normal()), None, 0.5, 1.0, clips, "swap", False),),
        systems={name: {"kind": "folder-of-wavs", "weights_sha256": f"{step:064x}"} for name in names},
        tags={"step": str(step), **(tags or {})},
        config={"systems": {name: f"runs/step-{step}/{name}" for name in names}, "seed": 0},
        provenance={"commit": f"{step:040x}", "created": day, "memory_gib": 23.5},
        timings_s={"embed": float(rng.random())},
    )


def to_float32(made: RunRecord) -> RunRecord:
    """Return a record with its values per clip rounded as a history stores them."""

    def rounded(values: Mapping[str, float]) -> dict[str, float]:
        return {key: float(np.float32(value)) for key, value in values.items()}

    fields = ("per_clip", "influence", "reference_influence")
    scores = (dataclasses.replace(s, **{name: rounded(getattr(s, name)) for name in fields}) for s in made.scores)
    return dataclasses.replace(made, scores=tuple(scores))
