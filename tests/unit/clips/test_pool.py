"""A file that kills the process that decodes it costs only itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsonic_eval.clips._decoding import DecodeTask, decode
from clipsonic_eval.clips._pool import Decoders
from clipsonic_eval.clips.prepare_config import PrepareConfig
from clipsonic_eval.datasets import SourceItem
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.media.encode import write_video


class Deadly(str):
    """A text that ends the process that receives it, as the kernel ends one that takes too much memory."""

    __slots__ = ()

    def __reduce__(self) -> Any:
        return os._exit, (137,)


def test_a_worker_that_is_killed_is_replaced_and_its_file_skipped(tmp_path: Path) -> None:
    config = PrepareConfig(duration_s=0.5, image_encoder=None)
    tasks = []
    for i in range(4):
        path = tmp_path / f"{i}.wav"
        write_wav(path, np.full(16000, 0.25, np.float32), 16000)
        prompt = Deadly() if i == 1 else f"sound {i}"
        tasks.append(DecodeTask(i, SourceItem(str(i), path, prompt=prompt), config))
    with Decoders(2) as decoders:
        results = list(decoders.run(tasks))
    assert [task.item.key for task, _ in results] == ["0", "1", "2", "3"]
    assert [len(decoded.clips) for _, decoded in results] == [1, 0, 1, 1]
    (skip,) = results[1][1].skipped
    assert (skip.key, skip.reason) == ("1", "the decoder crashed on it, twice")


@pytest.mark.parametrize(
    ("frames", "seconds", "windows"), [(0, 1800.0, 16), (1, 1800.0, 3), (3, 1800.0, 1), (0, 2.0, 4)]
)
def test_large_frames_and_long_windows_are_decoded_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int, seconds: float, windows: int
) -> None:
    from clipsonic_eval.clips import _decoding

    monkeypatch.setattr(_decoding, "MAX_PIXELS", 3 * 64 * 64)  # as if frames of 64 x 64 were nearly of 8K
    monkeypatch.setattr(_decoding, "_MAX_SECONDS", seconds)
    path = tmp_path / "a.mp4"
    tone = (0.3 * np.sin(np.arange(16000 * 10) / 5)).astype(np.float32)
    write_video(path, np.zeros((10, 64, 64, 3), np.uint8), 1, tone, 16000)
    encoder = "toy-clip" if frames else None
    config = PrepareConfig(
        duration_s=0.5, image_encoder=encoder, frames_per_clip=max(1, frames), window="all", min_s=0.1
    )
    found = decode(DecodeTask(0, SourceItem("a", path), config))
    assert found.next_window == windows
    assert all(len(clip.frames) == frames for clip in found.clips)
    assert len(found.clips) == windows
