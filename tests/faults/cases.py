"""Faults other than kills, one case each: what happened, and whether it is what should."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from faults.jobs import PREPARE, TRAIN, Job, start


class Outcome(NamedTuple):
    """What a case showed; ``ok`` is None where this machine cannot make the fault."""

    ok: bool | None
    text: str


def _run(job: Job, inputs: Path, out: Path) -> tuple[int, str]:
    process = start(job, inputs, out)
    text = process.communicate()[1]
    return process.returncode, text


def _sentence(text: str) -> str:
    lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    return lines[-1] if lines else ""


@contextlib.contextmanager
def _small_disk(folder: Path, options: str) -> Iterator[bool]:
    """Mount a file system of one MiB; yields whether that is allowed here."""
    folder.mkdir(parents=True)
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    mounted = (
        shutil.which("mount") is not None and subprocess.run(words, capture_output=True, check=False).returncode == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


def full_disk(inputs: Path, scratch: Path) -> Outcome:
    """A disk that fills while clips are prepared: one sentence, exit code 2, and later the same clips."""
    with _small_disk(scratch / "full", "size=1m") as mounted:
        if not mounted:
            return Outcome(None, "file systems cannot be mounted here")
        code, text = _run(PREPARE, inputs, scratch / "full/clips")
        said = code == 2 and "Traceback" not in text and "No space left" in text
        subprocess.run(["mount", "-o", "remount,size=64m", str(scratch / "full")], check=True)
        again, _ = _run(PREPARE, inputs, scratch / "full/clips")
        same = again == 0 and PREPARE.result(scratch / "full/clips") == PREPARE.result(inputs / "clips")
    return Outcome(said and same, _sentence(text))


def read_only_folder(inputs: Path, scratch: Path) -> Outcome:
    """A folder that cannot be written into is refused before the work begins."""
    with _small_disk(scratch / "fixed", "ro") as mounted:
        if not mounted:
            return Outcome(None, "file systems cannot be mounted here")
        code, text = _run(PREPARE, inputs, scratch / "fixed/clips")
    return Outcome(code == 2 and "Traceback" not in text, _sentence(text))


def damaged_shard(inputs: Path, scratch: Path) -> Outcome:
    """A flipped byte in a shard is found, said and mended by the same command."""
    out = scratch / "clips"
    shutil.copytree(inputs / "clips", out)
    _flip(sorted(out.glob("shards/*.arrow"))[1])
    code, text = _run(PREPARE, inputs, out)
    same = PREPARE.result(out) == PREPARE.result(inputs / "clips")
    said = next((line for line in text.splitlines() if "damaged" in line), "")
    return Outcome(code == 0 and same and bool(said), said.replace(str(scratch), "…"))


def damaged_checkpoint(inputs: Path, scratch: Path) -> Outcome:
    """A training goes back to the checkpoint before a damaged one, says so, and ends with the same weights."""
    out = scratch / "model"
    process = start(TRAIN, inputs, out)
    while process.poll() is None and not (out / "checkpoint.earlier").is_dir():
        time.sleep(0.01)
    process.kill()
    process.communicate()
    if not (out / "checkpoint/state.safetensors").is_file():
        return Outcome(None, "the training ended before it could be disturbed")
    _flip(out / "checkpoint/state.safetensors")
    code, text = _run(TRAIN, inputs, out)
    said = next((line for line in text.splitlines() if "going on from the checkpoint before it" in line), "")
    same = TRAIN.result(out) == TRAIN.result(inputs / "model")
    return Outcome(code == 0 and same and bool(said), said.replace(str(scratch), "…"))


def changed_settings(inputs: Path, scratch: Path) -> Outcome:
    """Other settings in a folder that holds a run are refused with the difference, and nothing is touched."""
    out = scratch / "clips"
    shutil.copytree(inputs / "clips", out)
    other = PREPARE._replace(words=lambda top, folder: [*PREPARE.words(top, folder), "--set", "duration_s=0.5"])
    code, text = _run(other, inputs, out)
    kept = PREPARE.result(out) == PREPARE.result(inputs / "clips")
    ok = code == 2 and kept and "config.duration_s: 0.96 → 0.5" in text
    return Outcome(ok, _sentence(text).replace(str(scratch), "…"))


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


CASES: dict[str, Callable[[Path, Path], Outcome]] = {
    "disk full during prepare": full_disk,
    "read-only output folder": read_only_folder,
    "flipped byte in a shard": damaged_shard,
    "flipped byte in a checkpoint": damaged_checkpoint,
    "changed settings on resume": changed_settings,
}
