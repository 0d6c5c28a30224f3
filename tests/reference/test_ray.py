"""`prepare --engine ray` on a real cluster of two nodes: workers, a node and the driver are killed, the bytes stay."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray_cluster

from clipsonic_eval.clips import PrepareConfig, prepare
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.media.encode import write_video

RATE = 16000
WORDS = ["--set", "duration_s=0.5", "--set", "shard_size=3"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    frames = np.stack([np.full((48, 48, 3), 40 * k, np.uint8) for k in range(5)])
    for k in range(24):
        tone = (0.5 * np.sin(2 * np.pi * (300 + 20 * k) * np.arange(RATE) / RATE)).astype(np.float32)
        write_video(folder / f"v{k:02d}.mp4", frames, 5, tone, RATE)
    (folder / "v05.mp4").write_text("no video")
    write_wav(folder / "sound.wav", np.full(RATE, 0.25, np.float32), RATE)
    return folder


@pytest.fixture(scope="module")
def alone(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("alone")
    prepare(videos, out, PrepareConfig(duration_s=0.5, shard_size=3, workers=0))
    return shards(out)


@pytest.fixture
def two() -> Iterator[Any]:
    with ray_cluster.cluster() as cluster:
        yield cluster


def shards(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "shards").glob("*.*") if not path.name.startswith(".")}


def command(videos: Path, out: Path) -> subprocess.Popen[str]:
    words = ["-m", "clipsonic_eval", "prepare", str(videos), "--out", str(out), "--engine", "ray", *WORDS]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen([sys.executable, *words], env=environment, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said = process.communicate(timeout=500)[1]
    return process.returncode, said


def when(there: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not there() and process.poll() is None:
        time.sleep(0.05)


def complete(out: Path) -> int:
    return len(list((out / "shards").glob("[0-9]*.json"))) if (out / "shards").is_dir() else 0


def test_killed_workers_and_a_killed_node_change_no_byte(
    videos: Path, alone: dict[str, bytes], tmp_path: Path, two: Any
) -> None:
    process = command(videos, tmp_path / "clips")
    for n in (1, 2):
        when(lambda n=n: complete(tmp_path / "clips") >= n and bool(ray_cluster.workers(two)), process)
        for pid in ray_cluster.workers(two):
            ray_cluster.kill(pid)
    when(lambda: complete(tmp_path / "clips") >= 4, process)
    ray_cluster.kill(ray_cluster.raylets(two)[-1])
    code, said = ended(process)
    assert code == 3, said  # one file is no video
    assert shards(tmp_path / "clips") == alone


def test_a_killed_driver_is_followed_by_the_same_command(
    videos: Path, alone: dict[str, bytes], tmp_path: Path, two: Any
) -> None:
    del two
    process = command(videos, tmp_path / "clips")
    when(lambda: complete(tmp_path / "clips") >= 2, process)
    process.kill()
    ended(process)
    code, said = ended(command(videos, tmp_path / "clips"))
    assert code == 3, said
    assert shards(tmp_path / "clips") == alone
