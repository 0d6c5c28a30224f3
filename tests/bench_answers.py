"""What workers answer, made up: for tests of everything that is computed from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clipsonic_eval.bench.cases import Case, Target
from clipsonic_eval.bench.records import Measured

MACHINE = {"fingerprint": "0123456789ab", "compared": {"processor": "P", "cores": 2}, "noted": {}}
MS = 1_000_000  # ns


def answer(requests_ms: Sequence[float], **changes: Any) -> dict[str, Any]:
    """One process of a system with a condition of 1 ms, a denoiser of two steps that takes half, and a rest."""
    total = [round(x * MS) for x in requests_ms]
    return {
        "name": "ZS",
        "kind": "system",
        "card": {"kind": "ZeroShot", "steps": 2},
        "batch": 1,
        "item": "clip",
        "device": "cpu",
        "request": {},
        "queries": "aabbccdd",
        "clock": "wall clock",
        "threads": 1,
        "machine": MACHINE,
        "load_ns": 3000 * MS,
        "first_ns": 100 * MS,
        "warm_up_ns": [MS],
        "stable": True,
        "n_requests": len(total),
        "requests_ns": total,
        "stages_ns": {
            "condition": [MS] * len(total),
            "denoiser": [ns // 2 for ns in total],
            "denoiser/step": [ns // 2 for ns in total],
        },
        "entries": {"condition": [1] * len(total), "denoiser": [1] * len(total), "denoiser/step": [2] * len(total)},
        "audio_s": 2.0,
        "memory_method": "VmHWM, reset",
        "memory_host": 100 * 2**20,
        "memory_host_above": 25 * 2**20,
        "remarks": [],
        **changes,
    }


def measured(*processes: Mapping[str, Any], target: Target | None = None, **point: Any) -> Measured:
    """A case with the answers of its processes."""
    case = Case(target or Target("clipsonic.systems:ZeroShot"), point)
    return Measured(case, {i: dict(one) for i, one in enumerate(processes)})
