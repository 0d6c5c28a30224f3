"""The commands that the fault runs disturb, and what must be equal in their output folders."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from clipsonic_eval.toyworld.write import WorldConfig, write_world

VIDEOS, QUERIES = 24, 12
_TRAINING = """
trainer: clipsonic.training.audio:train
condition: {kind: image, encoder: toy-clip}
network: {name: unet2d, options: {channels: [8, 8], embedding: 8}}
train: {steps: 60, batch_size: 4, warmup: 2, validation: 2, checkpoint_every: 5, log_every: 5, validate_every: 20}
"""


class Job(NamedTuple):
    """A command: its name, its words after ``clipsonic-eval``, and what its result is, from the output folder."""

    name: str
    words: Callable[[Path, Path], list[object]]  # (folder of the inputs, output folder)
    result: Callable[[Path], dict[str, str]]


def make_inputs(top: Path) -> None:
    """Write what the commands read: a small toy world, its clips, a model and its wavs."""
    sizes = dict.fromkeys(("pictures", "pairs", "val", "val_reference"), 0)
    write_world(WorldConfig(videos=VIDEOS, test=QUERIES, reference=VIDEOS, workers=1, **sizes), top / "world")
    (top / "train.yaml").write_text(_TRAINING)
    for job, folder in ((PREPARE, "clips"), (TRAIN, "model"), (SAMPLE, "wavs")):
        process = start(job, top, top / folder)
        said = process.communicate()[1]
        if process.returncode:
            raise RuntimeError(f"{job.name} without any fault ended with {process.returncode}: {said[-500:]}")


def start(job: Job, inputs: Path, out: Path, **options: Any) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, with one thread so that trainings can be compared.

    Workers of Ray run at the priority of others: at their usual one, a busy machine would let them wait for minutes.
    """
    words = [sys.executable, "-m", "clipsonic_eval", *map(str, job.words(inputs, out))]
    path = os.pathsep.join(folder for folder in sys.path if folder)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0", "PYTHONPATH": path}
    return subprocess.Popen(
        words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        **options,
    )  # fmt: skip


def _files(pattern: str) -> Callable[[Path], dict[str, str]]:
    def hashes(out: Path) -> dict[str, str]:
        found = (path for path in out.rglob(pattern) if path.is_file() and not path.name.startswith("."))
        return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(found)}

    return hashes


def _shards(out: Path) -> dict[str, str]:
    return {**_files("*.arrow")(out), "content": json.loads((out / "clips.json").read_text())["content_hash"]}


def _record(out: Path) -> dict[str, str]:
    record = json.loads((out / "record.json").read_text())
    return {name: json.dumps(record[name], sort_keys=True) for name in ("scores", "comparisons", "skipped", "findings")}


def _prepare(engine: str) -> Callable[[Path, Path], list[object]]:
    def words(top: Path, out: Path) -> list[object]:
        settings = ["--set", "shard_size=2", "--set", "duration_s=0.96", "--workers", 2, "--engine", engine]
        return ["prepare", top / "world/videos", "--out", out, *settings]

    return words


def _train(top: Path, out: Path) -> list[object]:
    return ["train", top / "train.yaml", "--set", f"clips={top / 'clips'}", "--out", out]


def _sample(top: Path, out: Path) -> list[object]:
    settings = ["--set", f"model={top / 'model'}", "--set", "steps=4", "--batch-size", 2]
    return ["sample", "clipsonic.systems:ZeroShot", *settings, "--queries", top / "world/test.csv", "--out", out]


def _evaluate(top: Path, out: Path) -> list[object]:
    return [
        "evaluate", "--system", f"ZS={top / 'wavs'}", "--reference", top / "world/reference", "--out", out,
        "--cache", out.with_name("cache"), "--set", "batch_size=4",
    ]  # fmt: skip


PREPARE = Job("prepare", _prepare("local"), _shards)
PREPARE_ON_RAY = Job("prepare --engine ray", _prepare("ray"), _shards)
TRAIN = Job("train", _train, _files("*.safetensors"))
SAMPLE = Job("sample", _sample, _files("*.wav"))
EVALUATE = Job("evaluate", _evaluate, _record)
