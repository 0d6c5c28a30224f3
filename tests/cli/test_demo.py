"""The whole study at its least size, killed on the way and continued: what `tox -e demo` does, in small."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from clipsonic_eval import records

COMMAND = [sys.executable, "-m", "clipsonic_eval", "demo", "--fast", "--json", "--out"]


def test_a_killed_demo_continues_and_every_stage_leaves_its_result(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    first = subprocess.Popen([*COMMAND, str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (out / "seed-0" / "models" / "video" / "config.json").exists():
        assert first.poll() is None, "the demo ended before it was killed"
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()

    done = subprocess.run([*COMMAND, str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    told = [(int(k), int(n)) for k, n in re.findall(r"\[(\d+) of (\d+)\]", done.stderr)]
    assert told == sorted(set(told)), "each stage says its number, in order"
    assert told[-1][0] == told[-1][1], "the last one is the last of as many as were told"
    assert re.search(r"audio model: +\d+%.*<.*it", done.stderr), "a training shows how far it is and what is left"
    assert set(result["guidance"]) == {"video", "clip-tta", "clap-tta"}  # one scale per network

    test = records.read(out / "runs" / "test-seed-0")
    named = {s.system for s in test.scores}
    trained = {"IQ", "ZS", "PD", "SD", "PD-guided2", "PD-best2", "mean-shift", "CLIP-TTA", "CLAP-TTA"}
    assert {*trained, "real", "real-mel", "retrieval", "shuffled", "noise"} <= named
    assert trained <= set(result["worst_class"]) <= named
    for metric in ("fad", "clap_score", "class_accuracy", "count_accuracy", "size_error"):
        real, noise = test.score(metric, "real"), test.score(metric, "noise")
        assert real is not None
        assert noise is not None
        assert (real.value > noise.value) == real.higher_is_better
        assert real.n == 48
        assert real.signature
    gap = records.read(out / "runs" / "gap-seed-0")
    for condition in ("image", "text", "PD", "SD", "mean-shift", "constant"):
        assert {s.metric for s in gap.scores if s.system == condition} >= {
            "class_accuracy",
            "count_accuracy",
            "size_error",
        }
    before, after = gap.score("centroid_distance", "text"), gap.score("centroid_distance", "mean-shift")
    assert before is not None
    assert after is not None
    assert after.value < before.value
    report = out / "report"
    assert all((report / f"table.{kind}").stat().st_size > 100 for kind in ("md", "csv", "tex"))
    figures = {p.name for p in (report / "figures").iterdir()}
    named = ("metrics", "gap", "spectrograms", "guidance", "against-fraction", "against-steps", "against-candidates")
    assert {f"{name}.{kind}" for name in named for kind in ("png", "pdf")} <= figures

    before_again = (report / "table.csv").read_bytes()
    again = subprocess.run([*COMMAND, str(out)], capture_output=True, text=True, check=False)
    assert again.returncode == 0
    assert (report / "table.csv").read_bytes() == before_again
