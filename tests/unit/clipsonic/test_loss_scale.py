"""The factor on the loss in fp16: torch.amp's own rule, steps that overflow are left out, and it survives a kill."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from unit.clipsonic.test_loop import CONFIG, Quadratic
from unit.clipsonic.test_training_threads import Telling

from clipsonic.training import loop, loss_scale
from clipsonic.training.loss_scale import LossScale
from clipsonic_eval.errors import UserError

FP16 = replace(CONFIG, precision="fp16", checkpoint_every=1)


def test_the_factor_follows_the_rule_of_torch_amp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_scale, "_INTERVAL", 5)
    theirs = torch.amp.GradScaler("cpu", growth_interval=5)
    ours = LossScale(on=True)
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.0)
    for finite in np.random.default_rng(0).random(200) < 0.9:
        weight.grad = torch.full((1,), 1.0 if finite else torch.inf)
        theirs.scale(torch.ones(1))  # the first call makes its state
        theirs.step(optimizer)
        theirs.update()
        assert ours.takes(finite=bool(finite))
        assert ours.factor == theirs.get_scale()


def test_without_fp16_the_factor_is_one_and_an_overflow_ends_the_run() -> None:
    scale = LossScale(on=False)
    assert all(scale.takes(finite=True) for _ in range(5000))
    assert scale.factor == 1
    assert not scale.takes(finite=False)


class Overflowing(Quadratic):
    """A loss whose gradient overflows at some steps."""

    def __init__(self, *steps: int) -> None:
        super().__init__(start=2.9)
        self.steps = steps

    def loss(self, network: loop.Network, step: int, rows: slice) -> torch.Tensor:
        loss = (network(torch.ones(1, 1)).float() - 3).square().mean() / 2
        return loss * torch.inf if step in self.steps else loss


def test_a_step_whose_gradient_overflows_is_left_out(tmp_path: Path) -> None:
    some = Overflowing(2, 3)
    result = loop.run(some, FP16, tmp_path / "some", identity="x")
    assert result["steps"] == 6
    assert np.isfinite(result["loss"])
    state = json.loads((tmp_path / "some" / "checkpoint" / "state.json").read_text())
    assert state["loss_scale"] == [2.0**14, 2]
    fewer = Overflowing()
    loop.run(fewer, replace(FP16, steps=4, ema=0.0), tmp_path / "fewer", identity="x")
    same = Overflowing(2, 3)
    loop.run(same, replace(FP16, ema=0.0), tmp_path / "same", identity="x")
    assert torch.equal(same.module.weight, fewer.module.weight)


def test_a_gradient_that_always_overflows_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="diverged at step 30"):
        loop.run(Overflowing(*range(99)), replace(FP16, steps=99), tmp_path, identity="x")


def test_a_killed_run_goes_on_with_its_factor(tmp_path: Path) -> None:
    whole = Overflowing(1, 4)
    loop.run(whole, FP16, tmp_path / "whole", identity="x")
    with pytest.raises(KeyboardInterrupt):
        loop.run(Overflowing(1, 4), FP16, tmp_path / "pieces", identity="x", progress=Telling(stop_at=3))
    pieces = Overflowing(1, 4)
    loop.run(pieces, FP16, tmp_path / "pieces", identity="x")
    assert torch.equal(whole.module.weight, pieces.module.weight)
    states = [json.loads((tmp_path / name / "checkpoint" / "state.json").read_text()) for name in ("whole", "pieces")]
    assert states[0]["loss_scale"] == states[1]["loss_scale"] == [2.0**14, 1]
