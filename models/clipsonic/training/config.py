"""What a training run can be told; see ``models/clipsonic/configs`` for complete examples."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clipsonic.conditions import ConditionSpec
from clipsonic.diffusion import DiffusionConfig
from clipsonic.mel import MelConfig
from clipsonic.networks import NetworkConfig
from clipsonic.precision import Precision
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.hashing import config_hash

# what may differ between a run and its continuation: it changes when things happen, not what comes out
_RUNTIME_KEYS = ("checkpoint_every", "max_minutes", "log_every", "validate_every")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """The optimisation, for any model.

    Attributes:
        steps: optimiser steps in all. A run whose rate does not depend on it (``final_lr_ratio`` 1) can be made longer
            later: the same command with more steps goes on, to the result of one run of that many.
        batch_size: items of a step over all processes together.
        learning_rate: peak; linear warm-up, then a cosine to ``final_lr_ratio`` of it.
        warmup: steps.
        final_lr_ratio: of the peak, at the last step; 1: the rate stays constant after the warm-up.
        weight_decay: AdamW's, on weights of two and more dimensions only.
        betas: AdamW's.
        gradient_clip: largest gradient norm.
        ema: decay of the average of the weights, which is what is kept; ``min(ema, (1 + step) / (10 + step))``.
        precision: ``bf16`` computes matrix products and convolutions in bfloat16 (weights, sums and the optimiser stay
            float32); ``auto``: so where the processor has instructions for it.
        seed: of weights, batches and noise.
        checkpoint_every: steps.
        log_every: steps.
        validate_every: steps.
        validation: clips held out for the validation loss: at most this many and at most a tenth.
        max_minutes: stop at a checkpoint after so long; the same command goes on.
    """

    steps: int = 4000
    batch_size: int = 64
    learning_rate: float = 2e-3
    warmup: int = 200
    final_lr_ratio: float = 0.0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    gradient_clip: float = 1.0
    ema: float = 0.995
    precision: Precision = "auto"
    seed: int = 0
    checkpoint_every: int = 500
    log_every: int = 50
    validate_every: int = 500
    validation: int = 128
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "checkpoint_every", "log_every", "validate_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"train.{name} must be at least 1")
        if self.learning_rate <= 0 or self.gradient_clip <= 0 or not 0 <= self.ema < 1:
            raise ConfigError("train: learning_rate and gradient_clip must be above 0, ema in [0, 1)")
        if self.validation < 0 or self.warmup < 0:
            raise ConfigError("train: validation and warmup must not be negative")

    @property
    def constant_rate(self) -> bool:
        """Whether no step depends on how many there are in all."""
        return self.final_lr_ratio == 1


@dataclass(frozen=True, slots=True)
class AudioTrainingConfig:
    """Everything that decides an audio model.

    Attributes:
        clips: folder of prepared clips.
        split: only the clips of this split; None: all.
        condition: what a clip is conditioned on.
        condition_dropout: share of the items that see the null condition.
        mel: layout.
        mel_scale: ``band``: each mel band to zero mean and unit deviation; ``global``: all with the same two numbers.
        mel_cache_mb: the log-mels of all clips are kept in memory if they take no more; else made on the fly, with the
            sound of the next batch read in the background (at most 256 MiB of it). The numbers are the same.
        network: which, and its options.
        diffusion: schedule and loss.
        train: the optimisation.
        device: ``auto``: a GPU if there is one.
        init_from: folder of a finished model whose weights and mel scale the run starts from (fine-tuning); network,
            mel layout, noise schedule and condition space must be its own.
    """

    clips: Path
    split: str | None = None
    condition: ConditionSpec = field(default_factory=ConditionSpec)
    condition_dropout: float = 0.1
    mel: MelConfig = field(default_factory=MelConfig)
    mel_scale: Literal["band", "global"] = "band"
    mel_cache_mb: int = 1024
    network: NetworkConfig = field(default_factory=NetworkConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    device: str = "auto"
    init_from: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.condition_dropout < 1:
            raise ConfigError("condition_dropout must be in [0, 1)")


def settings_of(config: Any) -> dict[str, Any]:
    """Return the settings that decide a result: the configuration without paths and pace.

    Where the learning rate does not depend on the number of steps, neither does the state after any of them, and it is
    not among them either.
    """
    tree: dict[str, Any] = as_tree(config)
    for key in ("clips", "mel_cache_mb", "device", "init_from"):
        tree.pop(key, None)
    if isinstance(tree.get("condition"), dict):
        tree["condition"].pop("encoder_weights", None)
    for key in _RUNTIME_KEYS:
        tree.get("train", {}).pop(key, None)
    if config.train.constant_rate:
        tree["train"].pop("steps")
    return tree


def identity(config: Any, *content_hashes: str) -> str:
    """Return the hash of what decides a result: its settings, and the data's hashes."""
    return config_hash([settings_of(config), *content_hashes])
