"""Learned loss weighting: known losses, whose gradient is divided by what, and through a whole training."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn
from unit.clipsonic.fakes import FakeStore
from unit.clipsonic.test_tasks import ALL, audio_task
from unit.clipsonic.test_training import KilledAt, _config

from clipsonic.model import MelDiffusion
from clipsonic.training.audio import train_on
from clipsonic.training.config import AudioTrainingConfig
from clipsonic.training.loss_weighting import WithExpectedLoss, weighted
from clipsonic_eval.cli import main

T = 1000
LEARNED = {"diffusion": {"weighting": "learned"}}


class Scale(nn.Module):
    """A network of one weight, which also takes the condition and what is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: torch.Tensor, t: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return self.weight * x


def known_loss(t: torch.Tensor) -> torch.Tensor:
    """A loss of each noise level, over a factor of 50."""
    u = t / T
    return 0.02 + (1 - u) ** 4 + 0.1 * u


def test_for_known_losses_the_weights_tend_to_their_inverse() -> None:
    made, generator = WithExpectedLoss(Scale(), T), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW([made.coefficients], lr=0.02)
    for step in range(1500):
        for group in optimizer.param_groups:
            group["lr"] = 0.02 * (1 - step / 1500)
        t = torch.randint(T, (64,), generator=generator)
        losses = known_loss(t) * torch.empty(64).exponential_(generator=generator)  # their mean is the known loss
        optimizer.zero_grad()
        weighted(losses, made.log_loss(t)).mean().backward()
        optimizer.step()
    t = torch.arange(0, T, 10)
    weights = (-made.log_loss(t)).exp().detach()
    assert float((weights * known_loss(t) - 1).abs().max()) < 0.25
    assert float((weights * known_loss(t) - 1).abs().mean()) < 0.08


def test_the_sum_is_least_where_u_is_the_logarithm_of_the_loss() -> None:
    losses = torch.tensor([0.05, 0.4, 3.0])
    u = losses.log().requires_grad_()
    weighted(losses, u).sum().backward()
    assert torch.allclose(u.grad, torch.zeros(3), atol=1e-6)  # type: ignore[arg-type]
    for shift in (-0.2, 0.2):
        assert bool((weighted(losses, losses.log() + shift) > weighted(losses, losses.log())).all())


def test_the_gradient_of_the_network_is_divided_by_the_expected_loss() -> None:
    made, x, t = WithExpectedLoss(Scale(), T), torch.randn(1, 3, 4), torch.tensor([700])
    with torch.no_grad():
        made.coefficients.copy_(0.1 * torch.randn(len(made.coefficients), generator=torch.Generator().manual_seed(0)))
    predicted, log_loss = made(x, t)
    weighted((predicted - 1).square().mean()[None], log_loss).mean().backward()
    found = made.network.weight.grad.clone()
    made.network.weight.grad = None
    (made.network(x, t) - 1).square().mean().backward()
    assert abs(float(log_loss.detach())) > 0.1
    assert torch.allclose(found, made.network.weight.grad / log_loss.detach().exp(), rtol=1e-5)


def task(**config: Any) -> Any:
    made = audio_task(**config)
    if isinstance(made.module, WithExpectedLoss):
        made.module.network = made.network = Scale()
    else:
        made.module = made.network = Scale()
    return made


def test_a_training_begins_with_the_plain_loss_and_validates_by_it() -> None:
    plain, learned = task(), task(**LEARNED)
    with torch.no_grad():
        loss, start = plain.loss(plain.module, 1, ALL), learned.loss(learned.module, 1, ALL)
        assert float(start) == pytest.approx(float(loss))
        learned.module.coefficients.fill_(0.1)
        assert float(learned.loss(learned.module, 1, ALL)) != pytest.approx(float(loss))
        assert learned.validation_loss(learned.module) == pytest.approx(plain.validation_loss(plain.module))
    assert torch.allclose(learned.by_level.totals, 2 * plain.by_level.totals)  # of plain losses, counted twice


def config(**train: Any) -> AudioTrainingConfig:
    made = _config()
    diffusion = dataclasses.replace(made.diffusion, weighting="learned")
    return dataclasses.replace(made, diffusion=diffusion, train=dataclasses.replace(made.train, **train))


def test_a_model_holds_the_network_alone_and_a_killed_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    store: Any = FakeStore()
    whole = MelDiffusion.load(train_on(store, config(checkpoint_every=2), tmp_path / "whole"))
    assert not any("coefficients" in name for name, _ in whole.network.named_parameters())
    with pytest.raises(KeyboardInterrupt):
        train_on(store, config(checkpoint_every=2), tmp_path / "parts", progress=KilledAt(5))
    parts = MelDiffusion.load(train_on(store, config(checkpoint_every=2), tmp_path / "parts"))
    for name, value in whole.network.state_dict().items():
        assert torch.equal(parts.network.state_dict()[name], value), name


def test_averages_of_another_length_are_models_without_the_expected_loss(tmp_path: Path) -> None:
    store: Any = FakeStore()
    folder = train_on(store, config(ema_lengths=(0.1, 0.2), ema_every=2), tmp_path / "model")
    ran = CliRunner().invoke(main, ["ema", str(folder), "--length", "0.15", "--out", str(tmp_path / "ema")])
    assert ran.exit_code == 0, ran.output
    made = MelDiffusion.load(tmp_path / "ema" / "ema-0.15")
    assert not any("coefficients" in name for name, _ in made.network.named_parameters())
