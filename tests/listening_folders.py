"""Small built listening tests: three systems and real recordings of half a second, made in a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.listening.build import BuildConfig, build
from clipsonic_eval.listening.folder import ListeningFolder
from clipsonic_eval.listening.make import ListeningConfig, make
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.media.audio import write_wav

RATE = 16000
SYSTEMS = ("PD", "ZS", "IQ")
FEW_CHECKS = {"headphones": 1, "side": 1, "practice": 1, "trap": 1, "gold": 1, "repeat": 0}


def sound(name: str, query: int, seconds: float = 0.5) -> NDArray[np.float32]:
    """Return a tone in noise, which differs from system to system and from query to query."""
    rng = np.random.default_rng([query, len(name), ord(name[0])])
    t = np.arange(round(seconds * RATE)) / RATE
    wave = np.sin(2 * np.pi * 220 * (query + 1) * t) + 0.3 * rng.standard_normal(len(t))
    return (0.05 * (1 + query) * wave).astype(np.float32)


def write_wavs(root: Path, names: Sequence[str] = (*SYSTEMS, "reference"), queries: int = 4) -> None:
    """Write a folder of wavs for each name, and ``prompts.csv``."""
    for name in names:
        for i in range(queries):
            write_wav(root / name / f"q{i}.wav", sound(name, i), RATE)
    rows = "".join(f"q{i},a <b>dog</b> barks {i} times\n" for i in range(queries))
    (root / "prompts.csv").write_text("key,prompt\n" + rows)


def plan_of(root: Path, *protocols: str, clips: int = 2, **others: Any) -> ListeningPlan:
    """Return the plan of a test on the wavs of :func:`write_wavs`."""
    config = ListeningConfig(
        systems={name: root / name for name in SYSTEMS},
        protocols=protocols or ("mos-fidelity", "mos-relevance"),
        clips=clips,
        reference=root / "reference",
        prompts=root / "prompts.csv",
        **{"checks": FEW_CHECKS, **others},
    )
    return make(config)[0]


def built(root: Path, *protocols: str, config: BuildConfig | None = None, **others: Any) -> ListeningFolder:
    """Return a built test below ``root``."""
    write_wavs(root)
    return build(plan_of(root, *protocols, **others), root / "test", config or BuildConfig())[0]
