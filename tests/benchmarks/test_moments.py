"""Moments of a million embeddings of 512 dimensions, streamed: time, and the whole process's peak of memory."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

LIMIT_MB = 300
SCRIPT = """
import json
from pathlib import Path
import numpy as np
from clipsonic_eval.stats.moments import Moments

rng = np.random.default_rng(0)
block = rng.standard_normal((10_000, 512)).astype(np.float32)
found = Moments.of(block + np.float32(k) for k in range(100))
# not getrusage's maximum, which counts what the parent held before this program began
peak = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
centred = block.astype(float) - block.mean(axis=0, dtype=float)
scatter = 100 * centred.T @ centred + 10_000 * sum((k - 49.5) ** 2 for k in range(100))  # all dimensions move alike
off = float(np.abs(found.scatter / scatter - 1).max())
mean = float(found.mean.mean() - block.mean(dtype=float))
print(json.dumps({"n": found.n, "peak_mb": peak / 1024, "mean": mean, "off": off}))
"""


def test_a_million_rows(benchmark: Any) -> None:
    benchmark.group = "moments of 1,000,000 x 512"
    benchmark.extra_info["who"] = "ours"

    def run() -> dict[str, float]:
        done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    found = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info["note"] = f"peak of the whole process {found['peak_mb']:.0f} MB"
    assert found["n"] == 1_000_000
    assert abs(found["mean"] - 49.5) < 1e-3
    assert found["off"] < 1e-6
    assert found["peak_mb"] <= LIMIT_MB
