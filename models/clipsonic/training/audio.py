"""Train the audio model from prepared clips: IQ's network, and CLIP-TTA's and CLAP-TTA's with texts for frames."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from clipsonic.conditions import condition_array
from clipsonic.diffusion import Diffusion
from clipsonic.mel import MelFrontEnd, measured
from clipsonic.model import MelDiffusion
from clipsonic.networks import NETWORKS, build, resolved_options
from clipsonic.training import checkpoint, loop
from clipsonic.training.config import AudioTrainingConfig, identity, settings_of
from clipsonic.training.continuing import (
    check_fits,
    claim,
    lineage,
    network_tree,
    space_tree,
)
from clipsonic.training.prefetch import PART, Prefetch
from clipsonic_eval import outputs, threads
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.checks.audio import ANOTHER_UNIT
from clipsonic_eval.config import as_tree, resolve
from clipsonic_eval.devices import resolve_device
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.files import write_json
from clipsonic_eval.precision import described
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.seeds import stream

if TYPE_CHECKING:
    from clipsonic_eval.clips import ClipStore

_SCALE_ROWS = 2048  # clips on which the scale of the log-mels is measured


class MelSource:
    """Log-mels of a store's clips by row: kept in memory where they fit, made when asked for otherwise.

    Attributes:
        store: the clips.
        front_end: layout and device.
        frames: of every log-mel.
    """

    def __init__(self, store: ClipStore, front_end: MelFrontEnd, *, cache_mb: int, progress: Progress = SILENT) -> None:
        self.store, self.front_end = store, front_end
        mel = front_end.config
        self.frames = mel.frames(store.n_samples)
        self._kept: torch.Tensor | None = None
        self._prefetch = Prefetch(store)
        if 4 * len(store) * mel.n_mels * self.frames <= cache_mb * 2**20:
            kept = torch.empty(len(store), mel.n_mels, self.frames)
            for start in progress.track(range(0, len(store), PART), label="log-mels"):
                rows = np.arange(start, min(start + PART, len(store)))
                kept[start : start + len(rows)] = self._make(rows).cpu()
            self._kept = kept

    def _make(self, rows: NDArray[np.int64]) -> torch.Tensor:
        sound = self._prefetch.read(rows)
        _refuse_another_unit(sound, [self.store.keys[row] for row in rows])
        return self.front_end.log_mel(torch.from_numpy(sound))

    @property
    def waited(self) -> float:
        """Seconds spent waiting for sound so far."""
        return self._prefetch.waited

    def expect(self, rows: torch.Tensor) -> None:
        """Read these clips in the background: they are asked for next."""
        if self._kept is None:
            self._prefetch.expect(rows.numpy())

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (b, n_mels, frames) on the front end's device, not normalised."""
        if self._kept is not None:
            return self._kept[rows].to(self.front_end.device)
        return torch.cat([self._make(part.numpy()) for part in rows.split(PART)])


def _refuse_another_unit(sound: Float32, keys: Sequence[str]) -> None:
    """Refuse sound that would ruin every step it enters: `prepare` leaves it out, other ways into a store may not.

    Raises:
        UserError: a clip (b, n_samples) peaks above 4 times full scale or is not finite.
    """
    peaks = np.abs(sound).max(axis=1, initial=0.0)
    bad = np.flatnonzero(~(peaks <= ANOTHER_UNIT))
    if len(bad):
        raise UserError(
            f"clip '{keys[bad[0]]}' peaks at {peaks[bad[0]]:.3g} times full scale, its samples are in another unit; "
            "prepare the clips again, which leaves such clips out"
        )


class AudioTask:
    """The audio model's :class:`clipsonic.training.loop.Task`."""

    def __init__(
        self,
        config: AudioTrainingConfig,
        module: nn.Module,
        mels: MelSource,
        conditions: Float32,
        diffusion: Diffusion,
    ) -> None:
        self.config, self.diffusion, self.mels = config, diffusion, mels
        self._module = module
        self._conditions = torch.from_numpy(conditions) * math.sqrt(conditions.shape[-1])
        self.training_rows, self.held_out = split_clips(mels.store, config)

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self._module

    def loss(self, network: loop.Network, step: int, shard: loop.Shard) -> torch.Tensor:
        """Return the loss of a step's batch: random frames, noise levels, noise and dropped conditions."""
        train = self.config.train
        generator = loop.step_generator(train.seed, step, "train-noise", self.mels.front_end.device)
        x0 = self._data(shard.of(self._rows(step)))
        if step + 1 < train.steps:
            self.mels.expect(shard.of(self._rows(step + 1)))
        return self._loss(network, self._rows(step), x0, generator, shard, dropout=self.config.condition_dropout)

    @property
    def waited(self) -> float:
        """Seconds spent waiting for data so far."""
        return self.mels.waited

    def _data(self, rows: torch.Tensor) -> torch.Tensor:
        """Return clean log-mels at the network's scale."""
        return self.mels.front_end.normalise(self.mels(rows))

    def _rows(self, step: int) -> torch.Tensor:
        train = self.config.train
        return self.training_rows[loop.batch_rows(len(self.training_rows), train.batch_size, step, train.seed)]

    def validation_loss(self, network: loop.Network) -> float | None:
        """Return the loss of the held-out clips at fixed noise levels and noise, with every condition present."""
        if not len(self.held_out):
            return None
        total = 0.0
        for number, rows in enumerate(self.held_out.split(self.config.train.batch_size)):
            generator = loop.step_generator(
                self.config.train.seed, number, "validation-noise", self.mels.front_end.device
            )
            loss = self._loss(network, rows, self._data(rows), generator, loop.Shard(), dropout=0.0)
            total += float(loss) * len(rows)
        return total / len(self.held_out)

    def _loss(
        self,
        network: loop.Network,
        rows: torch.Tensor,
        x0: torch.Tensor,
        generator: torch.Generator,
        shard: loop.Shard,
        *,
        dropout: float,
    ) -> torch.Tensor:
        n, device = len(rows), generator.device
        front_end = self.mels.front_end
        frame = torch.randint(self._conditions.shape[1], (n,), generator=generator, device=device)
        t = self.diffusion.draw_timesteps(n, generator)
        drop = torch.rand(n, generator=generator, device=device) < dropout
        eps = torch.randn(n, front_end.config.n_mels, self.mels.frames, generator=generator, device=device)
        rows, frame = shard.of(rows), shard.of(frame)
        cond, drop = self._conditions[rows, frame.cpu()].to(device), shard.of(drop)
        return self.diffusion.loss(lambda x, t: network(x, t, cond, drop), x0, shard.of(eps), shard.of(t))


def split_rows(n: int, validation: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows for training and held-out rows (at most ``validation``, at most a tenth), both sorted."""
    held = min(validation, n // 10)
    order = torch.from_numpy(stream(seed, "", "held-out").permutation(n))
    return order[held:].sort().values, order[:held].sort().values


def split_clips(store: ClipStore, config: AudioTrainingConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """Return :func:`split_rows` of the configured split, with all clips of one source on one side.

    Raises:
        UserError: the split has no clips.
    """
    rows = store.rows(config.split)
    if not len(rows):
        known = "; see the list of skipped files that `prepare` wrote" if config.split is None else ""
        raise UserError(f"there are no clips to train on (split: {config.split}){known}")
    names = np.array(store.sources)[rows]
    sources, inverse = np.unique(names, return_inverse=True)
    order = stream(config.train.seed, "", "held-out").permutation(len(sources))
    wanted = min(config.train.validation, len(rows) // 10)
    sizes = np.cumsum(np.bincount(inverse)[order])
    held = np.isin(inverse, order[: int(np.searchsorted(sizes, wanted, side="right"))])
    return torch.from_numpy(rows[~held]), torch.from_numpy(rows[held])


def train(config: Mapping[str, Any], out: Path, *, progress: Progress = SILENT, overwrite: bool = False) -> Path:
    """Train a model, or continue, or find it finished.

    Args:
        config: the values of :class:`clipsonic.training.config.AudioTrainingConfig` that differ from the defaults.
        out: the model's folder; holds ``checkpoint/`` and ``train_log.csv`` while training goes on.
        progress: told of every step.
        overwrite: replace a model of other settings or clips.

    Returns:
        ``out``, a folder for :meth:`clipsonic.model.MelDiffusion.load`.

    Raises:
        UserError: the configuration, the clips or the folder do not fit; the message says what to do.
    """
    from clipsonic_eval.clips import ClipStore

    settings = resolve(AudioTrainingConfig, config)
    outputs.try_folder(out)  # before anything is read
    store = ClipStore.open(settings.clips)
    if counts := store.info.get("findings"):
        found = ", ".join(f"{check.replace('_', ' ')} {n}" for check, n in counts.items())
        progress.note(f"{settings.clips}: what looks wrong with its sound, in clips: {found} (findings.csv)")
    return train_on(store, settings, out, progress=progress, overwrite=overwrite)


@threads.networks()
def train_on(
    store: ClipStore, config: AudioTrainingConfig, out: Path, *, progress: Progress = SILENT, overwrite: bool = False
) -> Path:
    """Train on clips that are already open; otherwise as :func:`train`."""
    if store.sample_rate != config.mel.sample_rate:
        raise ConfigError(
            f"the clips are at {store.sample_rate} Hz, but mel.sample_rate is {config.mel.sample_rate}; "
            "prepare them at the model's rate"
        )
    split_clips(store, config)  # before any work: are there clips at all?
    resolve_device(config.device)
    conditions, condition_card = condition_array(store, config.condition)
    decides = {**settings_of(config), "clips": store.content_hash, "conditions": condition_card}
    parent = None if config.init_from is None else _parent(config.init_from, config, condition_card)
    card = None if parent is None else parent.card
    with claim(out, decides, steps=config.train.steps, parent=card, overwrite=overwrite) as finished:
        if not finished:
            _train(store, config, out, progress, (conditions, condition_card), parent)
    return out


def _parent(folder: Path, config: AudioTrainingConfig, condition_card: Mapping[str, Any]) -> MelDiffusion:
    """Return the finished model that a run starts from.

    Raises:
        UserError: the folder holds none, or one whose weights mean something else.
    """
    parent = MelDiffusion.load(folder)
    name = next(n for n in NETWORKS if NETWORKS[n] is type(parent.network))
    space = condition_card["space"]
    run = {
        "network": network_tree(
            config.network.name,
            {"n_mels": config.mel.n_mels, "condition_dim": space["dim"], **resolved_options(config.network)},
        ),
        "mel": as_tree(config.mel),
        "diffusion": {"steps": config.diffusion.steps, "schedule": config.diffusion.schedule},
        "condition": space_tree(space),
    }
    theirs = {
        "network": network_tree(name, parent.network.config),
        # the scale is the parent's, unless another one is configured
        "mel": as_tree(parent.mel if config.mel.mean else replace(parent.mel, mean=(), std=())),
        "diffusion": {"steps": parent.diffusion.steps, "schedule": parent.diffusion.schedule},
        "condition": space_tree(parent.card["condition"]["space"]),
    }
    check_fits(folder, theirs, run)
    return parent


def _train(
    store: ClipStore,
    config: AudioTrainingConfig,
    out: Path,
    progress: Progress,
    condition: tuple[Float32, Mapping[str, Any]],
    parent: MelDiffusion | None,
) -> None:
    device = resolve_device(config.device)
    conditions, condition_card = condition
    content = [store.content_hash, json.dumps(condition_card, sort_keys=True)]
    resolved = as_tree(config) | {"network": {"name": config.network.name, "options": resolved_options(config.network)}}
    config_identity = identity(config)
    if parent is not None:
        content.append(parent.card["weights_sha256"])
    run_identity = identity(config, *content)
    if parent is not None:
        config = replace(config, mel=parent.mel)
    mels = MelSource(store, MelFrontEnd(config.mel, device), cache_mb=config.mel_cache_mb, progress=progress)
    log_mel_range = _set_scale(mels, config)
    network = build(
        config.network,
        n_mels=config.mel.n_mels,
        frames=mels.frames,
        condition_dim=conditions.shape[-1],
        seed=config.train.seed,
    ).to(device)
    if parent is not None:
        network.load_state_dict(parent.network.state_dict())
        log_mel_range = _united(log_mel_range, parent.card.get("log_mel_range", log_mel_range))
    task = AudioTask(config, network, mels, conditions, Diffusion(config.diffusion, device))
    with loop.one_writer() as writes:
        if writes:
            write_json(out / "config.json", resolved)
    outcome = loop.run(task, config.train, out, identity=run_identity, progress=progress, label="audio model")
    card = {
        "identity": run_identity,
        "config": config_identity,
        "clips": store.content_hash,
        "n_clips": len(task.training_rows) + len(task.held_out),
        "condition": condition_card,
        "log_mel_range": log_mel_range,
        "seed": config.train.seed,
        "steps": outcome.steps,
        "loss": outcome.loss,
        "val_loss": outcome.val_loss,
        "seconds": round(outcome.seconds, 1),
        "threads": outcome.threads,
        "precision": described(config.train.precision, device),
    }
    if parent is not None:
        card["init_from"] = lineage(parent.card)
    with loop.one_writer() as writes:
        if writes:
            MelDiffusion(network, mels.front_end.config, config.diffusion, card, device=device).save(out)
            checkpoint.remove(out, keep_newest=config.train.constant_rate)


def _set_scale(mels: MelSource, config: AudioTrainingConfig) -> dict[str, list[float]]:
    """Measure the scale on an even spread of clips, unless it is configured; return each band's range, natural log."""
    chosen = torch.from_numpy(mels.store.rows(config.split))
    rows = chosen[:: max(1, math.ceil(len(chosen) / _SCALE_ROWS))]
    values = mels(rows)
    if not config.mel.mean:
        scaled = measured(config.mel, values, per_band=config.mel_scale == "band")
        mels.front_end = MelFrontEnd(scaled, mels.front_end.device)
    ends = {"low": values.amin(dim=(0, 2)), "high": values.amax(dim=(0, 2))}
    return {end: [round(float(x), 4) for x in bands] for end, bands in ends.items()}


def _united(a: Mapping[str, list[float]], b: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Return the range of the bands over both of two sets."""
    return {
        end: [pick(x, y) for x, y in zip(a[end], b[end], strict=True)] for end, pick in (("low", min), ("high", max))
    }
