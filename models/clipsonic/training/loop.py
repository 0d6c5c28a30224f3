"""The training loop of every model, on one process or under ``torchrun``, exact to resume.

A run is a pure function of its configuration: batch, noise and learning rate of a step follow from the seed and the
number of the step, so a run that was killed and resumed takes the same steps as one that was not (bit for bit on one
machine with one number of threads).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from clipsonic.training import checkpoint, processes
from clipsonic.training.batches import own_draws
from clipsonic.training.config import TrainConfig
from clipsonic.training.noise_levels import COLUMNS, LossByNoiseLevel
from clipsonic.training.observers import Observer, Sight
from clipsonic.training.optimizers import make_optimizers
from clipsonic.training.posthoc_ema import PowerAverages, store
from clipsonic_eval import filenames, threads
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.files import write_csv
from clipsonic_eval.progress import SILENT, Progress

Network = Callable[..., Any]


_LOG_COLUMNS = ("step", "loss", "val_loss", "lr", "seconds", "data_s", "samples_per_s")
_SHOWN = {"loss": "train/loss", "val_loss": "val/loss", "lr": "train/lr", "samples_per_s": "train/samples_per_s"}


class TrainingTask(Protocol):
    """What is trained: a network, and the loss of a step.

    Attributes:
        label: of the bar over the steps.
    """

    label: str

    @property
    def module(self) -> nn.Module:
        """The network, on its device."""
        ...

    @property
    def waited(self) -> float:
        """Seconds that this process has spent waiting for data so far, for the log."""
        ...

    @property
    def by_level(self) -> LossByNoiseLevel | None:
        """The losses of the items by noise level since the last row of the log, which :meth:`loss` counts."""
        ...

    def begin(self, step: int, shares: Sequence[slice]) -> None:
        """Hear what will be asked for, to read ahead: from a step on, :meth:`loss` of each of these rows, in order."""
        ...

    def loss(self, network: Network, step: int, rows: slice) -> torch.Tensor:
        """Return the mean loss of a step's batch, a scalar; batch and noise follow from the number of the step only.

        Args:
            network: :attr:`module` as it is to be called, at the configured precision. All that a task computes around
                it is float32.
            step: from 0.
            rows: of the batch, to be computed by this process.
        """
        ...

    def validation_loss(self, network: Network) -> float | None:
        """Return the loss of held-out items at fixed noise, or None if there are none."""
        ...


def learning_rate(config: TrainConfig, step: int) -> float:
    """Return the learning rate of one step: linear warm-up, then half a cosine down to the final ratio.

    Example:
        >>> config = TrainConfig(steps=100, warmup=10, learning_rate=1.0)
        >>> [round(learning_rate(config, step), 2) for step in (0, 9, 55, 99)]
        [0.1, 1.0, 0.5, 0.0]
    """
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup  # η (t + 1) / t_w
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    floor = config.final_lr_ratio
    # η (r + (1 − r) (1 + cos(π (t − t_w) / (T − t_w))) / 2)
    return config.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))


def ema_decay(decay: float, step: int) -> float:
    """Return the EMA decay at a step, ramped up so that the average soon forgets the initial weights.

    Example:
        >>> [round(ema_decay(0.995, step), 3) for step in (0, 90, 10_000)]
        [0.1, 0.91, 0.995]
    """
    return min(decay, (1 + step) / (10 + step))  # d_t = min(d, (1 + t) / (10 + t))


class _TrainingRun:
    """One training run in one folder; :func:`run` is the entry."""

    def __init__(
        self,
        task: TrainingTask,
        config: TrainConfig,
        folder: Path,
        identity: str,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.task, self.config, self.folder, self.identity = task, config, folder, identity
        self.device = next(task.module.parameters()).device
        state = processes.joined(self.device)
        self.processes, self.writes = state.num_processes, state.is_main_process
        if config.batch_size % (self.processes * config.gradient_accumulation):
            raise ConfigError(
                f"train.batch_size {config.batch_size} must be a multiple of the number of processes "
                f"({self.processes}) times train.gradient_accumulation ({config.gradient_accumulation})"
            )
        self.shares = processes.shares(state, config.gradient_accumulation)
        shards = processes.shards_of(state, divided=config.shard != "none")
        self.weights, self.optimizers = make_optimizers(task.module, config, shards)
        self.weights.profiles = PowerAverages(config.ema_lengths, self.weights.own)
        self.step, self.seconds = 0, 0.0
        self.window = torch.zeros(2, dtype=torch.float64, device=self.device)  # losses and steps
        self.observers = observers
        self.log_rows: list[dict[str, Any]] = []
        self.threads = 0
        self._logged = (0, 0.0, 0.0)

    def restore(self, progress: Progress) -> None:
        """Resume from the folder's last intact checkpoint, if there is one."""
        found = checkpoint.read(self.folder, self.identity, note=progress.note)
        if found is None:
            return
        if found.step > self.config.steps:
            raise UserError(
                f"{self.folder / checkpoint.FOLDER}: is at step {found.step}, beyond train.steps = "
                f"{self.config.steps}; ask for at least as many steps, or give another --out"
            )
        self.step, self.seconds = found.step, found.seconds
        self.log_rows = found.log
        self.threads = found.threads
        if self.weights.scale.on:
            self.weights.scale.factor, self.weights.scale.good = found.loss_scale
        window = self._whole_window()
        checkpoint.apply(found, self.weights, self.optimizers, window)
        if not self.writes:
            window.zero_()  # the main process has the sum of all
        self.window.copy_(window[:2])
        if self.task.by_level is not None:
            self.task.by_level.totals.copy_(window[2:].view(2, -1))

    def save(self) -> None:
        """Write a checkpoint."""
        scale = (self.weights.scale.factor, self.weights.scale.good)
        state = checkpoint.Checkpoint(self.identity, self.step, self.seconds, self.log_rows, self.threads, scale)
        window = self._summed_window()
        checkpoint.write(self.folder, state, self.weights, self.optimizers, window, writes=self.writes)

    def choose_threads(self, progress: Progress) -> int:
        """Return the number of threads: that of the run's start, for the same bits, unless the user chose another."""
        if threads.asked() is not None or not self.threads:
            self.threads = threads.for_networks()
        self.threads = min(self.threads, threads.available())
        if self.threads < threads.available():
            progress.note(
                f"{self.threads} of {threads.available()} threads, since other work keeps the other cores busy or did "
                f"when this run began ({threads.VARIABLE} chooses the number)"
            )
        return self.threads

    def begin(self) -> None:
        """Put network and task into the state that steps are taken in."""
        self.weights.called.train()
        self.task.begin(self.step, self.shares)

    def take_steps(self, progress: Progress, label: str) -> None:
        """Take all steps that are left, with logs, validation and checkpoints in between.

        Raises:
            UserError: training diverged, or ``max_minutes`` are over.
        """
        config = self.config
        self.begin()
        started, before, saved = time.monotonic(), self.seconds, self.step
        self._logged = self._now()
        for _ in progress.track(range(self.step, config.steps), label=label, total=config.steps, done=self.step):
            self._take_step()
            self.seconds = before + time.monotonic() - started
            last = self.step == config.steps
            validate = last or self.step % config.validate_every == 0
            if validate or self.step % config.log_every == 0:
                self._log(validate=validate)
            if last or self.step % config.ema_every == 0:
                store(self.folder, self.step, self.weights, writes=self.writes)
            self._look()  # before the checkpoint: a run that is killed here looks again
            if last or self.step % config.checkpoint_every == 0:
                self.save()
                saved = self.step
            if not last and self._out_of_time(started):
                if saved != self.step:
                    self.save()
                raise UserError(
                    f"stopped after train.max_minutes = {config.max_minutes} at step {self.step} of {config.steps}; "
                    "the same command goes on from here"
                )
        if not self.log_rows or self.log_rows[-1]["step"] != self.step:
            self._log(validate=True)  # the run ends at a checkpoint that was written between two lines of the log

    def result(self) -> dict[str, Any]:
        """Return what the card of the model says of the run; see :func:`run`."""
        final = self.log_rows[-1]
        val = final["val_loss"]
        return {
            "steps": self.step,
            "loss": float(final["loss"]),
            "val_loss": None if val == "" else float(val),
            "seconds": round(self.seconds, 1),
            "threads": self.threads,
            "processes": self.processes,
        }

    def _out_of_time(self, started: float) -> bool:
        """Return whether ``max_minutes`` are over on any process, so that all stop at the same step."""
        limit = self.config.max_minutes
        over = limit is not None and time.monotonic() - started > 60 * limit
        if limit is None or self.processes == 1:
            return over
        told = torch.tensor(float(over), device=self.device)
        torch.distributed.all_reduce(told, op=torch.distributed.ReduceOp.MAX)
        return bool(told)

    def _take_step(self) -> None:
        rate = learning_rate(self.config, self.step)
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = rate
        loss = self._gradient()
        norm = float(self.weights.reduce(len(self.shares)))
        finite = math.isfinite(norm)
        if not self.weights.scale.takes(finite=finite):
            raise UserError(
                f"training diverged at step {self.step} (the gradient is not finite); lower train.learning_rate"
            )
        if finite:
            self._update(norm)
            self.window += torch.stack([loss, torch.ones_like(self.window[1])]) / self.processes  # shares of one step
        self.step += 1

    def _update(self, norm: float) -> None:
        """Move the weights along a gradient of this norm, and their averages towards them."""
        if norm > self.config.gradient_clip:
            self.weights.reduced *= self.config.gradient_clip / norm  # g ← g c / |g|
        for optimizer in self.optimizers:
            optimizer.step()
        self.weights.exchange()
        self.weights.update_averages(ema_decay(self.config.ema, self.step), self.step + 1)

    def _gradient(self) -> torch.Tensor:
        """Sum the gradients of this process's shares of the batch, and return the mean of their losses, float64."""
        total = self.window.new_zeros(())
        for turn, rows in enumerate(self.shares):
            with own_draws(self.task.module, self.config.seed, self.step, rows.start):
                loss = self.task.loss(self.weights.call, self.step, rows)
                self.weights.backward(loss, add=turn > 0)
            total += loss.detach()
        return total / len(self.shares)

    def _now(self) -> tuple[int, float, float]:
        return self.step, time.monotonic(), self.task.waited

    def _log(self, *, validate: bool) -> None:
        """Add a row to the log: mean loss and pace since the last one, and perhaps the validation loss.

        ``data_s``: seconds that the steps waited for data. ``samples_per_s``: items of all processes per second,
        without the time that validation takes.
        """
        now = self._now()
        mean = self._summed_window()
        row: dict[str, Any] = {"step": self.step, "loss": round(float(mean[0] / mean[1]), 6)}
        val = self._validation_loss() if validate else None
        row["val_loss"] = "" if val is None else round(val, 6)
        row["lr"] = float(f"{learning_rate(self.config, self.step - 1):.6g}")
        row["seconds"] = round(self.seconds, 2)
        row |= pace(self._logged, now, self.config.batch_size)
        self.window.zero_()
        columns: tuple[str, ...] = _LOG_COLUMNS
        if self.task.by_level is not None:
            row |= self.task.by_level.row(mean[2:].view(2, -1))
            self.task.by_level.totals.zero_()
            columns += COLUMNS
        self.log_rows.append(row)
        self._logged = self._now()
        if self.writes:
            write_csv(self.folder / filenames.TRAIN_LOG, columns, self.log_rows)
        self._tell({_SHOWN.get(name, f"train/{name}"): value for name, value in row.items() if name != "step"})

    def _summed_window(self) -> torch.Tensor:
        """Return the window of all processes together, (2,) or (2 + 10,)."""
        window = self._whole_window()
        if self.processes > 1:
            torch.distributed.all_reduce(window)
        return window

    def _whole_window(self) -> torch.Tensor:
        """Return sum and number of the losses since the last row, (2,) or, with those by noise level, (2 + 10,)."""
        by_level = self.task.by_level
        return torch.cat([self.window, *([] if by_level is None else [by_level.totals.flatten()])])

    def _look(self) -> None:
        """Lend the averaged weights to the observers that are due; the time it takes is not counted to the steps."""
        due = [observer for observer in self.observers if observer.is_due(self.step, self.config.steps)]
        if not due:
            return
        started = time.monotonic()
        with self.weights.lent(), processes.one_writer(self.device):
            for sight in [observer.look(self.step) for observer in due]:
                self._tell(sight.values, sight.sounds)
        step, clock, waited = self._logged
        self._logged = step, clock + time.monotonic() - started, waited

    def _tell(self, values: Mapping[str, Any], sounds: Mapping[str, Path] | None = None) -> None:
        if self.writes:
            numbers = {name: float(value) for name, value in values.items() if value != ""}
            for observer in self.observers:
                observer.told(self.step, Sight(numbers, sounds or {}))

    def _validation_loss(self) -> float | None:
        with self.weights.averaged(), torch.no_grad():
            return self.task.validation_loss(self.weights.call)


def pace(earlier: tuple[int, float, float], now: tuple[int, float, float], batch_size: int) -> dict[str, float]:
    """Return the columns of the log about the steps between two moments.

    Args:
        earlier: steps taken, seconds of a monotonic clock, and seconds waited for data.
        now: the same, later.
        batch_size: items per step.
    """
    (step0, clock0, waited0), (step, clock, waited) = earlier, now
    rate = (step - step0) * batch_size / max(clock - clock0, 1e-9)
    return {"data_s": round(waited - waited0, 2), "samples_per_s": float(f"{rate:.4g}")}


def run(
    task: TrainingTask,
    config: TrainConfig,
    folder: Path,
    *,
    identity: str,
    progress: Progress = SILENT,
    label: str = "training",
    observers: Sequence[Observer] = (),
) -> dict[str, Any]:
    """Train to the end and leave the averaged weights in the task's module.

    Args:
        task: what is trained.
        config: the optimisation.
        folder: of the checkpoints and ``train_log.csv``.
        identity: hash of everything that decides the result; a checkpoint with another one is refused.
        progress: shows a bar over the steps, and notes.
        label: of the bar.
        observers: are told the log, and may look at the averaged weights.

    Returns:
        ``steps`` in all, ``loss`` (mean over the steps of the last log row), ``val_loss`` of the averaged weights,
        ``seconds`` over all interruptions, ``threads`` of torch, and ``processes``.

    Raises:
        UserError: the folder holds a checkpoint of another run, training diverged, or the time is over.
    """
    training = _TrainingRun(task, config, folder, identity, observers)
    training.restore(progress)
    with threads.limited(networks=training.choose_threads(progress)):
        training.take_steps(progress, label)
    training.weights.finish()
    return training.result()


def take_steps_of(task: TrainingTask, config: TrainConfig, folder: Path, n: int) -> Callable[[], None]:
    """Return a call that takes n more training steps of a task, without log and checkpoints, to measure their cost."""
    training = _TrainingRun(task, config, folder, "")
    training.begin()

    def take() -> None:
        for _ in range(n):
            training._take_step()

    return take
