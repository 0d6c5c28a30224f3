"""Settings of the toy encoders: networks and trainings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clipsonic_eval.errors import ConfigError
from clipsonic_eval.toyworld import SOURCES


@dataclass(frozen=True)
class ToyClipConfig:
    """Network and training of a toy CLIP.

    Attributes:
        seed: of the images and the batches.
        weights_seed: of the initial weights.
        images: number of training images, each with four captions.
        dim: of the shared space.
        widths: of the image tower.
        stride: of the image tower's stem.
        text_width: of the text tower.
        text_layers: of the text tower.
        temperature: of InfoNCE, fixed (CLIP's learnt one ends at 0.01).
        steps: of training.
        batch: pairs per step.
        lr: peak learning rate (linear warm-up, then cosine to a tenth).
        text_lr: of the text tower in units of ``lr``.
        warmup: steps.
        weight_decay: of AdamW.
        validation: held-out images per domain.
        locked_projections: freeze the two final norms and linear projections at their initial values. Where they are
            trained, the two cones turn towards each other (measured, see ``reports/toy_encoders``).
        start_std: initial standard deviation of the start token's embedding (words: 0.02). What all texts share at
            the start is the text tower's cone.
    """

    seed: int = 1
    weights_seed: int = 7
    images: int = 48000
    dim: int = 128
    widths: tuple[int, ...] = (32, 96, 192)
    stride: int = 2
    text_width: int = 64
    text_layers: int = 2
    temperature: float = 0.014
    steps: int = 850
    batch: int = 256
    lr: float = 2e-3
    text_lr: float = 0.3
    warmup: int = 50
    weight_decay: float = 0.01
    validation: int = 4000
    locked_projections: bool = True
    start_std: float = 0.35

    def __post_init__(self) -> None:
        if not 0 < self.temperature < 10:
            raise ConfigError(f"temperature must lie in (0, 10), got {self.temperature}")
        if min(self.images, self.steps, self.batch, self.validation) < 1:
            raise ConfigError("images, steps, batch and validation must be at least 1")

    def network(self, vocabulary: int) -> dict[str, Any]:
        """Return the arguments of the network, as they also stand in the weight file."""
        return {
            "channels": 3,
            "widths": list(self.widths),
            "stride": self.stride,
            "text_width": self.text_width,
            "text_layers": self.text_layers,
            "dim": self.dim,
            "vocabulary": vocabulary,
        }


@dataclass(frozen=True)
class ToyClapConfig:
    """Network and training of a toy CLAP.

    Attributes:
        seed: of the sounds, the initial weights and the batches.
        sounds: number of training sounds, each with four captions.
        dim: of the shared space.
        widths: of the audio tower.
        text_width: of the text tower.
        text_layers: of the text tower.
        temperature: of InfoNCE, fixed; higher than CLIP's, so that matched cosines are high.
        steps: of training.
        batch: pairs per step.
        lr: peak learning rate.
        warmup: steps.
        weight_decay: of AdamW.
        validation: held-out sounds.
    """

    seed: int = 11
    sounds: int = 8000
    dim: int = 128
    widths: tuple[int, ...] = (32, 64, 128)
    text_width: int = 64
    text_layers: int = 2
    temperature: float = 0.1
    steps: int = 600
    batch: int = 128
    lr: float = 1.5e-3
    warmup: int = 50
    weight_decay: float = 0.01
    validation: int = 1000

    def __post_init__(self) -> None:
        if not 0 < self.temperature < 10:
            raise ConfigError(f"temperature must lie in (0, 10), got {self.temperature}")
        if min(self.sounds, self.steps, self.batch, self.validation) < 1:
            raise ConfigError("sounds, steps, batch and validation must be at least 1")

    def network(self, vocabulary: int) -> dict[str, Any]:
        """Return the arguments of the network, as they also stand in the weight file."""
        return {
            "channels": 1,
            "widths": list(self.widths),
            "text_width": self.text_width,
            "text_layers": self.text_layers,
            "dim": self.dim,
            "vocabulary": vocabulary,
        }


@dataclass(frozen=True)
class ToyAudioConfig:
    """Network and training of the audio embedder, with heads for class, size and count.

    Attributes:
        seed: of the sounds, the initial weights and the batches.
        sounds: number of training sounds.
        dim: of the features.
        widths: of the tower.
        steps: of training.
        batch: sounds per step.
        lr: peak learning rate.
        warmup: steps.
        weight_decay: of AdamW.
        validation: held-out sounds.
    """

    seed: int = 31
    sounds: int = 8000
    dim: int = 64
    widths: tuple[int, ...] = (32, 64, 128)
    steps: int = 500
    batch: int = 128
    lr: float = 2e-3
    warmup: int = 50
    weight_decay: float = 0.05
    validation: int = 1000

    def __post_init__(self) -> None:
        if min(self.sounds, self.steps, self.batch, self.validation) < 1:
            raise ConfigError("sounds, steps, batch and validation must be at least 1")

    @property
    def network(self) -> dict[str, Any]:
        """The arguments of the network, as they also stand in the weight file."""
        return {"widths": list(self.widths), "dim": self.dim, "classes": len(self.labels)}

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes: the sound sources of the toy world."""
        return SOURCES


@dataclass(frozen=True)
class ToyEncodersConfig:
    """The four trainings.

    Attributes:
        clip: of toy-clip.
        clap: of toy-clap, which scores.
        clap_condition: of toy-clap-condition, which conditions CLAP-TTA: another seed, so other data and weights.
        audio: of toy-audio (and its class head, toy-audio-classes).
    """

    clip: ToyClipConfig = field(default_factory=ToyClipConfig)
    clap: ToyClapConfig = field(default_factory=ToyClapConfig)
    clap_condition: ToyClapConfig = field(default_factory=lambda: ToyClapConfig(seed=12))
    audio: ToyAudioConfig = field(default_factory=ToyAudioConfig)
