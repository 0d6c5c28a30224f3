"""The commands that the fault runs disturb, and what must be equal in their output folders."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from clipsonic_eval.toyworld.write import WorldConfig, write_world

VIDEOS, QUERIES = 24, 12
_TRAINING = """
trainer: clipsonic.training.audio:train
condition: {kind: image, encoder: toy-clip}
network: {name: unet2d, options: {channels: [8, 8], embedding: 8}}
train: {steps: 60, batch_size: 4, warmup: 2, validation: 2, checkpoint_every: 5, log_every: 5, validate_every: 20}
"""


class Job(NamedTuple):
    """A command.

    Attributes:
        name: its own.
        words: after ``clipsonic-eval``, given the folder of the inputs and the output folder.
        result: what must be equal, from the output folder.
        starts: the processes that it starts, in words; "" for none.
        launched: processes of torchrun that run it; 0: it runs alone.
    """

    name: str
    words: Callable[[Path, Path], list[object]]
    result: Callable[[Path], dict[str, str]]
    starts: str = ""
    launched: int = 0


def make_inputs(top: Path) -> None:
    """Write what the commands read: a small toy world, its clips, a model, its wavs and their scores."""
    sizes = dict.fromkeys(("pictures", "pairs", "val", "val_reference"), 0)
    write_world(WorldConfig(videos=VIDEOS, test=QUERIES, reference=VIDEOS, workers=1, **sizes), top / "world")
    (top / "train.yaml").write_text(_TRAINING)
    for job, folder in ((PREPARE, "clips"), (TRAIN, "model"), (SAMPLE, "wavs"), (EVALUATE, "run"), (REPORT, "report")):
        code, said = finished(job, top, top / folder)
        if code:
            raise RuntimeError(f"{job.name} without any fault ended with {code}: {said[-500:]}")


def start(job: Job, inputs: Path, out: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, with one thread so that trainings can be compared.

    Workers of Ray run at the priority of others: at their usual one, a busy machine would let them wait for minutes.

    Args:
        job: the command.
        inputs: folder of the inputs.
        out: output folder.
        log: file that takes what it says on stderr, and what the processes below it say.
    """
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={job.launched}"]
    words = [*(torchrun if job.launched else []), "-m", "clipsonic_eval", *map(str, job.words(inputs, out))]
    path = os.pathsep.join(folder for folder in sys.path if folder)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0", "PYTHONPATH": path}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, *words], env=environment, stdout=subprocess.DEVNULL, stderr=stream, start_new_session=True
        )


def finished(job: Job, inputs: Path, out: Path) -> tuple[int, str]:
    """Run a command to its end; return its exit code and what it said."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        code = start(job, inputs, out, log).wait()
        return code, log.read_text(encoding="utf-8", errors="replace")


def _files(*patterns: str) -> Callable[[Path], dict[str, str]]:
    def hashes(out: Path) -> dict[str, str]:
        found = (path for pattern in patterns for path in out.rglob(pattern))
        plain = sorted(path for path in found if path.is_file() and not path.name.startswith("."))
        return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in plain}

    return hashes


def _shards(out: Path) -> dict[str, str]:
    return {**_files("*.arrow")(out), "content": json.loads((out / "clips.json").read_text())["content_hash"]}


def _record(out: Path) -> dict[str, str]:
    record = json.loads((out / "record.json").read_text())
    return {name: json.dumps(record[name], sort_keys=True) for name in ("scores", "comparisons", "skipped", "findings")}


def _cached(out: Path) -> dict[str, str]:
    """Return the vectors of every clip in a cache, whatever shard holds them, and the statistics of all."""
    found: dict[str, str] = {}
    for index in sorted(out.glob("*/*.npz")):
        arrays = np.load(index)
        rows = np.split(np.load(index.with_suffix(".npy")), np.cumsum(arrays["counts"])[:-1])
        for digest, vectors in zip(arrays["digests"].tolist(), rows, strict=True):
            value = hashlib.sha256(vectors.tobytes()).hexdigest()
            found[f"{index.parent.name}/{digest}"] = value
    with np.load(out.parent / "statistics.npz") as stored:
        return found | {name: hashlib.sha256(stored[name].tobytes()).hexdigest() for name in stored.files}


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


def _embed(top: Path, out: Path) -> list[object]:
    return [
        "embed", top / "wavs", top / "world/reference", "--encoder", "toy-audio", "--processes", 2, "--batch-size", 2,
        "--cache", out, "--statistics", out.with_name("statistics.npz"),
    ]  # fmt: skip


def _report(top: Path, out: Path) -> list[object]:
    return ["report", top / "run", "--out", out, "--command", "the same"]


PREPARE = Job("prepare", _prepare("local"), _shards, "decoders (--workers 2)")
PREPARE_ON_RAY = Job("prepare --engine ray", _prepare("ray"), _shards, "Ray's own and its workers")
TRAIN = Job("train", _train, _files("*.safetensors"))
TRAIN_BY_TWO = Job("torchrun train", _train, _files("*.safetensors"), "two that share each batch", 2)
TRAIN_DIVIDED = Job(
    "torchrun train, weights divided",
    lambda top, out: [*_train(top, out), "--set", "train.shard=weights"],
    _files("*.safetensors"),
    "two that share each batch and the weights",
    2,
)
SAMPLE = Job("sample", _sample, _files("*.wav", "samples.csv"))
SAMPLE_BY_TWO = Job("torchrun sample", _sample, _files("*.wav", "samples.csv"), "two that share the queries", 2)
EMBED = Job("embed --processes 2", _embed, _cached, "two that share the clips")
EVALUATE = Job("evaluate", _evaluate, _record)
REPORT = Job("report", _report, _files("*.md", "*.csv", "*.tex", "*.svg", "*.png"))
