"""Configuration of the systems, and the check that a query encoder is the one a network was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipsonic.prior.model import check_sampling
from clipsonic.samplers import check_sampler
from clipsonic_eval.bfloat16 import Precision
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import ConfigError, SpaceError
from clipsonic_eval.types import EncoderCard


@dataclass(frozen=True, slots=True, kw_only=True)
class MelSystemConfig:
    """Settings of every system with a trained network.

    Attributes:
        model: folder that ``clipsonic-eval train`` wrote.
        name: name in tables; "": the default of the system.
        encoder: registry name of the query encoder, which must be the one the model was trained with; "": the default
            of the system.
        encoder_weights: weights other than the encoder's default.
        guidance: scale w of classifier-free guidance; 1 is none.
        guidance_interval: lowest and highest noise level t / T with guidance. Outside them the network is evaluated
            once per step instead of twice.
        steps: of the sampler.
        sampler: a name in :data:`clipsonic.samplers.SAMPLERS`.
        spacing: power p of the timesteps of DPM-Solver++, t_i ~ (i / steps)^p: below 1 fewer of them lie at low noise,
            which suits networks of short trainings. None: that of the schedule, see :mod:`clipsonic.samplers`.
        template: prompt template, ``{}`` stands for the prompt. For class labels, for example "a photo of {}" (CLIP) or
            "the sound of {}" (CLAP).
        vocoder: its settings, for example ``{"iterations": 32}`` (Griffin-Lim's defaults where they are left out).
        precision: ``fp32``, or ``bf16`` or ``auto``, which take about half the time on processors made for it and
            change the audio slightly.
        device: ``auto``: a GPU if there is one.
        compile: compile the denoising network (``torch.compile``), which needs a C++ compiler. The first request takes
            seconds to minutes longer.
        channels_last: keep the images of a 2-D network with their channels last, which suits GPUs.
        duration_s: length of the audio, seconds; None: that of the training clips. Other lengths are computed, but the
            network has not learnt them.
    """

    model: Path
    name: str = ""
    encoder: str = ""
    encoder_weights: Path | None = None
    guidance: float = 2.0
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    steps: int = 20
    sampler: str = "dpm-solver++"
    spacing: float | None = None
    template: str = "{}"
    vocoder: Mapping[str, Any] = field(default_factory=dict)
    precision: Precision = "fp32"
    device: str = "auto"
    compile: bool = False
    channels_last: bool = False
    duration_s: float | None = None

    def __post_init__(self) -> None:
        check_sampler(self.sampler, self.steps, self.spacing)
        if self.guidance < 0:
            raise ConfigError(f"guidance must not be negative, got {self.guidance}")
        low, high = self.guidance_interval
        if not 0.0 <= low <= high <= 1.0:
            raise ConfigError(
                f"guidance_interval must be a lowest and a highest noise level from 0 to 1, got {low:g} and {high:g}"
            )
        if self.duration_s is not None and self.duration_s <= 0:
            raise ConfigError(f"duration_s must be above 0, got {self.duration_s}")
        check_template(self.template)

    def unusual(self) -> dict[str, Any]:
        """Return the settings that stand on a card only where they are set, since they move the audio only there.

        Compiled and channels-last networks round differently: the audio moves by float32 rounding.
        """
        given: dict[str, Any] = {
            "spacing": self.spacing,
            "guidance_interval": None if self.guidance_interval == (0.0, 1.0) else list(self.guidance_interval),
            "compile": self.compile,
            "channels_last": self.channels_last,
            "duration_s": self.duration_s,
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorGuidedConfig(MelSystemConfig):
    """Settings of a system with a diffusion prior between text and network.

    Attributes:
        prior: folder of the prior.
        prior_steps: of its sampler.
        prior_guidance: scale of its own classifier-free guidance; 1 is none.
        prior_candidates: k; of k drawn embeddings the one nearest to the text is used. Above 1 it shows in the card,
            since selection by the text raises text-based scores.
    """

    prior: Path
    prior_steps: int = 25
    prior_guidance: float = 1.0
    prior_candidates: int = 1

    def __post_init__(self) -> None:
        MelSystemConfig.__post_init__(self)
        check_sampling(**self.prior_sampling())

    def prior_sampling(self) -> dict[str, Any]:
        """Return steps, guidance and candidates, keywords of :meth:`~clipsonic.prior.model.DiffusionPrior.sample`."""
        return {"steps": self.prior_steps, "guidance": self.prior_guidance, "candidates": self.prior_candidates}


def check_template(template: str) -> None:
    """Check that a prompt template has one place for the prompt.

    Raises:
        ConfigError: it holds ``{}`` not at all or twice.
    """
    if template.count("{}") != 1:
        raise ConfigError(f"template '{template}' must hold {{}} once, where the prompt goes")


def check_space(space: Any, card: EncoderCard, owner: str) -> None:
    """Refuse an encoder other than the one a model was trained with.

    Args:
        space: card of the encoder in training, as JSON.
        card: of the encoder at hand.
        owner: the model, for the error.

    Raises:
        SpaceError: they differ in name, weights, preprocessing or numerics (a card without numerics has version 1).
    """
    here = as_tree(card)
    for part in ("name", "weights_sha256", "preprocessing", "num"):
        if {"num": 1, **space}[part] != here[part]:
            raise SpaceError(
                f"{owner}: trained in the space of {space['name']}+{space['weights_sha256'][:8]} "
                f"({space['preprocessing']}), but queries would be embedded by {card.short} ({card.preprocessing}); "
                "set encoder and encoder_weights to the same"
            )
