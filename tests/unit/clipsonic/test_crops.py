"""Random crops: which frames a step sees, that they are in the sound, and what a model trained on them generates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from unit.clipsonic.fakes import FakeStore

from clipsonic.mel import MelConfig
from clipsonic.model import MelDiffusion
from clipsonic.training.audio import train_on
from clipsonic.training.config import AudioTrainingConfig
from clipsonic.training.crops import Crops
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError

MEL = MelConfig()
SECOND = 16000
ROWS = torch.arange(40)


def store(valid_s: float = 2.0) -> Any:
    found = FakeStore(n=40, n_samples=2 * SECOND)
    found.valid_s = np.full(40, valid_s)
    return found


def config(**tree: Any) -> AudioTrainingConfig:
    options = {"channels": [16, 24], "embedding": 16, "groups": 4, "heads": 2}
    settings = {"steps": 3, "batch_size": 8, "precision": "fp32"}
    return resolve(AudioTrainingConfig, {"clips": "x", "network": {"options": options}, "train": settings, **tree})


def test_a_crop_is_the_stretch_of_the_log_mel_from_its_first_frame_on() -> None:
    crops = Crops(store(), MEL, 0.5, seed=0)
    assert crops.frames == 50
    mels = torch.randn(3, 64, 200, generator=torch.Generator().manual_seed(0))
    found = crops.cut(mels, torch.tensor([0, 17, 150]))
    for crop, mel, start in zip(found, mels, (0, 17, 150), strict=True):
        assert torch.equal(crop, mel[:, start : start + 50])


def test_crops_are_uniform_over_the_sound_and_leave_out_the_zeros_after_it() -> None:
    crops = Crops(store(valid_s=0.9), MEL, 0.5, seed=0)  # 90 frames of sound: starts from 0 to 40
    starts = torch.cat([crops.starts(ROWS, step) for step in range(500)])
    counts = torch.bincount(starts, minlength=41).double()
    assert len(counts) == 41
    expected = len(starts) / 41  # chi-square with 40 degrees of freedom: 73 is exceeded once in a thousand
    assert float(((counts - expected) ** 2 / expected).sum()) < 73


def test_sound_shorter_than_a_crop_is_taken_from_its_beginning() -> None:
    crops = Crops(store(valid_s=0.3), MEL, 0.5, seed=0)
    assert crops.starts(ROWS, 7).tolist() == crops.middle(ROWS).tolist() == [0] * 40


def test_crops_follow_from_seed_and_step_alone() -> None:
    def starts(seed: int, step: int) -> list[int]:
        found: list[int] = Crops(store(), MEL, 0.5, seed).starts(ROWS, step).tolist()
        return found

    assert starts(0, 3) == starts(0, 3)
    assert starts(0, 3) != starts(0, 4)
    assert starts(0, 3) != starts(1, 3)


def test_validation_sees_the_middle_of_the_sound() -> None:
    assert Crops(store(valid_s=1.5), MEL, 0.5, seed=0).middle(ROWS).tolist() == [50] * 40


def test_without_crops_whole_clips_are_seen() -> None:
    crops = Crops(store(valid_s=0.2), MEL, None, seed=0)
    mels = torch.randn(3, 64, 200)
    assert crops.frames == 200
    assert crops.cut(mels, crops.starts(torch.arange(3), 0)) is mels


def test_a_model_trained_on_crops_generates_their_length(tmp_path: Path) -> None:
    model = MelDiffusion.load(train_on(store(), config(crop_s=0.64), tmp_path / "m"))
    assert model.generate_mel(np.eye(16)[:1], [1], steps=2).shape == (1, 64, 64)
    runs = [tmp_path / "memory", tmp_path / "fly"]
    cards = []
    for folder, megabytes in zip(runs, (64, 0), strict=True):
        out = train_on(store(), config(crop_s=0.64, mel_cache_mb=megabytes), folder)
        cards.append((out / "network" / "diffusion_pytorch_model.safetensors").read_bytes())
    assert cards[0] == cards[1]


@pytest.mark.parametrize(
    ("seconds", "message"),
    [(2.5, r"crop_s: 2\.5 seconds are more than the clips have \(2\)"), (0.0, "above 0 seconds")],
)
def test_crops_that_cannot_be_are_refused_before_any_work(seconds: float, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        train_on(store(), config(crop_s=seconds), tmp_path / "m")
    assert not (tmp_path / "m").exists()
