"""Ten thousand records as a user has them after years: time and memory of the whole process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from unit.history.make_records import record

from clipsonic_eval.history.packing import content_hash
from clipsonic_eval.history.store import History

N = 10_000
SCRIPT = """
import resource, subprocess, sys, time
begun = time.monotonic()
words = [sys.executable, "-m", "clipsonic_eval", "history", *sys.argv[1:]]
code = subprocess.run(words, stdout=subprocess.DEVNULL).returncode
assert code in (0, 1), code  # `check` may find the candidate worse
took = time.monotonic() - begun
print(took, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024))
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of ten thousand records of four systems and two metrics each; pin `main` and the newest have clips."""
    folder = tmp_path_factory.mktemp("many") / "history"
    history = History(folder)
    without = history.add(record(0, systems=4, clips=0)).hashes[0]
    history.pin("main", history.add(record(0, systems=4, clips=480)).hashes)
    history.pin("candidate", history.add(record(N, systems=4, clips=480)).hashes)
    tree = json.loads((folder / "records" / f"{without}.json").read_text())
    for step in range(1, N):
        tree["tags"]["plain"]["step"] = str(step)
        tree["scores"][1][0] = step / 7
        (folder / "records" / f"{content_hash(tree)}.json").write_text(json.dumps(tree))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "ls",
        "show --over step",
        "show --metric fad --system S1",
        "check candidate --baseline main --limit clap_score<+0.1 --limit S0:clap_score<+0.05",
    ],
)
def test_ten_thousand_records_are_shown_in_two_seconds_and_200_mib(many: Path, command: str) -> None:
    def measured() -> tuple[float, float]:
        words = [sys.executable, "-c", SCRIPT, *command.split(), "--history", str(many)]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        seconds, mib = map(float, done.stdout.split())
        return seconds, mib

    cold = measured()  # the first command makes the index
    warm = min(measured() for _ in range(3))
    print(f"cold {cold[0]:.1f} s, {cold[1]:.0f} MiB; warm {warm[0]:.2f} s, {warm[1]:.0f} MiB")  # noqa: T201
    assert cold[1] <= 200
    assert warm[0] <= 2
    assert warm[1] <= 200
