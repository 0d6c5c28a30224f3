"""Checkpoints: what is damaged is named and not used, the last good one is, and nothing half-written ever."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

import pytest
import torch

from clipsonic.training import checkpoint
from clipsonic.training.config import TrainConfig
from clipsonic.training.optimizers import make_optimizers
from clipsonic_eval.errors import UserError


def flip(path: Path, n: int = 400) -> None:
    """Flip one bit in ``n`` bytes in the middle of a file; its length and its header stay."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    for i in range(middle, min(middle + n, len(data))):
        data[i] ^= 0x04
    path.write_bytes(data)


def save(folder: Path, step: int, identity: str = "x") -> None:
    net = torch.nn.Linear(64, 64)
    with torch.no_grad():
        net.weight.fill_(step)
    weights, optimizers = make_optimizers(net, TrainConfig(precision="fp32"))
    state = checkpoint.Checkpoint(identity, step, 0.5, [{"step": step, "loss": 0.25, "val_loss": math.inf}])
    checkpoint.write(folder, state, weights, optimizers, torch.zeros(2))


def test_the_newest_is_taken_and_the_one_before_it_kept(tmp_path: Path) -> None:
    assert checkpoint.read(tmp_path, "x") is None
    for step in (10, 20, 30):
        save(tmp_path, step)
    found = checkpoint.read(tmp_path, "x")
    assert found is not None
    assert (found.step, float(found.tensors["model.weight"][0, 0])) == (30, 30.0)
    assert found.log == [{"step": 30, "loss": 0.25, "val_loss": math.inf}]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint", "checkpoint.earlier"]
    checkpoint.remove(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["state.safetensors", "state.json", "SHA256SUMS"])
def test_a_damaged_newest_is_named_and_the_last_good_one_taken(tmp_path: Path, name: str) -> None:
    for step in (10, 20):
        save(tmp_path, step)
    flip(tmp_path / "checkpoint" / name, 400 if name.endswith("safetensors") else 1)
    told: list[str] = []
    found = checkpoint.read(tmp_path, "x", note=told.append)
    assert found is not None
    assert (found.step, float(found.tensors["model.weight"][0, 0])) == (10, 10.0)
    assert len(told) == 1
    assert str(tmp_path / "checkpoint") in told[0]
    assert name in told[0]
    assert told[0].endswith("going on from the checkpoint before it, step 10")
    save(tmp_path, 20)
    flip(tmp_path / "checkpoint" / "state.safetensors")
    again = checkpoint.read(tmp_path, "x")  # the good one was not pushed out by the damaged one
    assert again is not None
    assert again.step == 10


def test_without_a_good_one_the_run_is_refused(tmp_path: Path) -> None:
    save(tmp_path, 10)
    flip(tmp_path / "checkpoint" / "state.safetensors")
    with pytest.raises(UserError, match=r"state.safetensors: its SHA-256 is .* no other good checkpoint; remove"):
        checkpoint.read(tmp_path, "x")


@pytest.mark.parametrize("moment", [0, 1, 2])
def test_a_kill_between_the_renames_leaves_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    for step in (10, 20):
        save(tmp_path, step)
    real, calls = os.replace, []

    def killed(a: Path, b: Path) -> None:
        if len(calls) == moment:
            raise KeyboardInterrupt
        calls.append(a)
        real(a, b)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, 30)
    monkeypatch.undo()
    (tmp_path / ".checkpoint.1.abc").mkdir()  # what a kill in the middle of writing leaves
    (tmp_path / ".checkpoint.1.abc" / "state.json").write_text("{")
    told: list[str] = []
    found = checkpoint.read(tmp_path, "x", note=told.append)
    assert found is not None
    assert (found.step, told) == (20, [])
    save(tmp_path, 30)
    assert not list(tmp_path.glob(".*"))


def test_only_the_earlier_one_being_there_is_enough(tmp_path: Path) -> None:
    for step in (10, 20):
        save(tmp_path, step)
    shutil.rmtree(tmp_path / "checkpoint")
    found = checkpoint.read(tmp_path, "x")
    assert found is not None
    assert found.step == 10
