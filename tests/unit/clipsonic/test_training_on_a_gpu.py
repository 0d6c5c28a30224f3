"""Training on a GPU: every precision and way of execution takes the steps of the processor but for rounding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from unit.clipsonic.fakes import FakeStore
from unit.clipsonic.test_training import KilledAt

from clipsonic.model_folder import WEIGHTS
from clipsonic.training.audio import train_on
from clipsonic.training.config import AudioTrainingConfig
from clipsonic_eval.config import resolve

pytestmark = pytest.mark.gpu

NETWORKS = {
    "unet2d": {"channels": [16, 16], "embedding": 16, "groups": 4, "head_dim": 8},
    "unet2d-diffusers": {"channels": [16, 16], "groups": 4, "attention": 1, "head_dim": 8},
}


def config(device: str = "cuda", network: str = "unet2d", **train: Any) -> AudioTrainingConfig:
    settings = {"steps": 6, "batch_size": 8, "warmup": 2, "checkpoint_every": 2, "precision": "fp32", **train}
    tree = {"clips": "x", "device": device, "mel_cache_mb": 0, "train": settings}
    return resolve(AudioTrainingConfig, {**tree, "network": {"name": network, "options": NETWORKS[network]}})


def card(folder: Path, settings: AudioTrainingConfig) -> dict[str, Any]:
    out = train_on(FakeStore(), settings, folder)  # type: ignore[arg-type]
    found: dict[str, Any] = json.loads((out / "card.json").read_text())
    return found


@pytest.mark.parametrize(("precision", "off"), [("fp32", 1e-3), ("tf32", 5e-3), ("bf16", 3e-2), ("fp16", 1e-2)])
def test_a_precision_has_the_loss_of_float32_and_says_its_name(tmp_path: Path, precision: str, off: float) -> None:
    """The draws of a GPU are its own, so that all runs are on it."""
    exact, found = card(tmp_path / "a", config()), card(tmp_path / "b", config(precision=precision))
    assert found["precision"] == precision
    assert found["loss"] == pytest.approx(exact["loss"], rel=off)


@pytest.mark.parametrize(
    "train",
    [{"compile": True}, {"gradient_checkpointing": True}, {"gradient_accumulation": 2}, {"channels_last": True}],
)
def test_another_way_of_execution_has_the_same_loss(tmp_path: Path, train: dict[str, Any]) -> None:
    plain = card(tmp_path / "a", config(network="unet2d-diffusers"))
    assert card(tmp_path / "b", config(network="unet2d-diffusers", **train))["loss"] == pytest.approx(
        plain["loss"], rel=1e-3
    )


def test_a_killed_run_goes_on_to_nearly_the_same_weights(tmp_path: Path) -> None:
    whole = train_on(FakeStore(), config(precision="auto"), tmp_path / "whole")  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        train_on(FakeStore(), config(precision="auto"), tmp_path / "pieces", progress=KilledAt(3))  # type: ignore[arg-type]
    pieces = train_on(FakeStore(), config(precision="auto"), tmp_path / "pieces")  # type: ignore[arg-type]
    a, b = (load_file(folder / "network" / WEIGHTS) for folder in (whole, pieces))
    assert all(torch.allclose(a[k], b[k], atol=1e-3) for k in a)  # sums of a GPU have no fixed order
