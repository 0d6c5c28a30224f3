"""A grid that takes no time: a system whose tones lose noise with every step, and durations made up to fit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fake_encoders
import numpy as np
import pytest

from clipsonic_eval.bench.cases import BenchConfig, Target
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.frontier.config import FrontierConfig
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.records import RunRecord
from clipsonic_eval.systems import resolve
from clipsonic_eval.types import Score, Skip

HERTZ = [300 * (i + 1) for i in range(8)]
SYSTEM = '''
import fake_encoders
import numpy as np
from clipsonic_eval.errors import ConfigError, MediaError

class Tones:
    """Tones in noise that falls with the number of steps."""

    sample_rate = fake_encoders.RATE

    def __init__(self, steps: int = 1, level: float = 0.4, precision: str = "fp32") -> None:
        if steps == 13:
            raise ConfigError("13 steps bring bad luck")
        self.name, self.steps, self.level, self.precision = "tones", steps, level, precision

    def card(self) -> dict[str, object]:
        return {"steps": self.steps, "level": self.level, "precision": self.precision}

    def generate(self, queries, seeds):
        if self.steps == 666:
            raise RuntimeError("out of memory")
        if self.steps == 7 and any(q.key == "q3" for q in queries):
            raise MediaError("q3 is too hard in 7 steps")
        hertz = [float(q.prompt.split()[1]) for q in queries]
        pairs = zip(hertz, seeds, strict=True)
        return [fake_encoders.tone(h, s % 1000, self.level / self.steps) for h, s in pairs]
'''


def make(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write ``tones.py``, ``q.csv`` and ``real/`` into a folder, go there, and register two encoders."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    len(ENCODERS)  # scans the package before ours come in
    for name, encoder in {"fa": fake_encoders.FakeEncoder(), "fc": fake_encoders.FakeEncoder(unit=True)}.items():
        monkeypatch.setitem(ENCODERS._items, name, lambda weights=None, *, device="cpu", encoder=encoder: encoder)
    Path("tones.py").write_text(SYSTEM)
    Path("q.csv").write_text("key,prompt\n" + "".join(f"q{i},tone {h}\n" for i, h in enumerate(HERTZ)))
    for i in range(12):
        write_wav(Path("real") / f"r{i}.wav", fake_encoders.tone(250 * (i + 1), i, 0.01), fake_encoders.RATE)


def config(grid: Mapping[str, Any], **more: Any) -> FrontierConfig:
    """Return a frontier of the tones over a grid, of few resamples."""
    settings: dict[str, Any] = {
        "targets": [Target("tones.py:Tones", "T", {}, {name: tuple(values) for name, values in grid.items()})],
        "queries": "q.csv",
        "reference": "real",
        "encoders": {"audio": "fa", "audio_text": "fc"},
        "n_bootstrap": 50,
    }
    return FrontierConfig(**{**settings, **more})


def durations(seconds: float, seed: int, processes: int = 3, rounds: int = 8) -> dict[str, float]:
    """Return made-up durations of some processes, near a number of seconds, by key."""
    drawn = seconds * np.random.default_rng(seed).lognormal(0, 0.02, (processes, rounds))
    return {f"p{p}/{r:06d}": float(x) for p, row in enumerate(drawn) for r, x in enumerate(row)}


def bench_record(label: str, seconds: float, card: Mapping[str, Any]) -> RunRecord:
    """Return a bench record of one case with latency and a stage."""
    own = durations(seconds, seed=len(label))
    median = float(np.median(list(own.values())))
    ends = (0.98 * median, 1.02 * median)
    signature = f"latency|num:1|machine:m1|batch:1|n:{len(own)}"
    latency = Score("latency", label, median, ends, "order-statistics", len(own), len(own), "s", False, signature)
    fields = {name: getattr(latency, name) for name in latency.__dataclass_fields__}
    scores = (
        Score(**{**fields, "per_clip": own}),
        Score(**{**fields, "metric": "stage_denoiser", "value": 0.8 * median, "ci": None}),
    )
    return RunRecord("bench", scores, systems={label: dict(card)})


class Stopwatch:
    """Stands in for the bench: a request takes 0.1 s a step; counts what it timed and may fail at a point."""

    def __init__(self, fails_at: str = "") -> None:
        self.timed: list[str] = []
        self.fails_at = fails_at

    def __call__(self, config: BenchConfig, folder: Path) -> RunRecord:
        del folder
        self.timed = [target.name for target in config.targets]
        failed = [name for name in self.timed if self.fails_at and self.fails_at in name]
        rows = [self._row(target) for target in config.targets if target.name not in failed]
        return RunRecord(
            "bench",
            tuple(score for row in rows for score in row.scores),
            systems={name: card for row in rows for name, card in row.systems.items()},
            skipped={name: (Skip("case", "the worker was killed"),) for name in failed},
        )

    def _row(self, target: Target) -> RunRecord:
        card = resolve(target.spec, target.settings).card()
        return bench_record(target.name, 0.1 * float(target.settings["steps"]), card)
