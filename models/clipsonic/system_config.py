"""What systems are told, and the check that their encoder is the one that their network knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipsonic.mel import MelConfig
from clipsonic.precision import Precision
from clipsonic.prior.model import check_sampling
from clipsonic.samplers import check_sampler
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import ConfigError, SpaceError
from clipsonic_eval.types import EncoderCard


@dataclass(frozen=True, slots=True, kw_only=True)
class MelSystemConfig:
    """What every system with a trained network is told.

    Attributes:
        model: folder that ``clipsonic-eval train`` wrote.
        name: what tables call the system.
        encoder: registry name of the encoder of queries; must be the one that the model was trained with.
        encoder_weights: weights other than the encoder's own default place.
        guidance: w of ``uncond + w (cond - uncond)``; 1 is none.
        steps: of the sampler.
        sampler: a name in :data:`clipsonic.samplers.SAMPLERS`.
        template: how a prompt is put before it is embedded; ``{}`` stands for it. For class labels, for example
            "a photo of {}" (CLIP) or "the sound of {}" (CLAP).
        precision: ``fp32``, or ``bf16`` or ``auto``, which take about half the time on processors made for it and
            change the sounds a little.
        device: ``auto``: a GPU if there is one.
    """

    model: Path
    name: str = ""
    encoder: str = "toy-clip"
    encoder_weights: Path | None = None
    guidance: float = 2.0
    steps: int = 20
    sampler: str = "dpm-solver++"
    template: str = "{}"
    precision: Precision = "fp32"
    device: str = "auto"

    def __post_init__(self) -> None:
        check_sampler(self.sampler, self.steps)
        if self.guidance < 0:
            raise ConfigError(f"guidance must not be negative, got {self.guidance}")
        if self.template.count("{}") != 1:
            raise ConfigError(f"template '{self.template}' must hold {{}} once, where the prompt goes")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorGuidedConfig(MelSystemConfig):
    """A system with a prior between text and network.

    Attributes:
        prior: folder of the prior.
        prior_steps: of its sampler.
        prior_guidance: its own guidance; 1 is none.
        prior_candidates: k; of k drawn embeddings the one nearest to the text is used. Above 1 it shows in the card,
            since choosing by the text raises text-based scores.
    """

    prior: Path
    prior_steps: int = 25
    prior_guidance: float = 2.0
    prior_candidates: int = 1

    def __post_init__(self) -> None:
        MelSystemConfig.__post_init__(self)
        check_sampling(**self.prior_sampling())

    def prior_sampling(self) -> dict[str, Any]:
        """Return steps, guidance and candidates, keywords of :meth:`~clipsonic.prior.model.DiffusionPrior.sample`."""
        return {
            "steps": self.prior_steps,
            "guidance": self.prior_guidance,
            "candidates": self.prior_candidates,
        }


@dataclass(frozen=True, slots=True)
class RealMelConfig:
    """Which front end, and how much of the query's sound.

    Attributes:
        name: of the system.
        mel: layout.
        vocoder: a name in :data:`clipsonic.vocoders.VOCODERS`.
        duration_s: longer sounds are cut at the end, shorter ones continue in silence; None: as they are, less a
            last piece shorter than a hop.
    """

    name: str = "real-mel"
    mel: MelConfig = field(default_factory=MelConfig)
    vocoder: str = "griffin-lim"
    duration_s: float | None = None

    def __post_init__(self) -> None:
        if self.duration_s is not None and self.duration_s <= 0:
            raise ConfigError("duration_s must be above 0")


def check_space(space: Any, card: EncoderCard, owner: str) -> None:
    """Refuse an encoder that is not the one that something was trained with.

    Args:
        space: the encoder's card as kept in the trained thing's own card.
        card: of the encoder at hand.
        owner: how the error names the trained thing.

    Raises:
        SpaceError: they differ in name, weights, preprocessing or numerics (cards from before these were counted
            stand for their first version).
    """
    here = as_tree(card)
    for part in ("name", "weights_sha256", "preprocessing", "num"):
        if {"num": 1, **space}[part] != here[part]:
            raise SpaceError(
                f"{owner}: trained in the space of {space['name']}+{space['weights_sha256'][:8]} "
                f"({space['preprocessing']}), but queries would be embedded by {card.short} ({card.preprocessing}); "
                "set encoder and encoder_weights to the same"
            )
