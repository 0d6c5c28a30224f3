"""What TensorBoard's own reader finds in the files that a training wrote: numbers, sounds and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from clipsonic.training.config import TrainConfig
from clipsonic.training.observers import Sight
from clipsonic.training.trackers import FOLDER, opened
from clipsonic_eval.media.audio import write_wav

SIZES = {"scalars": 0, "audio": 0, "images": 0}  # keep all


def test_rows_sounds_and_pictures_come_back(tmp_path: Path) -> None:
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)).astype(np.float32)
    write_wav(tmp_path / "dog.wav", tone, 16000)
    notes: list[str] = []
    config = TrainConfig(trackers=("tensorboard",), project="run")
    with opened(config, tmp_path, {"train": {"steps": 8, "betas": [0.9, 0.99]}}, note=notes.append) as trackers:
        for step in (3, 6):
            trackers[0].told(step, Sight({"train/loss": 1 / step}, {}))
        trackers[0].told(6, Sight({"val/fad": 2.5}, {"samples/dog": tmp_path / "dog.wav"}))
    assert notes == []
    found = EventAccumulator(str(tmp_path / FOLDER / "run"), size_guidance=SIZES).Reload()
    assert [(row.step, row.value) for row in found.Scalars("train/loss")] == [
        (step, pytest.approx(1 / step)) for step in (3, 6)
    ]
    assert found.Scalars("val/fad")[0].value == 2.5
    (sound,) = found.Audio("samples/dog")
    assert (sound.step, sound.sample_rate, sound.length_frames) == (6, 16000, 16000)
    (name,) = found.Tags()["images"]
    assert name.startswith("samples/dog (log-mel)")
    (picture,) = found.Images(name)
    assert picture.height == 64
