"""Configuration of the training of a vocoder; ``models/clipsonic/configs/vocoder.yaml`` is a complete example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clipsonic.mel import MelConfig
from clipsonic.training.config import TrainConfig
from clipsonic.vocoders._generators import generator_config
from clipsonic_eval.bfloat16 import Precision
from clipsonic_eval.errors import ConfigError


@dataclass(frozen=True, slots=True)
class VocoderNetworkConfig:
    """The generator.

    Attributes:
        name: ``bigvgan``, or ``vocos``, whose layers work at the rate of the frames.
        options: its size, by the names of its published ``config.json``; ``models/clipsonic/configs/vocoder.yaml``
            states those of BigVGAN-base, and Vocos has those of its paper unless others are given.
    """

    name: Literal["bigvgan", "vocos"] = "bigvgan"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VocoderOptimisation(TrainConfig):
    """:class:`TrainConfig` with BigVGAN's defaults; the learning rate falls along a cosine instead of exponentially."""

    steps: int = 1_000_000
    batch_size: int = 32
    learning_rate: float = 1e-4
    warmup: int = 0
    final_lr_ratio: float = 0.1
    betas: tuple[float, float] = (0.8, 0.99)
    gradient_clip: float = 1000.0
    ema: float = 0.999
    precision: Precision = "fp32"
    checkpoint_every: int = 5000
    validate_every: int = 5000


@dataclass(frozen=True, slots=True)
class VocoderTrainingConfig:
    """Everything that decides a vocoder.

    Attributes:
        clips: folder of prepared clips.
        split: only clips of this split; None: all.
        mel: layout of the mel spectrograms that it reads.
        network: the generator.
        segment_frames: length of the segments of clips that a step sees.
        periods: of the discriminators of waveforms, samples.
        resolutions: of the discriminators of spectrograms: length of the FFT, hop and length of the window, samples.
        discriminator_width: times the published numbers of channels.
        feature_weight: of the feature matching loss.
        mel_weight: of the difference of log-mels, per nat.
        train: the optimisation; AdamW in float32 only.
        device: ``auto``: a GPU if there is one.
        init_from: folder of a finished or published vocoder of this size and layout, whose generator the run starts
            from.
    """

    clips: Path
    split: str | None = None
    mel: MelConfig = field(default_factory=MelConfig)
    network: VocoderNetworkConfig = field(default_factory=VocoderNetworkConfig)
    segment_frames: int = 50
    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    resolutions: tuple[tuple[int, int, int], ...] = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))
    discriminator_width: float = 1.0
    feature_weight: float = 2.0
    mel_weight: float = 45.0
    train: VocoderOptimisation = field(default_factory=VocoderOptimisation)
    device: str = "auto"
    init_from: Path | None = None

    def __post_init__(self) -> None:
        self.generator()
        longest = max((n_fft - hop) // 2 for n_fft, hop, _ in self.resolutions) if self.resolutions else 0
        if self.segment <= max(self.mel.pad, longest):
            raise ConfigError(f"segment_frames {self.segment_frames} is too short for the spectrograms")
        if not self.periods and not self.resolutions:
            raise ConfigError("at least one of periods and resolutions is needed, to judge by")
        if self.train.ema_lengths:
            raise ConfigError("train.ema_lengths: further averages are of audio models and priors; leave it out")
        if self.train.shard == "weights":
            raise ConfigError(
                "train.shard weights: a generator is judged by discriminators whose weights are held constant, and "
                "those of other processes are not there to be held; use train.shard optimizer, or leave it out"
            )
        if self.train.optimizer != "adamw" or self.train.precision != "fp32":
            raise ConfigError("a vocoder is trained with train.optimizer=adamw and train.precision=fp32")

    @property
    def segment(self) -> int:
        """Samples of the segments that a step sees."""
        return self.mel.samples(self.segment_frames)

    def generator(self) -> Any:
        """Return the settings of the generator as they are published.

        Raises:
            ConfigError: there is no such generator.
        """
        return generator_config(self.network.name, self.network.options, self.mel)
