"""The step of a training in several loops: ours, and the same step as others write it, each in a process of its own.

``python tests/benchmarks/training_loops.py LOOP SIZE PRECISION`` prepares a loop and takes a first step. For each line
that it reads it takes some steps and prints what they took, as JSON; see :func:`main`. All loops see the same clips,
noise, noise levels and dropped conditions, and begin with the same weights, so that their losses must agree.
"""

from __future__ import annotations

import contextlib
import copy
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from unit.clipsonic.fakes import FakeStore

from clipsonic.networks import unet2d
from clipsonic.networks._group_norm import GroupNorm
from clipsonic.training import audio_setup, loop
from clipsonic.training.audio_task import AudioTask
from clipsonic.training.batches import step_generator
from clipsonic.training.config import AudioTrainingConfig
from clipsonic_eval.bfloat16 import autocast
from clipsonic_eval.config import resolve
from clipsonic_eval.presets import read_training

OURS, PLAIN, ACCELERATE = "ours", "plain PyTorch", "accelerate"
VECTORS, OPERATORS = "plain PyTorch, fused and foreach", "plain PyTorch, its own operators"
COMPILED = ", compiled"
Step = Callable[[], torch.Tensor]  # takes a step, returns its loss


class Size(NamedTuple):
    """What is trained: the network of a preset, clips of 0.96 s a step, steps a round, and how many rounds at most."""

    preset: str
    batch: int
    steps: int
    rounds: int = 100


SIZES = {"benchmark": Size("toy_video", 16, 5), "toy": Size("toy_video", 32, 3), "music": Size("music", 1, 1, 4)}


class Parts:
    """Processor time of this process by what it does; a part within another one is not counted to the outer."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open = ["rest"]
        self._since = time.process_time()

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count what is done within a ``with`` block to a part."""
        self._turn()
        self._open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def take(self) -> dict[str, float]:
        """Return the seconds since the last call."""
        self._turn()
        found = dict(self.seconds)
        self.seconds.clear()
        return found

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Count the calls of a method to a part."""
        inner = getattr(owner, name)

        def watched(*args: Any, **named: Any) -> Any:
            with self(part):
                return inner(*args, **named)

        setattr(owner, name, watched)

    def _turn(self) -> None:
        now = time.process_time()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now


def config(size: Size, precision: str, *, compiled: bool = False) -> AudioTrainingConfig:
    """Return the configuration of a training of this size with AdamW, which every loop has."""
    network = read_training(Path(size.preset))["network"]
    train = {"steps": 10_000, "batch_size": size.batch, "warmup": 0, "precision": precision, "ema": 0.999}
    train["compile"] = compiled
    return resolve(AudioTrainingConfig, {"clips": "in memory", "network": network, "train": train})


def prepared(settings: AudioTrainingConfig) -> AudioTask:
    """Return the task on 256 clips in memory, 64 bands by 96 frames."""
    store: Any = FakeStore(n=256, n_samples=96 * 160, frames=5)
    return audio_setup.prepare(store, settings, store.image_embeddings)[0]


def ours(settings: AudioTrainingConfig, parts: Parts) -> Step:
    """Return a step of the trainer."""
    task = prepared(settings)
    losses: list[torch.Tensor] = []
    inner = task.loss

    def loss(*args: Any) -> torch.Tensor:
        losses[:] = [inner(*args)]
        return losses[0]

    task.loss = loss  # type: ignore[method-assign]
    training = loop._TrainingRun(task, settings.train, Path("unused"), "")
    parts.watch(task, "loss", "data, noise, loss")
    parts.watch(training.weights, "call", "forward")
    parts.watch(torch.Tensor, "backward", "backward")
    parts.watch(training.weights, "backward", "gradients into a vector")
    parts.watch(training.weights, "reduce", "norm, clipping")
    parts.watch(training.weights, "exchange", "cast of the weights")
    parts.watch(training.weights, "update_averages", "average")
    for optimizer in training.optimizers:
        parts.watch(optimizer, "step", "optimiser")
    training.begin()

    def step() -> torch.Tensor:
        training._take_step()
        return losses[0].detach()

    return step


def plain(settings: AudioTrainingConfig, parts: Parts, *, kind: str = PLAIN) -> Step:
    """Return a step as tutorials write it: autocast, clipping, AdamW, an average by parameter."""
    task, train = prepared(settings), settings.train
    network = with_own_operators(task.module) if kind == OPERATORS else task.module
    called: Any = torch.compile(network.train()) if train.compile else network.train()
    average = copy.deepcopy(network)
    fused = kind == VECTORS
    shapes = [[p for p in network.parameters() if (p.ndim > 1) == matrices] for matrices in (True, False)]
    groups = [{"params": p, "weight_decay": d} for p, d in zip(shapes, (train.weight_decay, 0.0), strict=True)]
    optimizer: Any = torch.optim.AdamW(groups, lr=train.learning_rate, betas=train.betas, fused=fused)
    backward: Callable[..., Any] = torch.Tensor.backward
    clip: Callable[..., Any] = partial(nn.utils.clip_grad_norm_, foreach=fused or None)
    cast: Callable[[], Any] = partial(autocast, train.precision, torch.device("cpu"))  # type: ignore[arg-type]
    if kind == ACCELERATE:
        from accelerate import Accelerator

        accelerator = Accelerator(cpu=True, mixed_precision={"fp32": "no"}.get(train.precision, train.precision))
        called, optimizer = accelerator.prepare(called, optimizer)
        backward, clip, cast = accelerator.backward, accelerator.clip_grad_norm_, accelerator.autocast
    taken = 0

    def step() -> torch.Tensor:
        nonlocal taken
        with parts("data, noise, loss"):
            inputs, target = drawn(task, taken)
            for group in optimizer.param_groups:
                group["lr"] = loop.learning_rate(train, taken)
        with cast():
            with parts("forward"):
                predicted = called(*inputs)
            with parts("data, noise, loss"):
                loss = (predicted.float() - target).square().mean()
        optimizer.zero_grad()
        with parts("backward"):
            backward(loss)
        with parts("norm, clipping"):
            clip(network.parameters(), train.gradient_clip)
        with parts("optimiser"):
            optimizer.step()
        with parts("average"):
            follow(average, network, loop.ema_decay(train.ema, taken), fused=fused)
        taken += 1
        assert loss.item() < 1e6  # every loop looks at its loss
        return loss.detach()

    return step


def drawn(task: AudioTask, step: int) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    """Return what the network gets in a step and what it is to predict, by the draws of the task itself."""
    generator = step_generator(task.config.train.seed, step, "train-noise", torch.device("cpu"))
    rows, diffusion = task._batch(step), task._diffusion
    x0 = task.mels.scaled(rows)
    frame = torch.randint(task._conditions.shape[1], (len(rows), 1), generator=generator)[:, 0]
    t = diffusion.draw_timesteps(len(rows), generator)
    drop = torch.rand(len(rows), generator=generator) < task.config.condition_dropout
    noise = torch.randn(x0.shape, generator=generator)
    inputs = (diffusion.add_noise(x0, noise, t), t, task._conditions[rows, frame], drop)
    return inputs, diffusion.velocity(x0, noise, t)


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float, *, fused: bool) -> None:
    """Move the average towards the network's weights."""
    kept, moved = list(average.parameters()), list(network.parameters())
    if fused:
        torch._foreach_lerp_(kept, moved, 1 - decay)
        return
    for mean, weight in zip(kept, moved, strict=True):
        mean.mul_(decay).add_(weight, alpha=1 - decay)


class _PlainNorm(GroupNorm):
    """The group normalisation of ``torch.nn.functional``, then scale and shift."""

    def forward(
        self, x: torch.Tensor, scale: torch.Tensor | None = None, shift: torch.Tensor | None = None
    ) -> torch.Tensor:
        x = F.group_norm(x, self.groups, self.weight, self.bias)
        return x if scale is None or shift is None else x * (1 + scale[:, :, None, None]) + shift[:, :, None, None]


class _PlainAttention(unet2d._Attention):
    """Attention by ``scaled_dot_product_attention``, whatever the number of positions."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, c, height, w = x.shape
        rows = self.norm(x).flatten(2).transpose(1, 2)
        heads = self.qkv(rows).view(b, height * w, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*heads).transpose(1, 2).reshape(b, height * w, c)
        return x + self.out(mixed).transpose(1, 2).reshape(x.shape)


def with_own_operators(network: nn.Module) -> nn.Module:
    """Let a network of ours be computed by PyTorch's own operators, in their usual order of axes; same function."""
    for module in network.modules():
        if isinstance(module, GroupNorm):
            module.__class__ = _PlainNorm
        elif isinstance(module, unet2d._Attention):
            module.__class__ = _PlainAttention
    stem: Any = network.stem
    stem.register_forward_pre_hook(lambda _, given: (given[0].contiguous(),))
    return network.to(memory_format=torch.contiguous_format)


def made(who: str, size: Size, precision: str, parts: Parts) -> Step:
    """Return the step of a loop by its name."""
    name = who.removesuffix(COMPILED)
    settings = config(size, precision, compiled=name != who)
    return ours(settings, parts) if name == OURS else plain(settings, parts, kind=name)


# what an operator, or the nearest one around it, counts to
_KINDS = {
    "convolutions": ("aten::convolution_backward", "aten::convolution", "aten::conv_transpose2d"),
    "matrix products, attention": ("aten::mm", "aten::addmm", "aten::bmm", "aten::scaled_dot_product_attention"),
    "group normalisation": ("_Normalise", "aten::native_group_norm", "aten::native_group_norm_backward"),
    "SiLU": ("aten::silu", "aten::silu_backward"),
    "optimiser": ("Optimizer.step#AdamW.step",),
}
_KIND_OF = {operator: kind for kind, operators in _KINDS.items() for operator in operators}


def by_kind(events: Iterable[Any]) -> Counter[str]:
    """Return microseconds of profiled events by kind of operator."""
    found: Counter[str] = Counter()
    for event in events:
        around = event
        while around is not None and around.name.removesuffix("Backward") not in _KIND_OF:
            around = around.cpu_parent
        kind = "everything else" if around is None else _KIND_OF[around.name.removesuffix("Backward")]
        found[kind] += event.self_cpu_time_total
    return found


def profiled(step: Step, steps: int) -> dict[str, float]:
    """Return seconds of some steps by kind of operator, as torch's profiler sees them."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(steps):
            step()
    return {kind: microseconds * 1e-6 for kind, microseconds in by_kind(profile.events()).items()}


def main(who: str, size_name: str, precision: str) -> None:
    """Answer every line: ``time`` by seconds and their parts, ``kinds`` by operators, both of a step; ``losses``."""
    torch.set_num_threads(1)
    size, parts = SIZES[size_name], Parts()
    step = made(who, size, precision, parts)
    sys.stdout.write(json.dumps(float(step())) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        parts.take()
        answer: Any
        if line.strip() == "time":
            for _ in range(size.steps):
                step()
            answer = {part: seconds / size.steps for part, seconds in parts.take().items()}
        elif line.strip() == "kinds":
            answer = {kind: seconds / size.steps for kind, seconds in profiled(step, size.steps).items()}
        else:
            answer = [float(step()) for _ in range(size.steps)]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
