"""The training loop: one for every model, on one process or under ``torchrun``, and exact to resume.

A run is a pure function of its configuration: the batch, the noise and the learning rate of a step follow from the seed
and the step's number, so a run that was killed and continued takes the same steps as one that was not (bit for bit on
one machine with one thread count).
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from clipsonic.precision import autocast
from clipsonic.training import checkpoint
from clipsonic.training.config import TrainConfig
from clipsonic_eval import threads
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.files import write_csv
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.seeds import derive, stream

Network = Callable[..., Any]

LOG_NAME = "train_log.csv"
_LOG_FIELDS = ("step", "loss", "val_loss", "lr", "seconds", "data_s", "samples_per_s")


@dataclass(frozen=True, slots=True)
class Shard:
    """Which part of every batch this process computes."""

    rank: int = 0
    world: int = 1

    def of(self, batch: torch.Tensor) -> torch.Tensor:
        """Return this process' rows of a batch that all processes drew alike."""
        return batch[self.rank :: self.world]


class Task(Protocol):
    """What is trained."""

    @property
    def module(self) -> nn.Module:
        """The network, on its device."""
        ...

    @property
    def waited(self) -> float:
        """Seconds that this process has spent waiting for data so far, for the log."""
        ...

    def loss(self, network: Network, step: int, shard: Shard) -> torch.Tensor:
        """Return the mean loss of a step's batch; the batch and the noise follow from the step's number only.

        Args:
            network: :attr:`module` as it is to be called: at the configured precision, perhaps data-parallel. All that
                a task computes around it is float32.
            step: from 0.
            shard: the rows to compute.
        """
        ...

    def validation_loss(self, network: Network) -> float | None:
        """Return the loss of held-out items with fixed noise, or None where there are none."""
        ...


@contextlib.contextmanager
def one_writer() -> Iterator[bool]:
    """Yield whether this process is the one that writes; at the end all wait until it has."""
    from accelerate import PartialState

    # whoever asks first decides for the whole process: without `cpu`, torchrun on a machine without GPUs is not seen
    state = PartialState(cpu=not torch.cuda.is_available())
    yield bool(state.is_main_process)
    state.wait_for_everyone()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        steps: taken in all.
        loss: mean over the last logged steps.
        val_loss: of the averaged weights at the end.
        seconds: of all sittings together.
        threads: of torch on the processor.
    """

    steps: int
    loss: float
    val_loss: float | None
    seconds: float
    threads: int


def learning_rate(config: TrainConfig, step: int) -> float:
    """Return the rate of one step: linear warm-up, then half a cosine down to the final ratio."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    floor = config.final_lr_ratio
    return config.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))


def batch_rows(n: int, size: int, step: int, seed: int) -> torch.Tensor:
    """Return the rows of a step's batch, (size,) int64: consecutive pieces of one fresh permutation per epoch."""
    rows: list[int] = []
    position = step * size
    while len(rows) < size:
        epoch, offset = divmod(position, n)
        piece = _epoch_order(n, epoch, seed)[offset : offset + size - len(rows)]
        rows.extend(piece.tolist())
        position += len(piece)
    return torch.tensor(rows)


@lru_cache(maxsize=2)
def _epoch_order(n: int, epoch: int, seed: int) -> NDArray[np.int64]:
    return stream(seed, str(epoch), "epoch-order").permutation(n)


def step_generator(seed: int, step: int, purpose: str, device: torch.device) -> torch.Generator:
    """Return the generator of one step's draws."""
    return torch.Generator(device=device).manual_seed(derive(seed, str(step), purpose))


class Average:
    """Exponential moving average of weights, which is what is kept of a run."""

    def __init__(self, module: nn.Module) -> None:
        self.weights = {n: p.detach().clone() for n, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module, decay: float) -> None:
        """Move towards the module's weights."""
        torch._foreach_lerp_(list(self.weights.values()), [p.detach() for p in module.parameters()], 1.0 - decay)

    @contextlib.contextmanager
    def applied_to(self, module: nn.Module) -> Iterator[nn.Module]:
        """Lend the average to the module, in evaluation mode."""
        own = {n: p.detach().clone() for n, p in module.named_parameters()}
        module.load_state_dict(self.weights, strict=False)
        module.eval()
        try:
            yield module
        finally:
            module.load_state_dict(own, strict=False)
            module.train()


def make_optimizer(module: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW with decay on matrices and kernels only."""
    decayed = [p for p in module.parameters() if p.ndim >= 2]
    plain = [p for p in module.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a run stands in time.

    Attributes:
        step: taken so far.
        clock: seconds of a clock that only goes forward.
        waited: seconds that were spent waiting for data so far.
    """

    step: int
    clock: float
    waited: float

    def since(self, earlier: Pace, batch_size: int) -> dict[str, float]:
        """Return the columns of the log about the steps since an earlier moment."""
        rate = (self.step - earlier.step) * batch_size / max(self.clock - earlier.clock, 1e-9)
        return {"data_s": round(self.waited - earlier.waited, 2), "samples_per_s": float(f"{rate:.4g}")}


class Run:
    """One training run in one folder; :func:`run` is the way in."""

    def __init__(self, task: Task, config: TrainConfig, folder: Path, identity: str) -> None:
        from accelerate import Accelerator

        self.task, self.config, self.folder, self.identity = task, config, folder, identity
        self.device = next(task.module.parameters()).device
        # precision is ours (see autocast): accelerate's is one global state for the whole process
        self.accelerator = Accelerator(mixed_precision="no", cpu=self.device.type == "cpu")
        self.shard = Shard(self.accelerator.process_index, self.accelerator.num_processes)
        if config.batch_size % self.shard.world:
            raise ConfigError(
                f"train.batch_size {config.batch_size} must be a multiple of {self.shard.world} processes"
            )
        self.average = Average(task.module)
        self.optimizer = make_optimizer(task.module, config)
        self.step, self.seconds = 0, 0.0
        self.window = torch.zeros(2, dtype=torch.float64, device=self.device)  # sum of losses and their number
        self.rows: list[dict[str, Any]] = []
        self.threads = 0
        self.pace = Pace(0, 0.0, 0.0)

    def restore(self, progress: Progress) -> None:
        """Continue from the folder's last good checkpoint, if there is one."""
        found = checkpoint.read(self.folder, self.identity, note=progress.note)
        if found is None:
            return
        if found.step > self.config.steps:
            raise UserError(
                f"{self.folder / checkpoint.FOLDER}: is at step {found.step}, beyond train.steps = "
                f"{self.config.steps}; ask for at least as many steps, or give another --out"
            )
        self.step, self.seconds = found.step, found.seconds
        self.rows = found.log
        self.threads = found.threads
        checkpoint.apply(found, self.task.module, self.average.weights, self.optimizer, self.window)

    def save(self) -> None:
        """Write the checkpoint, on the main process."""
        if self.accelerator.is_main_process:
            state = checkpoint.State(self.identity, self.step, self.seconds, self.rows, self.threads)
            checkpoint.write(self.folder, state, self.task.module, self.average.weights, self.optimizer, self.window)

    def _called(self, module: nn.Module) -> Network:
        """Return a call of the module at the configured precision; nothing but the module is computed at it."""

        def call(*inputs: Any, **named: Any) -> Any:
            with autocast(self.config.precision, self.device):
                return module(*inputs, **named)

        return call

    def choose_threads(self, progress: Progress) -> int:
        """Choose the number of threads: as the run began, for the same bits, unless the user says otherwise."""
        if threads.asked() is not None or not self.threads:
            self.threads = threads.for_networks()
        self.threads = min(self.threads, threads.available())
        if self.threads < threads.available():
            progress.note(
                f"{self.threads} of {threads.available()} threads, since other work keeps the other cores busy or did "
                f"when this run began ({threads.VARIABLE} chooses the number)"
            )
        return self.threads

    def one_step(self, module: nn.Module) -> None:
        """Take one optimiser step."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.step)
        loss = self.task.loss(self._called(module), self.step, self.shard)
        self.accelerator.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), self.config.gradient_clip)
        if not torch.isfinite(norm):
            raise UserError(
                f"training diverged at step {self.step} (the gradient is not finite); lower train.learning_rate"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update(self.task.module, min(self.config.ema, (1 + self.step) / (10 + self.step)))
        self.window += torch.stack([loss.detach().double(), torch.ones_like(self.window[1])])
        self.step += 1

    def measured(self) -> Pace:
        """Return where the run stands in time."""
        return Pace(self.step, time.monotonic(), self.task.waited)

    def validation_loss(self) -> float | None:
        """Return the validation loss of the averaged weights."""
        with self.average.applied_to(self.task.module) as module, torch.no_grad():
            return self.task.validation_loss(self._called(module))

    def log(self, *, validate: bool) -> None:
        """Add a line to the log: mean loss and pace since the last one, and perhaps the validation loss.

        ``data_s``: seconds that the steps waited for data. ``samples_per_s``: items of all processes, without the time
        that validation takes.
        """
        now = self.measured()
        mean = self.accelerator.reduce(self.window.clone(), "sum")
        row: dict[str, Any] = {"step": self.step, "loss": round(float(mean[0] / mean[1]), 6)}
        val = self.validation_loss() if validate else None
        row["val_loss"] = "" if val is None else round(val, 6)
        row["lr"] = float(f"{learning_rate(self.config, self.step - 1):.6g}")
        row["seconds"] = round(self.seconds, 2)
        row |= now.since(self.pace, self.config.batch_size)
        self.rows.append(row)
        self.window.zero_()
        self.pace = self.measured()
        if self.accelerator.is_main_process:
            write_csv(self.folder / LOG_NAME, _LOG_FIELDS, self.rows)


def run(
    task: Task,
    config: TrainConfig,
    folder: Path,
    *,
    identity: str,
    progress: Progress = SILENT,
    label: str = "training",
) -> Outcome:
    """Train a task to the end and leave the averaged weights in its module.

    Args:
        task: what is trained.
        config: the optimisation.
        folder: where the checkpoint and ``train_log.csv`` lie.
        identity: hash of everything that decides the result; a checkpoint with another one is refused.
        progress: told of every step.
        label: of the bar.

    Raises:
        UserError: the folder holds a checkpoint of another run, the loss is not finite, or the time is over.
    """
    this = Run(task, config, folder, identity)
    this.restore(progress)
    with threads.limited(networks=this.choose_threads(progress)):
        return _take_steps(this, progress, label)


def _take_steps(this: Run, progress: Progress, label: str) -> Outcome:
    task, config = this.task, this.config
    module = this.accelerator.prepare_model(task.module, evaluation_mode=this.shard.world == 1)
    module.train()
    started, before, saved = time.monotonic(), this.seconds, this.step
    this.pace = this.measured()
    for _ in progress.track(range(this.step, config.steps), label=label, total=config.steps, done=this.step):
        this.one_step(module)
        this.seconds = before + time.monotonic() - started
        last = this.step == config.steps
        validate = last or this.step % config.validate_every == 0
        if validate or this.step % config.log_every == 0:
            this.log(validate=validate)
        if last or this.step % config.checkpoint_every == 0:
            this.save()
            saved = this.step
        if not last and config.max_minutes is not None and time.monotonic() - started > 60 * config.max_minutes:
            if saved != this.step:
                this.save()
            raise UserError(
                f"stopped after train.max_minutes = {config.max_minutes:g} at step {this.step} of {config.steps}; "
                "the same command goes on from here"
            )
    if not this.rows or this.rows[-1]["step"] != this.step:
        this.log(validate=True)  # the run ends at a checkpoint that was written between two lines of the log
    this.task.module.load_state_dict(this.average.weights, strict=False)
    this.task.module.eval()
    final = this.rows[-1]
    val = final["val_loss"]
    return Outcome(this.step, float(final["loss"]), None if val == "" else float(val), this.seconds, this.threads)
