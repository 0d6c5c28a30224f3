"""Kill a command at random moments, start it again, and compare what it ends with to an undisturbed run."""

from __future__ import annotations

import collections
import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from faults.jobs import Job, start

_WHOM = ("main process", "group", "child")
_STOP_S = 5.0  # for a signal to arrive
_END_S = 300.0  # for what is left of a killed command to end
_EARLY = 1 / 6  # of the kills meet a command before it has claimed its output folder


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

    def __init__(self) -> None:
        self.whom: collections.Counter[str] = collections.Counter()
        self.begun = 0
        self.wrong = ""

    def note(self, wrong: str) -> None:
        self.wrong = self.wrong or wrong


def kill_job(job: Job, inputs: Path, scratch: Path, kills: int, rng: random.Random) -> Row:
    """Disturb a command until it was killed so many times, a few times in each of several runs."""
    plain = _undisturbed(job, inputs, scratch / "undisturbed/out")
    tally, runs, equal = _Tally(), 0, 0
    while tally.whom.total() < kills and not tally.wrong:
        out = scratch / f"run-{runs}/out"
        out.parent.mkdir(parents=True)
        for _ in range(min(kills - tally.whom.total(), rng.randint(1, 4))):
            if not _disturb(job, inputs, out, plain, rng, tally):
                break  # it ended before the signal came
        process = start(job, inputs, out)
        said = process.communicate()[1].strip()
        runs += 1
        if process.returncode:
            tally.note(f"a run did not end well after its kills: {said[-300:]}")
        elif job.result(out) == plain.result:
            equal += 1
        shutil.rmtree(out.parent)
    counts = ", ".join(f"{n} {whom}" for whom, n in sorted(tally.whom.items()))
    if tally.wrong and equal == runs:
        equal -= 1
    return Row(f"kill {job.name}", tally.whom.total(), tally.begun, counts, runs, equal, tally.wrong)


def _undisturbed(job: Job, inputs: Path, out: Path) -> _Undisturbed:
    out.parent.mkdir(parents=True)
    began = time.monotonic()
    process = start(job, inputs, out)
    _wait_for_claim(process, out, None)
    claim_s = time.monotonic() - began
    said = process.communicate()[1]
    if process.returncode:
        raise RuntimeError(f"{job.name} without any fault ended with {process.returncode}: {said[-500:]}")
    return _Undisturbed(claim_s, time.monotonic() - began, job.result(out))


def _claimed(out: Path) -> int | None:
    """Return when ``run.json`` was written, which every start of a command does before its work."""
    with contextlib.suppress(OSError):
        return (out / "run.json").stat().st_mtime_ns
    return None


def _wait_for_claim(process: subprocess.Popen[str], out: Path, before: int | None) -> None:
    while process.poll() is None and _claimed(out) == before:
        time.sleep(0.01)


def _disturb(job: Job, inputs: Path, out: Path, plain: _Undisturbed, rng: random.Random, tally: _Tally) -> bool:
    """Start a command and kill it, or a part of it, after a while; False where it had ended by then."""
    before, began = _claimed(out), time.monotonic()
    process = start(job, inputs, out)
    if rng.random() < _EARLY:
        time.sleep(rng.uniform(0, plain.claim_s))
    else:
        _wait_for_claim(process, out, before)
        pace = min(1.0, (time.monotonic() - began) / plain.claim_s)  # the machine may be less busy now
        time.sleep(rng.uniform(0, pace * (plain.total_s - plain.claim_s)))
    begun = _claimed(out) != before
    whom = strike(process, rng.choice(_WHOM), rng)
    try:
        said = process.communicate(timeout=_END_S)[1]  # closed by the last process below it, too
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        tally.note(f"processes went on for {_END_S:g} s after a kill of the {whom}")
        return False
    if "Traceback" in said:
        tally.note(f"after a kill of the {whom}: {said.strip()[-300:]}")
    if whom is None:
        return False
    tally.whom[whom] += 1
    tally.begun += begun
    return True


def strike(process: subprocess.Popen[str], whom: str, rng: random.Random) -> str | None:
    """Kill a process that was started as the first of a group, the group, or a process below it that has none below.

    Returns:
        Who was killed: the main process where it has no child; None where it had ended.
    """
    children = children_of(process.pid) if whom == "child" else []
    if children:
        victim = rng.choice(children)
        if not _stop(victim):
            return None
        os.kill(victim, signal.SIGKILL)
        return whom
    if process.poll() is not None or not _stop(process.pid):
        return None
    if whom == "group":
        os.killpg(process.pid, signal.SIGKILL)
        return whom
    process.kill()
    return "main process"


def _stop(pid: int) -> bool:
    """Stop a process, so that it lives and cannot end before it is killed; False where it has ended already."""
    until = time.monotonic() + _STOP_S
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        while time.monotonic() < until:
            state = _stat(pid)[0]
            if state in "TZX":
                return state == "T"
            time.sleep(0.002)
    return False


def _stat(pid: int) -> tuple[str, int]:
    """Return the state of a process (T: stopped, Z: ended) and the process above it; X where it is gone."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return words[0], int(words[1])
    except (OSError, IndexError, ValueError):
        return "X", 0


def children_of(pid: int) -> list[int]:
    """Return the living processes below a process that have none below them."""
    stats = {int(folder.name): _stat(int(folder.name)) for folder in Path("/proc").iterdir() if folder.name.isdigit()}
    parents = {child: parent for child, (state, parent) in stats.items() if state not in "ZX"}
    below, found = [pid], []
    while below:
        mine = [child for child, parent in parents.items() if parent in below]
        found += [child for child in mine if child not in parents.values()]
        below = mine
    return found
