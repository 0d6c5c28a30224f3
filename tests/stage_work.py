"""Work of stages for tests: functions that another process can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import Progress


def write_time(path: Path, seconds: float, progress: Progress) -> None:
    """Write the times of start and end of a stage, which lasts so many seconds."""
    started = time.monotonic()
    for _ in progress.track(range(1), label="wait"):
        time.sleep(seconds)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{started} {time.monotonic()} {os.getpid()}")


def die(progress: Progress) -> None:
    """Be killed."""
    del progress
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(progress: Progress) -> None:
    """Fail as a user's mistake does."""
    del progress
    raise UserError("a.csv: no column key; name it")


def break_down(progress: Progress) -> None:
    """Fail as a fault of ours does."""
    del progress
    raise ZeroDivisionError("by zero")


def fill_the_disk(progress: object) -> None:
    """Fail as a library does where the disk is full."""
    raise OSError("Error writing bytes to file. Detail: [errno 28] No space left on device")
