"""Configuration of a study. The defaults are the demo; ``FAST`` runs every stage in the least time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.bfloat16 import Precision
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.toyworld.write import WorldConfig

# What every audio model of the study is trained with, beside the number of steps. The toy_*.yaml of models and
# baselines hold the same, and reports/recipe/search.yaml is a search around it.
AUDIO_RECIPE: Final[dict[str, Any]] = {
    "network": {"name": "unet2d"},
    "diffusion": {
        "schedule": "rectified-flow",
        "weighting": "flow",
        "timesteps": "logit-normal",
        "timesteps_shift": 1.0,
        "timesteps_uniform": 0.5,
    },
    "train": {"batch_size": 32, "optimizer": "muon", "learning_rate": 3e-3, "warmup": 50, "ema": 0.998},
}
_LEAST_FOR_LIMIT: Final = 128  # twice the dimensions of toy-audio
_TRIED: Final = ("shift_fractions", "tried_steps", "tried_candidates")


@dataclass(frozen=True, slots=True)
class StudyConfig:
    """A study over the toy world.

    Attributes:
        world: sizes of the toy world.
        train_seeds: one set of trainings per seed, all on the same clips and tested on the same queries.
        clip_variant: name of the CLIP in the records.
        clip_weights: another CLIP than the shipped one (a CLIP variant of the sweep).
        supervised: also train the supervised baselines CLIP-TTA and CLAP-TTA.
        candidates: k of the best-of-k prior, an ablation of PD beside k = 1; 1 leaves it out.
        prior_guidance: guidance scale of the prior itself in another ablation of PD, beside 1; 1 leaves it out.
        audio_steps: optimiser steps of each audio model.
        prior_steps: optimiser steps of each diffusion prior.
        guidance_scales: tried on the validation split; the systems of a network are tested at the one scale that
            :func:`clipsonic_eval.study.guidance.choose` takes for it.
        guidance_interval: noise levels (shares of the schedule) where guidance acts; below, the condition hardly
            matters, and one evaluation of the network does instead of two.
        shift_fractions: of mean-shift's shift, tried on the validation split; 0 is ZS, 1 what is tested. This and the
            next two change nothing else of the study; fewer than two values, or one guidance scale, and none is tried.
        tried_steps: of the sampler, tried with PD.
        tried_candidates: k of the best-of-k prior, tried with PD.
        extrapolate: also extrapolate the FAD of the test to infinitely many clips (FAD∞).
        sampler_steps: of DPM-Solver++.
        sampler_spacing: power of its timesteps, chosen on the validation split (``reports/sampler``).
        vocoder_iterations: of Griffin-Lim; those of the lowest FAD of real sounds (``reports/vocoder``).
        precision: of sampling; ``auto`` takes bfloat16 where the processor has instructions for it.
        n_boot: bootstrap resamples and permutations.
        n_boot_validation: the same for the choice of guidance.
        processes: stages at a time, each with one thread; changes no result.
    """

    world: WorldConfig = field(default_factory=WorldConfig)
    train_seeds: tuple[int, ...] = (0,)
    clip_variant: str = "toy-clip"
    clip_weights: Path | None = None
    supervised: bool = True
    candidates: int = 4
    prior_guidance: float = 2.0
    audio_steps: int = 1200
    prior_steps: int = 1000
    guidance_scales: tuple[float, ...] = (1.0, 3.0, 5.0)
    guidance_interval: tuple[float, float] = (0.3, 1.0)
    shift_fractions: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
    tried_steps: tuple[int, ...] = (5, 10, 20)
    tried_candidates: tuple[int, ...] = (1, 2, 4)
    extrapolate: bool = True
    sampler_steps: int = 10
    sampler_spacing: float = 0.5
    vocoder_iterations: int = 8
    precision: Precision = "auto"
    n_boot: int = 2000
    n_boot_validation: int = 200
    processes: int = 2

    def __post_init__(self) -> None:
        if not self.train_seeds or len(set(self.train_seeds)) != len(self.train_seeds):
            raise ConfigError("train_seeds must be at least one number, none twice")
        if not self.guidance_scales or min(self.guidance_scales) < 1:
            raise ConfigError("guidance_scales must be at least one number, none below 1 (1 is no guidance)")
        for name in _TRIED:
            values = getattr(self, name)
            if len(set(values)) != len(values) or min(values, default=1) < (0 if name == "shift_fractions" else 1):
                least = "0" if name == "shift_fractions" else "1"
                raise ConfigError(f"{name} must be numbers of at least {least}, none twice")
        if self.extrapolate and self.world.test <= _LEAST_FOR_LIMIT:
            raise ConfigError(
                f"extrapolate needs more than {_LEAST_FOR_LIMIT} test queries, got world.test={self.world.test}: half "
                "of them must be more than the dimensions of the audio embedding; set extrapolate=false"
            )
        if self.candidates < 1 or self.processes < 1:
            raise ConfigError("candidates and processes must be at least 1")
        if self.sampler_steps < 1 or self.vocoder_iterations < 0 or self.sampler_spacing <= 0:
            raise ConfigError(
                "sampler_steps must be at least 1, vocoder_iterations not negative, sampler_spacing above 0"
            )
        if self.prior_guidance < 1:
            raise ConfigError("prior_guidance must be at least 1, which is no guidance")

    def clip_weights_name(self) -> str | None:
        """Return the path of the CLIP weights as text, None for the shipped ones."""
        return None if self.clip_weights is None else str(self.clip_weights)

    def identity(self) -> dict[str, Any]:
        """Return everything that changes a result.

        Training seeds, tried settings and FAD∞ may be added later, and processes change nothing.
        """
        tree: dict[str, Any] = as_tree(self)
        del tree["train_seeds"], tree["world"]["workers"], tree["processes"], tree["extrapolate"]
        for name in _TRIED:
            del tree[name]
        return {**tree, "first_seed": self.train_seeds[0]}


FAST: Final[dict[str, Any]] = {
    "world": {
        "videos": 128,
        "pictures": 256,
        "pairs": 128,
        "val": 24,
        "test": 48,
        "val_reference": 96,
        "reference": 96,
    },
    "candidates": 2,
    "audio_steps": 16,
    "prior_steps": 16,
    "guidance_scales": [1.0, 2.0],
    "shift_fractions": [0.0, 1.0],
    "tried_steps": [2, 5],
    "tried_candidates": [1, 2],
    "extrapolate": False,  # half of its test queries are fewer than the 64 dimensions of the embedding
    "sampler_steps": 5,
    "n_boot": 200,
    "n_boot_validation": 50,
}
