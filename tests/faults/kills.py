"""Kill a command at random moments, start it again, and compare what it ends with to an undisturbed run."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from faults.jobs import Job, start

MAIN, ALL, CHILD = "main process", "all processes", "child"
ENDED = -1
_STOP_S = 5.0  # for a signal to arrive
_END_S = 300.0  # for what is left of a killed command to end
_LOOK_S = 0.05  # in which a process at work uses the processor
_MISSED = 5  # runs for each kill, at most
_EARLY = 1 / 6  # of the kills meet a command before it has claimed its output folder
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(?P<error>\S.*)", re.MULTILINE)
_RANK = re.compile(r"^\[rank\d+\]: ?", re.MULTILINE)  # torch's, before each line of a traceback
_LAUNCHER = ("torch.distributed.elastic.",)  # torchrun's way to say that one of its processes ended


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        fault: its name.
        kills: signals that met a living process.
        begun: of these, those that met a command which had claimed its output folder.
        whom: how often each kind of process was killed.
        runs: that were brought to their end after it.
        equal: of these, those that ended as they should.
        what: what was said, or what went wrong.
        commit: of the version that was disturbed.
    """

    fault: str
    kills: int
    begun: int
    whom: str
    runs: int
    equal: int
    what: str
    commit: str = ""


class _Undisturbed(NamedTuple):
    """A run without any fault: seconds until it claimed its folder, seconds in all, and its result."""

    claim_s: float
    total_s: float
    result: dict[str, str]


class _Tally:
    """Counts the kills of a job, and notes the first thing that went wrong."""

    def __init__(self, job: Job) -> None:
        self.whom: dict[str, int] = dict.fromkeys((MAIN, ALL, CHILD) if job.starts else (MAIN,), 0)
        self.begun = 0
        self.wrong = ""
        self.known: set[tuple[int, int]] = set()  # processes below a killed one: id, and when it began

    @property
    def total(self) -> int:
        """Kills so far."""
        return sum(self.whom.values())

    def next(self, rng: random.Random) -> str:
        """Choose whom to kill among those that were killed least."""
        least = min(self.whom.values())
        return rng.choice([whom for whom, n in self.whom.items() if n == least])

    def note(self, wrong: str) -> None:
        """Keep the first thing that went wrong."""
        self.wrong = self.wrong or wrong


def kill_job(job: Job, inputs: Path, scratch: Path, kills: int, rng: random.Random) -> Row:
    """Disturb a command until it was killed so many times, a few times in each of several runs."""
    plain = _undisturbed(job, inputs, scratch / "undisturbed/out")
    tally, runs, equal = _Tally(job), 0, 0
    while tally.total < kills and not tally.wrong:
        out = scratch / f"run-{runs}/out"
        out.parent.mkdir(parents=True)
        for number in range(min(kills - tally.total, rng.randint(1, 4))):
            log = out.with_name(f"killed-{number}.log")
            if not _disturb(job, inputs, out, log, plain, rng, tally):
                break  # it ended before the signal came
        log = out.with_name("last.log")
        code = start(job, inputs, out, log).wait()
        runs += 1
        if code:
            tally.note(f"a run did not end well after its kills: {_said(log)[-300:]}")
        elif job.result(out) == plain.result:
            equal += 1
        _look_back(out.parent, tally)
        shutil.rmtree(out.parent)
        if runs > _MISSED * kills:
            tally.note(f"{runs} runs, and too few processes were met at work")
    counts = ", ".join(f"{n} {whom}" for whom, n in tally.whom.items() if n)
    if tally.wrong and equal == runs:
        equal -= 1
    return Row(f"kill {job.name}", tally.total, tally.begun, counts, runs, equal, tally.wrong)


def _undisturbed(job: Job, inputs: Path, out: Path) -> _Undisturbed:
    log, began = out.with_name("log"), time.monotonic()
    process = start(job, inputs, out, log)
    _wait_for_claim(process, out, None)
    claim_s = time.monotonic() - began
    if process.wait():
        raise RuntimeError(f"{job.name} without any fault ended with {process.returncode}: {_said(log)[-500:]}")
    return _Undisturbed(claim_s, time.monotonic() - began, job.result(out))


def _said(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace").strip()


def _claimed(out: Path) -> int | None:
    """Return when a command began to work in its folder: ``run.json`` is written anew by each, a cache is tried."""
    for path in (out / "run.json", out):
        with contextlib.suppress(OSError):
            return path.stat().st_mtime_ns
    return None


def _wait_for_claim(process: subprocess.Popen[bytes], out: Path, before: int | None) -> None:
    while process.poll() is None and _claimed(out) == before:
        time.sleep(0.01)


def _disturb(
    job: Job, inputs: Path, out: Path, log: Path, plain: _Undisturbed, rng: random.Random, tally: _Tally
) -> bool:
    """Start a command and kill it, or a part of it, after a while; False where it had ended by then.

    What is left of it after a kill of the main process is not waited for: the next start meets it.
    """
    before, began, whom = _claimed(out), time.monotonic(), tally.next(rng)
    process = start(job, inputs, out, log)
    if whom != CHILD and rng.random() < _EARLY:
        time.sleep(rng.uniform(0, plain.claim_s))
    else:
        _wait_for_claim(process, out, before)
        pace = min(1.0, (time.monotonic() - began) / plain.claim_s)  # the machine may be less busy now
        time.sleep(rng.uniform(0, pace * (plain.total_s - plain.claim_s)))
    begun = _claimed(out) != before
    # one that ended since it was found is not there to be waited for
    tally.known |= {(pid, since) for pid in below(process.pid) if (since := _began(pid)) != ENDED}
    met = strike(process, whom, rng)
    try:
        process.wait(timeout=_END_S)
    except subprocess.TimeoutExpired:
        strike(process, ALL, rng)
        process.wait()
        tally.note(f"went on for {_END_S:g} s after a kill of the {whom}")
        return False
    if met:
        tally.whom[whom] += 1
        tally.begun += begun
    return met


def _look_back(folder: Path, tally: _Tally) -> None:
    """Note tracebacks in the logs of a folder, and processes that outlived a killed command for long."""
    until = time.monotonic() + _END_S
    while left := [pid for pid, began in tally.known if _began(pid) == began]:
        if time.monotonic() > until:
            tally.note(f"{len(left)} processes of killed commands live on")
            for pid in left:
                _send(pid, signal.SIGKILL)
            break
        time.sleep(0.1)
    tally.known.clear()
    for log in sorted(folder.glob("*.log")):
        if found := traceback_in(_said(log)):
            tally.note(f"{log.stem}: {found}")


def traceback_in(text: str) -> str:
    """Return the end of the first traceback in a text that is not torchrun's own, "" where there is none."""
    for found in _TRACEBACK.finditer(_RANK.sub("", text)):
        if not found["error"].startswith(_LAUNCHER):
            return found[0].strip()[-300:]
    return ""


def strike(process: subprocess.Popen[bytes], whom: str, rng: random.Random) -> bool:
    """Kill a process, with or without all below it, or one below it that is at work; False where it had ended.

    A child is one that has none below it and uses the processor: multiprocessing's and Ray's helpers wait.
    """
    if whom == CHILD:
        while process.poll() is None:
            busy = [pid for pid in _at_work(below(process.pid)) if not below(pid)]
            rng.shuffle(busy)
            if any(_stop(pid) and _send(pid, signal.SIGKILL) for pid in busy):
                return True
        return False
    if process.poll() is not None or not _stop(process.pid):
        return False
    if whom == ALL:
        while pids := [pid for pid in below(process.pid) if _send(pid, signal.SIGKILL)]:
            time.sleep(0.002 * len(pids))
    process.kill()
    return True


def _send(pid: int, number: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def _stop(pid: int) -> bool:
    """Stop a process, so that it lives and cannot end before it is killed; False where it has ended already."""
    until = time.monotonic() + _STOP_S
    if _send(pid, signal.SIGSTOP):
        while time.monotonic() < until:
            state = _stat(pid)[0]
            if state in "TZX":
                return state == "T"
            time.sleep(0.002)
    return False


def _stat(pid: int) -> list[str]:
    """Return what the system says of a process from its state on (T: stopped, Z: ended); X where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["X", *["0"] * 20]


def _began(pid: int) -> int:
    """Return when a living process began, in ticks since the start of the machine; ``ENDED`` where it has ended."""
    stat = _stat(pid)
    return ENDED if stat[0] in "ZX" else int(stat[19])


def _at_work(pids: list[int]) -> list[int]:
    """Return those of some processes that use the processor, or want to, within a moment."""
    before = {pid: _stat(pid)[11:13] for pid in pids}  # ticks in its own code and in the system's
    time.sleep(_LOOK_S)
    now = {pid: _stat(pid) for pid in pids}
    return [pid for pid in pids if now[pid][0] not in "ZX" and (now[pid][0] == "R" or now[pid][11:13] != before[pid])]


def below(pid: int) -> list[int]:
    """Return the living processes below a process, those nearest to it first."""
    stats = {int(folder.name): _stat(int(folder.name)) for folder in Path("/proc").iterdir() if folder.name.isdigit()}
    parents = {child: int(stat[1]) for child, stat in stats.items() if stat[0] not in "ZX"}
    found, last = [], [pid]
    while last:
        last = [child for child, parent in parents.items() if parent in last]
        found += last
    return found
