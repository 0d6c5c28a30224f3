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
# A parent with a child that sleeps and one that works, and one with a child that has ended and was never waited for.
WORKS = """
import subprocess, sys
subprocess.Popen(['sleep', '60'])
subprocess.Popen(['sh', '-c', 'while :; do :; done'])
print('go', flush=True)
sys.stdin.read()
"""
ZOMBIE = "import subprocess, sys; subprocess.Popen(['true']); print('go', flush=True); sys.stdin.read()"
WAITS = "print('go', flush=True); import sys; sys.stdin.read()"
TRACEBACK = """Traceback (most recent call last):
  File "a.py", line 1, in <module>
    main()

{}
and nothing else
"""


@pytest.fixture
def begin() -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def run(source: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield run
    for process in started:
        for child in kills.below(process.pid):
            subprocess.run(["kill", "-9", str(child)], check=False)
        process.kill()
        process.communicate()


@pytest.mark.parametrize("whom", [kills.MAIN, kills.ALL])
def test_a_living_process_is_killed_and_counts(begin: Any, whom: str) -> None:
    process = begin(WAITS)
    assert kills.strike(process, whom, RNG)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("whom", [kills.MAIN, kills.ALL, kills.CHILD])
def test_a_process_that_has_ended_does_not_count(begin: Any, whom: str) -> None:
    process = begin("print('go')")
    while kills._stat(process.pid)[0] not in "ZX":  # ended, and nobody has waited for it
        time.sleep(0.005)
    assert not kills.strike(process, whom, RNG)
    assert process.wait() == 0


def test_the_child_at_work_is_killed_and_neither_the_one_that_waits_nor_the_process_above_them(begin: Any) -> None:
    process = begin(WORKS)
    waits, works = sorted(kills.below(process.pid))
    assert kills.strike(process, kills.CHILD, RNG)
    assert process.poll() is None
    while kills._stat(works)[0] not in "ZX":
        time.sleep(0.005)
    assert kills.below(process.pid) == [waits]


def test_all_processes_are_killed_with_the_first(begin: Any) -> None:
    process = begin(WORKS)
    children = {pid: kills._began(pid) for pid in kills.below(process.pid)}
    assert len(children) == 2
    assert kills.strike(process, kills.ALL, RNG)
    process.wait()
    while any(kills._began(pid) == began for pid, began in children.items()):
        time.sleep(0.005)


def test_a_child_that_has_ended_is_no_child(begin: Any) -> None:
    process = begin(ZOMBIE)
    while kills.below(process.pid):
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("error", "found"),
    [("ValueError: odd", True), ("torch.distributed.elastic.multiprocessing.errors.ChildFailedError: ", False)],
)
def test_a_traceback_counts_unless_it_is_torchruns_own(error: str, found: bool) -> None:
    told = kills.traceback_in(f"a note\n{TRACEBACK.format(error)}")
    assert told.endswith(error) if found else told == ""


def test_a_traceback_of_one_of_several_processes_counts() -> None:
    text = "".join(f"[rank1]: {line}" for line in TRACEBACK.format("ValueError: odd").splitlines(keepends=True))
    assert kills.traceback_in(text).endswith("ValueError: odd")


class _Shell:
    """A job of the shell in place of a command: it claims its folder, works for a while, and writes its result."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
        self.script = script
        monkeypatch.setattr(kills, "start", self.start)

    def start(self, job: Job, inputs: Path, out: Path, log: Path) -> subprocess.Popen[bytes]:
        del job
        out.mkdir(exist_ok=True, parents=True)
        words = ["sh", "-c", f"cd {out}; touch run.json; {self.script}"]
        with log.open("wb") as stream:
            return subprocess.Popen(words, stderr=stream, start_new_session=True, cwd=inputs)


SOUND = Job("sound", lambda top, out: [], lambda out: {"result": (out / "result").read_text()})
FAMILY = SOUND._replace(starts="a loop")
LOOP = "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done'"


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


def test_a_traceback_after_a_kill_of_a_child_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = TRACEBACK.format("ValueError: lost a child")
    _Shell(monkeypatch, f"{LOOP} || printf '{told}' >&2; echo 1 > result")
    row = kills.kill_job(FAMILY, tmp_path, tmp_path / "scratch", 12, random.Random(3))
    assert row.equal < row.runs
    assert row.what.startswith("killed-")
    assert row.what.endswith("ValueError: lost a child")


def test_each_kind_of_process_is_killed_as_often(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _Shell(monkeypatch, f"{LOOP}; echo 1 > result")
    row = kills.kill_job(FAMILY, tmp_path, tmp_path / "scratch", 3, random.Random(4))
    assert row.whom == "1 main process, 1 all processes, 1 child"
    assert row.equal == row.runs


def test_a_process_that_lives_on_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kills, "_END_S", 0.3)
    _Shell(monkeypatch, "sleep 20 & sleep 0.2; echo 1 > result")
    row = kills.kill_job(SOUND, tmp_path, tmp_path / "scratch", 2, random.Random(5))
    assert "processes of killed commands live on" in row.what


def test_a_process_that_ended_while_it_was_looked_for_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    below = kills.below
    monkeypatch.setattr(kills, "below", lambda pid: [*below(pid), ended.pid])
    monkeypatch.setattr(kills, "_END_S", 10.0)
    _Shell(monkeypatch, f"{LOOP}; echo 1 > result")
    assert kills.kill_job(SOUND, tmp_path, tmp_path / "scratch", 2, random.Random(6)).what == ""


def test_rows_of_the_same_command_are_kept_and_of_another_not(tmp_path: Path) -> None:
    rows = [kills.Row("kill prepare", 3, 2, "1 child, 2 main process", 2, 2, "said: a|b", "abc")]
    write(tmp_path, rows, "python run.py --kills 3")
    assert _earlier(tmp_path, "python run.py --kills 3") == {"kill prepare": rows[0]}
    assert _earlier(tmp_path, "python run.py --kills 4") == {}
    page = (tmp_path / "README.md").read_text()
    assert "| kill prepare | 3 | 2 | 1 child, 2 main process | 2 of 2 | said: a\\|b | abc |" in page
