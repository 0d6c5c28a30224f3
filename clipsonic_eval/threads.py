"""Number of threads of each stage: no more than speed it up, and no more than there are idle cores.

Threads that share one small product wait for each other at every step, by spinning. On a busy machine the awaited
thread is often not running, and the wait lasts a time slice of the operating system instead of a microsecond: the
resamples of a Fréchet distance of 64 dimensions took 13 times as long on two threads as on one.

The number depends on the machine and the work:

- **matrices** (NumPy, SciPy): one thread for each 256 rows and columns, see :func:`for_matrices`;
- **networks** (torch): the idle cores, see :func:`for_networks`.

Both are bounded by the cores that this process may use (:func:`available`). The outputs of a network do not depend on
the number, to the bit; sums over rows (moments, gradients) do, by rounding.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from clipsonic_eval.errors import ConfigError

VARIABLE = "CLIPSONIC_EVAL_THREADS"
_SIDE = 256  # of a square product that keeps one thread busy
_WATCHED_S = 0.2
_CGROUP = Path("/sys/fs/cgroup")
_STAT = Path("/proc/stat")
# How long threads spin before they sleep, in the spellings of gcc's and LLVM's OpenMP. The defaults, some 10 ms and
# 200 ms, waste whole time slices where a core is shared; a few microseconds cover the waits of an idle machine.
_PATIENCE = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}


def spin_briefly() -> None:
    """Let waiting threads go to sleep early; affects only libraries loaded later, so call it first.

    A policy that the user chose (``OMP_WAIT_POLICY`` or the variables themselves) is kept.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)


def ask(number: int) -> None:
    """Set the number for this process and its children, by the environment variable."""
    os.environ[VARIABLE] = str(number)


def asked() -> int | None:
    """Return the number that the user chose, or None.

    Raises:
        ConfigError: the environment variable is not a whole number above 0.
    """
    chosen = os.environ.get(VARIABLE, "").strip()
    if not chosen:
        return None
    if not chosen.isdecimal() or int(chosen) < 1:
        raise ConfigError(f"{VARIABLE}={chosen}: expected a number of threads, 1 or more; or unset it")
    return int(chosen)


def cores() -> int:
    """Return the cores that this process may use: those it is bound to, at most its control group's quota.

    The quota is that of a container (``--cpus``) or a job; it bounds what runs, not what the machine shows.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(bound, _quota() or bound)


def available() -> int:
    """Return how many threads a stage may have at most: :func:`cores`, ``OMP_NUM_THREADS``, or what the user chose."""
    return min(bound for bound in (cores(), _openmp(), asked()) if bound is not None)


def _openmp() -> int | None:
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # a list: by level of nesting
    return int(first) if first.isdecimal() and int(first) else None


def _quota() -> int | None:
    """Return the quota of the control group in whole cores, rounded up; None where there is none."""
    pairs = [_words(_CGROUP / "cpu.max")]  # version 2: "quota period" or "max period"
    first = _CGROUP / "cpu"
    pairs.append([*_words(first / "cpu.cfs_quota_us"), *_words(first / "cpu.cfs_period_us")])  # version 1, -1: none
    for pair in pairs:
        if len(pair) == 2 and all(word.isdecimal() for word in pair) and int(pair[1]):
            return max(1, math.ceil(int(pair[0]) / int(pair[1])))
    return None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []


def idle() -> int:
    """Return how many of the available cores are idle at this moment, at least 1.

    Measured over a fifth of a second; on systems other than Linux all count as idle.
    """
    most = available()
    if most == 1:
        return 1
    before = _ticks()
    if not before:
        return most
    time.sleep(_WATCHED_S)
    after = _ticks()
    free = 0.0
    for core in before.keys() & after.keys():
        total, unused = (b - a for a, b in zip(before[core], after[core], strict=True))
        free += unused / total if total > 0 else 0.0
    return max(1, min(most, int(free + 0.5)))


def _ticks() -> dict[int, tuple[int, int]]:
    """Return (all ticks, idle ticks) for each core that this process may use."""
    try:
        lines = [line.split() for line in _STAT.read_text(encoding="ascii").splitlines()]
    except (OSError, UnicodeDecodeError):
        return {}
    ours = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    found = {}
    for words in lines:
        core = words[0].removeprefix("cpu") if words else ""
        if core.isdecimal() and words[0] != core and (ours is None or int(core) in ours):
            ticks = [int(word) for word in words[1:9]]  # user nice system idle iowait irq softirq steal
            found[int(core)] = (sum(ticks), sum(ticks[3:5]))
    return found


def for_matrices(side: int) -> int:
    """Return how many threads help products and decompositions of matrices of about this many rows and columns."""
    worth = max(1, side // _SIDE)
    return 1 if worth == 1 or available() == 1 else min(worth, idle() if asked() is None else available())


def for_networks() -> int:
    """Return how many threads help a network: the idle cores, or exactly what the user chose."""
    return available() if asked() is not None else idle()


@contextmanager
def limited(*, matrices: int = 1, networks: int = 1) -> Iterator[None]:
    """Bound the threads of NumPy's and SciPy's linear algebra and of torch, as long as the context lasts.

    Args:
        matrices: threads of every BLAS that is loaded.
        networks: threads of torch's operators, if torch is loaded.
    """
    from threadpoolctl import threadpool_limits

    with ExitStack() as stack:
        torch = sys.modules.get("torch")
        if torch is not None:  # put back last and set last: a BLAS built on OpenMP shares torch's number
            stack.callback(torch.set_num_threads, torch.get_num_threads())
        stack.enter_context(threadpool_limits(matrices, user_api="blas"))
        if torch is not None:
            torch.set_num_threads(networks)
        yield


@contextmanager
def matrices(side: int) -> Iterator[None]:
    """Give a stage of linear algebra its threads, see :func:`for_matrices`; also a decorator."""
    number = for_matrices(side)
    with limited(matrices=number, networks=number):
        yield


@contextmanager
def networks() -> Iterator[None]:
    """Give a stage of torch's networks its threads, see :func:`for_networks`; also a decorator.

    The linear algebra of NumPy beside them, front ends and bookkeeping, is small and gets one.
    """
    with limited(networks=for_networks()):
        yield


def keep_one() -> None:
    """Limit a worker process to one thread for good: there are as many workers as cores."""
    from threadpoolctl import threadpool_limits

    ask(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # for what is loaded later
    threadpool_limits(1)
