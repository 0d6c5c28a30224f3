"""The parts of the training loop: learning rate, weight average, optimiser, log."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from clipsonic.training import loop
from clipsonic.training.config import TrainConfig
from clipsonic_eval import filenames
from clipsonic_eval.errors import ConfigError, UserError

CONFIG = TrainConfig(
    steps=6, batch_size=4, learning_rate=0.1, warmup=0, final_lr_ratio=1.0, weight_decay=0.0, ema=0.5, precision="fp32"
)


class Quadratic:
    """One weight w, loss (w - 3)² / 2: the gradient is w - 3."""

    def __init__(self, start: float = 0.0) -> None:
        self.module = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.module.weight, start)
        self.waited, self.by_level = 0.0, None
        self.rows: list[slice] = []
        self.began: tuple[int, Sequence[slice]] = (-1, ())

    def begin(self, step: int, shares: Sequence[slice]) -> None:
        self.began = (step, shares)

    def loss(self, network: loop.Network, step: int, rows: slice) -> torch.Tensor:
        del step
        self.rows.append(rows)
        value: torch.Tensor = (network(torch.ones(1, 1)) - 3).square().mean() / 2
        return value

    def validation_loss(self, network: loop.Network) -> float | None:
        return float((network(torch.ones(1, 1)) - 3).square().mean() / 2)


def test_the_ema_decay_ramps_up_to_its_end() -> None:
    assert [loop.ema_decay(0.9, t) for t in (0, 1, 8, 79, 80, 81, 10_000)] == [
        1 / 10,
        2 / 11,
        9 / 18,
        80 / 89,
        0.9,
        0.9,
        0.9,
    ]


def test_the_learning_rate_is_linear_then_half_a_cosine() -> None:
    config = TrainConfig(steps=110, warmup=10, learning_rate=2.0, final_lr_ratio=0.25)
    assert [loop.learning_rate(config, t) for t in (0, 4, 9)] == pytest.approx([0.2, 1.0, 2.0])
    for t in (10, 35, 60, 85, 109):
        cosine = 0.5 * (1 + math.cos(math.pi * (t - 10) / 100))
        assert loop.learning_rate(config, t) == pytest.approx(2.0 * (0.25 + 0.75 * cosine))


def test_a_final_ratio_of_one_keeps_the_rate_constant_whatever_the_number_of_steps() -> None:
    rates = {loop.learning_rate(TrainConfig(steps=s, warmup=5, final_lr_ratio=1.0), 20) for s in (30, 100, 1000)}
    assert rates == {TrainConfig().learning_rate}


def test_a_run_leaves_the_average_of_the_weights_that_adamw_took(tmp_path: Path) -> None:
    task = Quadratic()
    result = loop.run(task, CONFIG, tmp_path, identity="x")
    weight = torch.nn.Parameter(torch.zeros(1, 1))
    adamw = torch.optim.AdamW([weight], lr=0.1, betas=CONFIG.betas, weight_decay=0.0)
    average, losses = 0.0, []
    for t in range(6):
        loss = (weight - 3).square().mean() / 2
        losses.append(loss.item())
        loss.backward()
        torch.nn.utils.clip_grad_norm_([weight], CONFIG.gradient_clip)
        adamw.step()
        adamw.zero_grad()
        decay = min(0.5, (1 + t) / (10 + t))
        average = decay * average + (1 - decay) * weight.item()
    assert task.module.weight.item() == pytest.approx(average, rel=1e-5)
    assert result["steps"] == 6
    assert result["loss"] == pytest.approx(sum(losses) / 6, abs=1e-6)
    assert result["val_loss"] == pytest.approx((average - 3) ** 2 / 2, abs=1e-5)


def test_the_log_has_a_row_per_interval_with_the_mean_loss_between(tmp_path: Path) -> None:
    config = TrainConfig(steps=5, batch_size=4, log_every=2, precision="fp32", learning_rate=1e-30, warmup=0)
    loop.run(Quadratic(start=1.0), config, tmp_path, identity="x")
    with (tmp_path / filenames.TRAIN_LOG).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["2", "4", "5"]
    assert [float(row["loss"]) for row in rows] == [2.0, 2.0, 2.0]
    assert [row["val_loss"] for row in rows] == ["", "", "2.0"]
    assert all(float(row["samples_per_s"]) > 0 for row in rows)


def test_one_process_computes_all_rows_of_a_batch(tmp_path: Path) -> None:
    task = Quadratic()
    loop.run(task, CONFIG, tmp_path, identity="x")
    assert {tuple(range(10)[rows]) for rows in task.rows} == {tuple(range(10))}


def test_a_task_hears_from_which_step_on_it_will_be_asked_for_what(tmp_path: Path) -> None:
    first, longer = Quadratic(), Quadratic()
    loop.run(first, CONFIG, tmp_path, identity="x")
    loop.run(longer, replace(CONFIG, steps=8, gradient_accumulation=2), tmp_path, identity="x")
    assert [task.began[0] for task in (first, longer)] == [0, 6]
    assert [tuple(range(4)[rows]) for rows in longer.began[1]] == [(0, 2), (1, 3)]
    assert longer.rows == [*longer.began[1]] * 2


class Dropping(Quadratic):
    """A network that drops at random, and what it dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped: list[str] = []
        self.module = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5))

    def loss(self, network: loop.Network, step: int, rows: slice) -> torch.Tensor:
        answers = network(torch.ones(64, 1))
        self.dropped.append(str((answers == 0).flatten().tolist()))
        return answers.mean()  # type: ignore[no-any-return]


def test_what_a_network_drops_follows_from_the_step_alone(tmp_path: Path) -> None:
    tasks = []
    for name in "ab":
        tasks.append(Dropping())
        torch.rand(3 if name == "a" else 8)  # the global generator is somewhere else
        before = torch.get_rng_state()
        loop.run(tasks[-1], replace(CONFIG, gradient_accumulation=2), tmp_path / name, identity="x")
        assert torch.equal(before, torch.get_rng_state())
    assert tasks[0].dropped == tasks[1].dropped
    assert len(set(tasks[0].dropped)) == 12  # steps and passes drop differently


def test_a_gradient_that_is_not_finite_ends_the_run_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"diverged at step 0 .* lower train.learning_rate"):
        loop.run(Quadratic(start=math.inf), CONFIG, tmp_path, identity="x")


def test_a_checkpoint_beyond_the_steps_asked_for_is_refused(tmp_path: Path) -> None:
    loop.run(Quadratic(), CONFIG, tmp_path, identity="x")
    fewer = TrainConfig(steps=3, batch_size=4, precision="fp32")
    with pytest.raises(UserError, match=r"is at step 6, beyond train.steps = 3"):
        loop.run(Quadratic(), fewer, tmp_path, identity="x")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "train.steps must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate and gradient_clip must be above 0"),
        ({"ema": 1.0}, r"ema in \[0, 1\)"),
        ({"warmup": -1}, "must not be negative"),
    ],
)
def test_an_optimisation_that_makes_no_sense_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**values)  # type: ignore[arg-type]
