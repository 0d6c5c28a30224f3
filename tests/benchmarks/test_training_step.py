"""A training step beside plain loops of PyTorch and accelerate: same network, batch, noise, precision, optimiser."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from unit.clipsonic.fakes import FakeStore

from clipsonic.training import audio_setup, loop
from clipsonic.training.audio_task import AudioTask
from clipsonic.training.batches import batch_rows
from clipsonic.training.config import AudioTrainingConfig
from clipsonic_eval.bfloat16 import autocast
from clipsonic_eval.config import resolve

ROUNDS, STEPS = 12, 5
BATCH = 16


def config(precision: str) -> AudioTrainingConfig:
    train = {"steps": 10_000, "batch_size": BATCH, "warmup": 0, "precision": precision, "ema": 0.999}
    return resolve(AudioTrainingConfig, {"clips": "in memory", "network": {"name": "unet2d"}, "train": train})


def prepared(settings: AudioTrainingConfig) -> AudioTask:
    store: Any = FakeStore(n=256, n_samples=96 * 160, frames=5)
    return audio_setup.prepare(store, settings, store.image_embeddings)[0]


def plain_loop(settings: AudioTrainingConfig, *, accelerated: bool = False) -> Callable[[], None]:
    """Return a call that takes some steps as tutorials write them: autocast, clipping, AdamW, an EMA by parameter."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    task, train = prepared(settings), settings.train
    network, mels = task.module.train(), task.mels(torch.arange(256))
    conditions, diffusion = task._conditions, task._diffusion
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=train.learning_rate, betas=train.betas)
    generator = torch.Generator().manual_seed(0)
    done = 0
    backward: Callable[..., object] = torch.Tensor.backward
    clip: Callable[..., object] = torch.nn.utils.clip_grad_norm_
    cast: Callable[[], AbstractContextManager[Any]] = partial(autocast, train.precision, torch.device("cpu"))
    if accelerated:
        AcceleratorState._reset_state(
            reset_partial_state=True
        )  # of the last one, in this process for another precision
        accelerator = Accelerator(cpu=True, mixed_precision={"fp32": "no"}.get(train.precision, train.precision))
        network, optimizer = accelerator.prepare(network, optimizer)
        backward, clip, cast = accelerator.backward, accelerator.clip_grad_norm_, accelerator.autocast

    def step() -> None:
        nonlocal done
        rows = task.training_rows[batch_rows(len(task.training_rows), BATCH, done, seed=0)]
        x0 = task.mels.front_end.normalise(mels[rows])
        frame = torch.randint(conditions.shape[1], (BATCH,), generator=generator)
        drop = torch.rand(BATCH, generator=generator) < settings.condition_dropout
        t = diffusion.draw_timesteps(BATCH, generator)
        noise = torch.randn(x0.shape, generator=generator)
        with cast():
            predicted = network(diffusion.add_noise(x0, noise, t), t, conditions[rows, frame], drop)
            loss = (predicted.float() - diffusion.velocity(x0, noise, t)).square().mean()
        optimizer.zero_grad()
        backward(loss)
        clip(network.parameters(), train.gradient_clip)
        optimizer.step()
        with torch.no_grad():
            for kept, parameter in zip(average.parameters(), network.parameters(), strict=True):
                kept.mul_(train.ema).add_(parameter, alpha=1 - train.ema)
        assert loss.item() < 1e6  # every loop looks at its loss
        done += 1

    return lambda: [step() for _ in range(STEPS)] and None


def ours(settings: AudioTrainingConfig) -> Callable[[], None]:
    return loop.take_steps_of(prepared(settings), settings.train, Path("unused"), STEPS)


@pytest.mark.parametrize("who", ["ours", "plain PyTorch", "plain accelerate"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_training_step(benchmark: Any, precision: str, who: str) -> None:
    settings = config(precision)
    benchmark.group = f"training step, unet2d, batch {BATCH}, {precision}"
    benchmark.extra_info |= {"who": who, "units": STEPS}
    run = ours(settings) if who == "ours" else plain_loop(settings, accelerated=who == "plain accelerate")
    benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=1)
