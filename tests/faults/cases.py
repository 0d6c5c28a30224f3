"""Faults other than kills, one case each: what happened, and whether it is what should."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from faults.jobs import EVALUATE, PREPARE, REPORT, SAMPLE, TRAIN, Job, finished, start
from faults.kills import traceback_in

_DONE = {PREPARE: "clips", TRAIN: "model", SAMPLE: "wavs", EVALUATE: "run", REPORT: "report"}  # among the inputs
_DISK = 64 * 2**20


class Outcome(NamedTuple):
    """What a case showed; ``ok`` is None where this machine cannot make the fault."""

    ok: bool | None
    text: str


_Case = Callable[[Path, Path], Outcome]


def _sentence(text: str, words: str = "") -> str:
    """Return the last line that holds some words; "" without one."""
    lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip() and words in line]
    return lines[-1] if lines else ""


@contextlib.contextmanager
def _small_disk(folder: Path, options: str) -> Iterator[bool]:
    """Mount a small file system; yields whether that is allowed here."""
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


def _full_disk(job: Job) -> _Case:
    """A disk with room for half of the result: one sentence, exit code 2, and later the same result."""

    def case(inputs: Path, scratch: Path) -> Outcome:
        disk, done = scratch / "full", inputs / _DONE[job]
        with _small_disk(disk, f"size={_DISK}") as mounted:
            if not mounted:
                return Outcome(None, "file systems cannot be mounted here")
            size = sum(path.stat().st_size for path in done.rglob("*") if path.is_file())
            (disk / "ballast").write_bytes(bytes(_DISK - size // 2))
            code, text = finished(job, inputs, disk / "out")
            said = code == 2 and not traceback_in(text) and "No space left" in text
            (disk / "ballast").unlink()
            again, _ = finished(job, inputs, disk / "out")
            same = again == 0 and job.result(disk / "out") == job.result(done)
        return Outcome(said and same, _sentence(text))

    return case


def _read_only(job: Job) -> _Case:
    """A folder that cannot be written into is refused before the work begins."""

    def case(inputs: Path, scratch: Path) -> Outcome:
        with _small_disk(scratch / "fixed", "ro") as mounted:
            if not mounted:
                return Outcome(None, "file systems cannot be mounted here")
            code, text = finished(job, inputs, scratch / "fixed/out")
        return Outcome(code == 2 and not traceback_in(text), _sentence(text))

    return case


def damaged_shard(inputs: Path, scratch: Path) -> Outcome:
    """A flipped byte in a shard is found, said and mended by the same command."""
    out = scratch / "clips"
    shutil.copytree(inputs / "clips", out)
    _flip(sorted(out.glob("shards/*.arrow"))[1])
    code, text = finished(PREPARE, inputs, out)
    same = PREPARE.result(out) == PREPARE.result(inputs / "clips")
    said = _sentence(text, "damaged")
    return Outcome(code == 0 and same and bool(said), said)


def damaged_checkpoint(inputs: Path, scratch: Path) -> Outcome:
    """A training goes back to the checkpoint before a damaged one, says so, and ends with the same weights."""
    out = scratch / "model"
    process = start(TRAIN, inputs, out, scratch / "first.log")
    while process.poll() is None and not (out / "checkpoint.earlier").is_dir():
        time.sleep(0.01)
    process.kill()
    process.wait()
    if not (out / "checkpoint/state.safetensors").is_file():
        return Outcome(None, "the training ended before it could be disturbed")
    _flip(out / "checkpoint/state.safetensors")
    code, text = finished(TRAIN, inputs, out)
    said = _sentence(text, "going on from the checkpoint before it")
    same = TRAIN.result(out) == TRAIN.result(inputs / "model")
    return Outcome(code == 0 and same and bool(said), said)


def _damaged_input(job: Job, name: str) -> _Case:
    """A flipped byte in what a command reads is refused in one sentence that names the file, or the clip in a shard."""

    def case(inputs: Path, scratch: Path) -> Outcome:
        top, file = _copied(inputs, scratch), Path(name)
        _flip(top / file)
        code, text = finished(job, top, scratch / "out")
        named = str(file) in text or "is damaged" in text
        return Outcome(code == 2 and not traceback_in(text) and named, _sentence(text))

    return case


def damaged_wav(inputs: Path, scratch: Path) -> Outcome:
    """A flipped byte in a wav leaves it out of the scores by name, and the exit code says so."""
    top = _copied(inputs, scratch)
    wav = sorted((top / "wavs").glob("*.wav"))[0]
    _flip(wav)
    code, _ = finished(EVALUATE, top, scratch / "out")
    skipped = json.loads((scratch / "out/record.json").read_text())["skipped"] if code == 3 else {}
    return Outcome(bool(skipped) and wav.stem in str(skipped), str(skipped))


def damaged_wav_again(inputs: Path, scratch: Path) -> Outcome:
    """The same ``sample`` makes a damaged wav again."""
    top = _copied(inputs, scratch)
    _flip(sorted((top / "wavs").glob("*.wav"))[0])
    code, _ = finished(SAMPLE, top, top / "wavs")
    return Outcome(code == 0 and SAMPLE.result(top / "wavs") == SAMPLE.result(inputs / "wavs"), "")


def damaged_cache(inputs: Path, scratch: Path) -> Outcome:
    """Damaged vectors in the cache are named, computed again, and the scores are the same."""
    shutil.copytree(inputs / "cache", scratch / "cache")
    for shard in sorted((scratch / "cache").glob("*/*.npy")):
        _flip(shard)
    code, text = finished(EVALUATE, inputs, scratch / "out")
    same = code == 0 and EVALUATE.result(scratch / "out") == EVALUATE.result(inputs / "run")
    said = _sentence(text, "embedded again")
    return Outcome(same and bool(said), said)


def changed_settings(inputs: Path, scratch: Path) -> Outcome:
    """Other settings in a folder that holds a run are refused with the difference, and nothing is touched."""
    out = scratch / "clips"
    shutil.copytree(inputs / "clips", out)
    other = PREPARE._replace(words=lambda top, folder: [*PREPARE.words(top, folder), "--set", "duration_s=0.5"])
    code, text = finished(other, inputs, out)
    kept = PREPARE.result(out) == PREPARE.result(inputs / "clips")
    ok = code == 2 and kept and "config.duration_s: 0.96 → 0.5" in text
    return Outcome(ok, _sentence(text))


def _copied(inputs: Path, scratch: Path) -> Path:
    shutil.copytree(inputs, scratch / "copy")
    return scratch / "copy"


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


_WEIGHTS, _CLIPS = "model/network/diffusion_pytorch_model.safetensors", "clips/shards/00001.arrow"
CASES: dict[str, _Case] = {
    **{f"disk full during {job.name}": _full_disk(job) for job in _DONE},
    **{f"read-only folder for {job.name}": _read_only(job) for job in _DONE},
    "flipped byte in a shard, prepared again": damaged_shard,
    "flipped byte in a shard, trained on": _damaged_input(TRAIN, _CLIPS),
    "flipped byte in a checkpoint": damaged_checkpoint,
    "flipped byte in a model, sampled": _damaged_input(SAMPLE, _WEIGHTS),
    "flipped byte in a wav, evaluated": damaged_wav,
    "flipped byte in a wav, sampled again": damaged_wav_again,
    "flipped byte in the cache, evaluated": damaged_cache,
    "flipped byte in a record, reported": _damaged_input(REPORT, "run/record.json"),
    "changed settings on resume": changed_settings,
}
