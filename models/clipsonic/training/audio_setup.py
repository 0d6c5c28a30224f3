"""What stands before the training of an audio model: checks of the clips, the scale of the log-mels, the network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from clipsonic.networks import build
from clipsonic.training.audio_task import AudioTask, split_clips
from clipsonic.training.config import AudioTrainingConfig
from clipsonic.training.crops import Crops
from clipsonic.training.mel_source import MelSource, united
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.devices import resolve_device
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.progress import SILENT, Progress

if TYPE_CHECKING:
    from clipsonic.model import MelDiffusion
    from clipsonic_eval.clips import ClipStore


def prepare(
    store: ClipStore,
    config: AudioTrainingConfig,
    conditions: Float32,
    *,
    parent: MelDiffusion | None = None,
    progress: Progress = SILENT,
) -> tuple[AudioTask, dict[str, Any]]:
    """Measure the scale of the log-mels and initialise the network.

    Args:
        store: prepared clips.
        config: of the training.
        conditions: (n, k, d) float32 of L2 norm 1.
        parent: finished model whose weights and scale the run starts from.
        progress: shows a bar while log-mels are cached.

    Returns:
        The task, and its part of the card: number of clips and range of the log-mels.
    """
    device = resolve_device(config.device)
    mel = config.mel if parent is None else parent.mel
    reading: dict[str, Any] = {"cache_mb": config.mel_cache_mb, "folder": config.mel_cache, "readers": config.readers}
    mels = MelSource(store, mel, device, **reading, progress=progress)
    log_mel_range = mels.measure_scale(store.rows(config.split), per_band=config.mel_scale == "band")
    network = build(
        config.network,
        n_mels=mel.n_mels,
        frames=Crops(store, mel, config.crop_s, config.train.seed).frames,
        condition_dim=conditions.shape[-1],
        seed=config.train.seed,
    ).to(device)
    if hasattr(network, "standardise_conditions"):
        network.standardise_conditions(torch.from_numpy(conditions).flatten(0, 1) * math.sqrt(conditions.shape[-1]))
    if config.condition.frames == "several" and not getattr(network, "takes_several", False):
        raise ConfigError(
            "condition.frames several: this network takes one vector; use network.name unet2d-diffusers with "
            "network.options.conditioning cross-attention"
        )
    if parent is not None:
        _take_weights(network, parent, config)
        log_mel_range = united(log_mel_range, parent.card.get("log_mel_range", log_mel_range))
    task = AudioTask(config, network, mels, conditions)
    return task, {"n_clips": len(task.training_rows) + len(task.held_out), "log_mel_range": log_mel_range}


def check_clips(store: ClipStore, config: AudioTrainingConfig) -> None:
    """Check before any work that there is something to train on, and a device to train on.

    Raises:
        ConfigError: the clips have another sample rate than the model or are shorter than a crop, there is no such
            device, or it does not compute in the configured precision.
        UserError: the configured split has no clips.
    """
    if store.sample_rate != config.mel.sample_rate:
        raise ConfigError(
            f"the clips are at {store.sample_rate} Hz, but mel.sample_rate is {config.mel.sample_rate}; "
            "prepare them at the model's rate"
        )
    split_clips(store, config)
    Crops(store, config.mel, config.crop_s, config.train.seed)
    config.train.execution(resolve_device(config.device))


def _take_weights(network: Any, parent: MelDiffusion, config: AudioTrainingConfig) -> None:
    """Load a parent's weights.

    Raises:
        ConfigError: they belong to another number of frames.
    """
    try:
        network.load_state_dict(parent.network.state_dict())
    except RuntimeError:  # all else that decides shapes has been compared
        seconds = parent.mel.samples(parent.frames) / parent.mel.sample_rate
        raise ConfigError(
            f"init_from {config.init_from}: its network has learnt offsets of its {parent.frames} frames and takes no "
            f"other length; prepare clips of {seconds:g} s, or set crop_s={seconds:g} for longer ones"
        ) from None
