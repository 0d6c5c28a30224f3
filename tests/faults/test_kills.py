"""The count of kills: a signal counts where it met a living process, and only there."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults import kills
from faults.jobs import Job
from faults.run import _earlier, write

RNG = random.Random(0)
# A parent with a child that sleeps, and one with a child that has ended and was never waited for.
SLEEPS = "import subprocess, sys; subprocess.Popen(['sleep', '60']); print('go', flush=True); sys.stdin.read()"
ZOMBIE = "import subprocess, sys; subprocess.Popen(['true']); print('go', flush=True); sys.stdin.read()"


@pytest.fixture
def begin() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def run(source: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield run
    for process in started:
        for child in kills.children_of(process.pid):
            subprocess.run(["kill", "-9", str(child)], check=False)
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("whom", "told"), [("main process", "main process"), ("group", "group")])
def test_a_living_process_is_killed_and_counts(begin: Any, whom: str, told: str) -> None:
    process = begin("print('go', flush=True); import sys; sys.stdin.read()")
    assert kills.strike(process, whom, RNG) == told
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("whom", ["main process", "group", "child"])
def test_a_process_that_has_ended_does_not_count(begin: Any, whom: str) -> None:
    process = begin("print('go')")
    while kills._stat(process.pid)[0] not in "ZX":  # ended, and nobody has waited for it
        time.sleep(0.005)
    assert kills.strike(process, whom, RNG) is None
    assert process.wait() == 0


def test_a_child_is_killed_and_the_process_above_it_lives(begin: Any) -> None:
    process = begin(SLEEPS)
    (child,) = kills.children_of(process.pid)
    assert kills.strike(process, "child", RNG) == "child"
    assert process.poll() is None
    while kills._stat(child)[0] not in "ZX":
        time.sleep(0.005)
    assert kills.children_of(process.pid) == []


def test_a_child_that_has_ended_is_no_child(begin: Any) -> None:
    process = begin(ZOMBIE)
    while kills.children_of(process.pid):
        time.sleep(0.005)
    assert kills.strike(process, "child", RNG) == "main process"  # the only one left


class _Shell:
    """A job of the shell in place of a command: it claims its folder, works for a while, and writes its result."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
        self.script = script
        monkeypatch.setattr(kills, "start", self.start)

    def start(self, job: Job, inputs: Path, out: Path) -> subprocess.Popen[str]:
        del job
        out.mkdir(exist_ok=True)
        words = ["sh", "-c", f"cd {out}; touch run.json; {self.script}"]
        return subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=inputs
        )


SOUND = Job("sound", lambda top, out: [], lambda out: {"result": (out / "result").read_text()})


def test_a_job_that_resumes_is_as_it_should_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _Shell(monkeypatch, "sleep 0.05; echo 1 > result.part; mv result.part result")
    row = kills.kill_job(SOUND, tmp_path, tmp_path / "scratch", 4, random.Random(1))
    assert row.kills == 4
    assert 0 < row.begun <= 4
    assert row.equal == row.runs > 0
    assert row.what == ""


def test_a_job_that_continues_from_half_a_file_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _Shell(monkeypatch, "echo half >> result; sleep 0.2; echo whole >> result")
    row = kills.kill_job(SOUND, tmp_path, tmp_path / "scratch", 4, random.Random(2))
    assert row.equal < row.runs


def test_a_traceback_after_a_kill_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _Shell(monkeypatch, "sleep 0.3 || echo 'Traceback: lost a child' >&2; echo 1 > result")
    row = kills.kill_job(SOUND, tmp_path, tmp_path / "scratch", 12, random.Random(3))
    assert row.equal < row.runs
    assert row.what.startswith("after a kill of the child: ")
    assert "Traceback: lost a child" in row.what


def test_rows_of_the_same_command_are_kept_and_of_another_not(tmp_path: Path) -> None:
    rows = [kills.Row("kill prepare", 3, 2, "1 child, 2 group", 2, 2, "said: a|b", "abc")]
    write(tmp_path, rows, "python run.py --kills 3")
    assert _earlier(tmp_path, "python run.py --kills 3") == {"kill prepare": rows[0]}
    assert _earlier(tmp_path, "python run.py --kills 4") == {}
    page = (tmp_path / "README.md").read_text()
    assert "| kill prepare | 3 | 2 | 1 child, 2 group | 2 of 2 | said: a\\|b | abc |" in page
