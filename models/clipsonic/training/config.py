"""Configuration of training runs; see ``models/clipsonic/configs`` for complete examples."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clipsonic.conditions import ConditionSpec
from clipsonic.diffusion import DiffusionConfig
from clipsonic.mel import MelConfig
from clipsonic.networks import NetworkConfig, resolved_options
from clipsonic.prior.data import PairSource
from clipsonic.prior.network import PriorNetworkConfig
from clipsonic.training.execution import Execution, TrainPrecision, chosen
from clipsonic.training.posthoc_ema import exponent
from clipsonic.training.sample_scores import SampleValidationConfig
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.hashing import config_hash

if TYPE_CHECKING:
    import torch

# may differ between a run and its resumption: they change when things happen, not the result
_RUNTIME_KEYS = (
    "checkpoint_every",
    "max_minutes",
    "log_every",
    "validate_every",
    "ema_every",
    "gradient_checkpointing",
    "shard",
    "trackers",
    "project",
)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Optimisation, of any model.

    Attributes:
        steps: optimiser steps in all. A run whose learning rate does not depend on it (``final_lr_ratio`` 1) can be
            extended: the same command with more steps resumes, to the result of one run of that many.
        batch_size: items per step, over all processes together.
        gradient_accumulation: forward and backward passes per step and process, each of an equal part of its share of
            the batch: less memory, the same step but for rounding and the masks of dropout.
        learning_rate: peak; linear warm-up, then cosine decay to ``final_lr_ratio`` of it.
        warmup: steps.
        final_lr_ratio: of the peak, at the last step; 1: constant after the warm-up.
        optimizer: ``adamw``, or ``muon`` for linear layers and the kernels of convolutions and AdamW for the rest, both
            at ``learning_rate``; see :mod:`clipsonic.training.optimizers`.
        weight_decay: decoupled, on weights of two and more dimensions only.
        betas: of AdamW.
        gradient_clip: largest gradient norm.
        ema: decay d of the exponential moving average of the weights, which is what is kept of a run; at step t it is
            min(d, (1 + t) / (10 + t)).
        ema_lengths: of further averages, kept and stored so that the length of the average can be chosen after the run
            (`clipsonic-eval ema`, :mod:`clipsonic.training.posthoc_ema`); [0.05, 0.1] will do.
        ema_every: steps between stored averages; the last step has one.
        precision: of the network; the weights themselves, their average and the optimiser are float32. ``bf16``,
            ``fp16``: weights are cast once a step; in fp16 the loss is scaled, and steps whose gradient overflows are
            left out. ``tf32``: products of a GPU from 10 bits of mantissa. ``fp32``: none of this, nor PyTorch's TF32
            in convolutions. ``auto``: bf16 where the device has instructions for it, else fp16 on a GPU, else fp32.
        compile: compile the network (``torch.compile``), which needs a C++ compiler and minutes at the start.
        channels_last: keep the images of a 2-D network with their channels last, which suits GPUs; ``unet2d`` always
            does.
        gradient_checkpointing: compute the insides of every block a second time for the backward pass instead of
            keeping them: less memory for about a third more time, the same numbers.
        shard: what each of N processes of torchrun keeps 1/N of instead of all: ``optimizer``, AdamW's moments and the
            averages (ZeRO, stage 1, :mod:`clipsonic.training.sharding`); ``weights``, also weights and gradients (stage
            3, :mod:`clipsonic.training.divided`), which are exchanged block by block in every pass. Less memory, the
            same steps but for rounding.
        seed: of weights, batches and noise.
        checkpoint_every: steps between checkpoints.
        log_every: steps between rows of the log.
        validate_every: steps between validation losses.
        validation: size of the held-out set: at most this many items, and at most a tenth of all.
        max_minutes: stop at a checkpoint after this time; the same command resumes.
        trackers: that get the log, by accelerate's names: ``tensorboard``, ``wandb``, ``mlflow``, … One that fails is
            named, and the training goes on without it.
        project: name of the run or project in them.
    """

    steps: int = 4000
    batch_size: int = 64
    gradient_accumulation: int = 1
    learning_rate: float = 2e-3
    warmup: int = 200
    final_lr_ratio: float = 0.0
    optimizer: Literal["adamw", "muon"] = "adamw"
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    gradient_clip: float = 1.0
    ema: float = 0.995
    ema_lengths: tuple[float, ...] = ()
    ema_every: int = 2000
    precision: TrainPrecision = "auto"
    compile: bool = False
    channels_last: bool = False
    gradient_checkpointing: bool = False
    shard: Literal["none", "optimizer", "weights"] = "none"
    seed: int = 0
    checkpoint_every: int = 500
    log_every: int = 50
    validate_every: int = 500
    validation: int = 128
    max_minutes: float | None = None
    trackers: tuple[str, ...] = ()
    project: str = "clipsonic"

    def __post_init__(self) -> None:
        counts = ("steps", "batch_size", "gradient_accumulation")
        for name in (*counts, "checkpoint_every", "log_every", "validate_every", "ema_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"train.{name} must be at least 1")
        for length in self.ema_lengths:
            exponent(length)
        if self.learning_rate <= 0 or self.gradient_clip <= 0 or not 0 <= self.ema < 1:
            raise ConfigError("train: learning_rate and gradient_clip must be above 0, ema in [0, 1)")
        if self.shard != "none" and self.optimizer == "muon":
            raise ConfigError(
                f"train.shard {self.shard}: a step of Muon takes whole matrices, which are not divided over processes; "
                "use train.optimizer adamw, or leave it out"
            )
        if self.validation < 0 or self.warmup < 0:
            raise ConfigError("train: validation and warmup must not be negative")

    def execution(self, device: torch.device) -> Execution:
        """Return how the network is computed on a device; ConfigError where it cannot be."""
        return Execution(chosen(self.precision, device), self.compile, self.gradient_checkpointing)

    @property
    def constant_rate(self) -> bool:
        """Whether the learning rate of a step does not depend on the number of steps."""
        return self.final_lr_ratio == 1


@dataclass(frozen=True, slots=True)
class AudioTrainingConfig:
    """Everything that decides an audio model.

    Attributes:
        clips: folder of prepared clips.
        split: only clips of this split; None: all.
        condition: what a clip is conditioned on.
        condition_dropout: share of the items that get the null condition, for classifier-free guidance.
        mel: layout of the mel spectrogram.
        mel_scale: ``band``: each mel band to zero mean and unit deviation; ``global``: all with the same two numbers.
        crop_s: seconds; every step sees a random stretch of that length of the sound of each clip, whatever frame of
            the clip is its condition, and the model generates that length. None: whole clips.
        mel_cache_mb: MiB; the log-mels of all clips are cached in memory if they take no more, else read from
            ``mel_cache`` or computed on the fly, with what the next batches need read in the background (at most 256
            MiB of it). The numbers are the same.
        mel_cache: folder on disk where the log-mels are kept for this training and later ones.
        readers: threads of each process that read ahead.
        network: name and options of the denoising network.
        diffusion: noise schedule and loss.
        train: the optimisation.
        device: ``auto``: a GPU if there is one.
        init_from: folder of a finished model whose weights and mel scale the run starts from (fine-tuning); network,
            mel layout, noise schedule and condition space must be the same.
        samples: scores of samples while the training goes on, and the best models; None: none. Decides nothing of the
            result.
    """

    clips: Path
    split: str | None = None
    condition: ConditionSpec = field(default_factory=ConditionSpec)
    condition_dropout: float = 0.1
    mel: MelConfig = field(default_factory=MelConfig)
    mel_scale: Literal["band", "global"] = "band"
    crop_s: float | None = None
    mel_cache_mb: int = 1024
    mel_cache: Path | None = None
    readers: int = 2
    network: NetworkConfig = field(default_factory=NetworkConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    device: str = "auto"
    init_from: Path | None = None
    samples: SampleValidationConfig | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.condition_dropout < 1 or self.readers < 1:
            raise ConfigError("condition_dropout must be in [0, 1), and readers at least 1")
        if self.crop_s is not None and not self.crop_s > 0:
            raise ConfigError("crop_s must be above 0 seconds")

    def resolved(self) -> dict[str, Any]:
        """Return the configuration as JSON-serialisable values, all options of the network included."""
        network = {"name": self.network.name, "options": resolved_options(self.network)}
        return {**as_tree(self), "network": network}


@dataclass(frozen=True, slots=True)
class PriorOptimisation(TrainConfig):
    """:class:`TrainConfig` with defaults for a prior."""

    steps: int = 1500
    batch_size: int = 128
    learning_rate: float = 1e-3
    warmup: int = 100
    ema: float = 0.995
    precision: TrainPrecision = "fp32"
    validation: int = 512


@dataclass(frozen=True, slots=True)
class PriorTrainingConfig:
    """Everything that decides a prior.

    Attributes:
        data: the image-caption pairs.
        encoder: registry name of an encoder with an image and a text tower, such as CLIP.
        encoder_weights: weights other than the encoder's default.
        network: size of the transformer. With ``text_tokens`` above 0 the encoder must have a method
            ``text_tokens(texts) -> (hidden states (n, text_tokens, d), mask (n, text_tokens))``.
        condition_dropout: share of the items that get the null condition, for classifier-free guidance.
        train: the optimisation.
        device: ``auto``: a GPU if there is one.
        init_from: folder of a finished prior whose weights and scale the run starts from (fine-tuning); network and
            embedding space must be the same.
    """

    data: PairSource
    encoder: str = "toy-clip"
    encoder_weights: Path | None = None
    network: PriorNetworkConfig = field(default_factory=PriorNetworkConfig)
    condition_dropout: float = 0.1
    train: PriorOptimisation = field(default_factory=PriorOptimisation)
    device: str = "auto"
    init_from: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.condition_dropout < 1:
            raise ConfigError("condition_dropout must be in [0, 1)")


def settings_of(config: Any) -> dict[str, Any]:
    """Return the settings that decide a result: the configuration without paths and logging intervals.

    The number of steps is left out where the learning rate, and so the state after any step, does not depend on it.
    """
    tree: dict[str, Any] = as_tree(config)
    for key in ("clips", "mel_cache_mb", "mel_cache", "readers", "device", "init_from", "samples"):
        tree.pop(key, None)
    if isinstance(tree.get("condition"), dict):
        tree["condition"].pop("encoder_weights", None)
    for key in _RUNTIME_KEYS:
        tree.get("train", {}).pop(key, None)
    if config.train.constant_rate:
        tree["train"].pop("steps")
    return tree


def identity(config: Any, *content_hashes: str) -> str:
    """Return the hash of everything that decides a result: its settings, and the hashes of the data."""
    return config_hash([settings_of(config), *content_hashes])
