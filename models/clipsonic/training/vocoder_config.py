"""Configuration of the training of a vocoder; ``models/clipsonic/configs/vocoder.yaml`` is a complete example."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from clipsonic.mel import MelConfig
from clipsonic.training.config import TrainConfig
from clipsonic.vocoders._bigvgan_network import BigVGANConfig
from clipsonic_eval.bfloat16 import Precision
from clipsonic_eval.errors import ConfigError


@dataclass(frozen=True, slots=True)
class VocoderNetworkConfig:
    """Size of the generator, a BigVGAN; the names are those of its published ``config.json``.

    The defaults are BigVGAN-base's (14 M weights, version 1), at 160 samples per frame.

    Attributes:
        upsample_rates: of each transposed convolution; their product is the hop.
        upsample_kernel_sizes: of each transposed convolution, larger than its rate by an even number.
        upsample_initial_channel: channels before the first; every one halves them.
        resblock: ``1``: two convolutions per dilation, ``2``: one.
        resblock_kernel_sizes: of the residual blocks, which are averaged.
        resblock_dilation_sizes: of their convolutions.
        activation: ``snake``, or ``snakebeta`` with a magnitude of its own.
    """

    upsample_rates: tuple[int, ...] = (5, 4, 2, 2, 2)
    upsample_kernel_sizes: tuple[int, ...] = (11, 8, 4, 4, 4)
    upsample_initial_channel: int = 512
    resblock: Literal["1", "2"] = "1"
    resblock_kernel_sizes: tuple[int, ...] = (3, 7, 11)
    resblock_dilation_sizes: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    activation: Literal["snake", "snakebeta"] = "snakebeta"

    def __post_init__(self) -> None:
        rates, kernels = self.upsample_rates, self.upsample_kernel_sizes
        if len(rates) != len(kernels) or any(k < r or (k - r) % 2 for r, k in zip(rates, kernels, strict=False)):
            raise ConfigError("network: every upsample_kernel_sizes must exceed its upsample_rates by an even number")
        if len(self.resblock_kernel_sizes) != len(self.resblock_dilation_sizes):
            raise ConfigError("network: resblock_dilation_sizes needs a row for each of resblock_kernel_sizes")
        if self.upsample_initial_channel < 2 ** len(rates):
            raise ConfigError(f"network: {len(rates)} halvings leave none of upsample_initial_channel's channels")


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
        network: size of the generator.
        segment_frames: length of the segments of clips that a step sees.
        periods: of the discriminators of waveforms, samples.
        resolutions: of the discriminators of spectrograms: length of the FFT, hop and length of the window, samples.
        discriminator_width: times the published numbers of channels.
        feature_weight: of the feature matching loss.
        mel_weight: of the difference of log-mels, per nat.
        train: the optimisation; AdamW in float32 only.
        device: ``auto``: a GPU if there is one.
        init_from: folder of a finished or published BigVGAN of this size and layout, whose generator the run starts
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
        hop = math.prod(self.network.upsample_rates)
        if hop != self.mel.hop:
            raise ConfigError(f"network: upsample_rates multiply to {hop}, but mel.hop is {self.mel.hop}")
        longest = max((n_fft - hop) // 2 for n_fft, hop, _ in self.resolutions) if self.resolutions else 0
        if self.segment <= max(self.mel.pad, longest):
            raise ConfigError(f"segment_frames {self.segment_frames} is too short for the spectrograms")
        if not self.periods and not self.resolutions:
            raise ConfigError("at least one of periods and resolutions is needed, to judge by")
        if self.train.ema_lengths:
            raise ConfigError("train.ema_lengths: further averages are of audio models and priors; leave it out")
        if self.train.optimizer != "adamw" or self.train.precision != "fp32":
            raise ConfigError("a vocoder is trained with train.optimizer=adamw and train.precision=fp32")

    @property
    def segment(self) -> int:
        """Samples of the segments that a step sees."""
        return self.mel.samples(self.segment_frames)

    def bigvgan(self) -> BigVGANConfig:
        """Return the configuration of the generator as it is published."""
        mel = self.mel
        layout = {
            "num_mels": mel.n_mels,
            "sampling_rate": mel.sample_rate,
            "hop_size": mel.hop,
            "n_fft": mel.n_fft,
            "fmin": mel.fmin,
            "fmax": mel.fmax,
        }
        return BigVGANConfig(**layout, **asdict(self.network))  # type: ignore[arg-type]
