"""The stages of a sweep over CLIP variants, and the study with each of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import ConfigError, unknown_name
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.plan import after_the_choice, before_the_choice
from clipsonic_eval.study.stage import Stage
from clipsonic_eval.study.training import NETWORKS
from clipsonic_eval.toyencoders.sweep import VARIANTS
from clipsonic_eval.toyencoders.train import train_clip

SHIPPED = "calibrated"  # the CLIP variant in the package: not trained again


@dataclass(frozen=True, slots=True)
class SweepConfig:
    """CLIP variants, and the study on each.

    Attributes:
        clip_variants: names in :data:`clipsonic_eval.toyencoders.sweep.VARIANTS`.
        study: its settings, with one guidance scale, so that nothing is validated, and fewer steps, since CLIP
            variants are compared with each other; the world is written once.
    """

    clip_variants: tuple[str, ...] = tuple(VARIANTS)
    study: StudyConfig = dataclasses.field(
        default_factory=lambda: StudyConfig(
            train_seeds=(0, 1, 2),
            supervised=False,
            candidates=1,
            prior_guidance=1.0,
            extrapolate=False,
            guidance_scales=(3.0,),
            audio_steps=500,
        )
    )

    def __post_init__(self) -> None:
        for name in self.clip_variants:
            if name not in VARIANTS:
                raise unknown_name("CLIP variant", name, VARIANTS)
        if len(self.study.guidance_scales) != 1:
            raise ConfigError("a sweep has one guidance scale, the same for every CLIP variant: study.guidance_scales")


def study_of(config: SweepConfig, name: str, out: Path) -> StudyConfig:
    """Return the study with one CLIP variant."""
    weights = None if name == SHIPPED else out / "clip_variants" / name
    return dataclasses.replace(config.study, clip_variant=name, clip_weights=weights)


def sweep_stages(config: SweepConfig, out: Path) -> list[Stage]:
    """List everything but the world: the trainings of the CLIP variants, then the study with each."""
    found = []
    for name in config.clip_variants:
        if name != SHIPPED:
            variant, folder = VARIANTS[name], out / "clip_variants" / name
            train = partial(train_clip, variant, folder)
            found.append(Stage(folder, f"train CLIP variant {name}", as_tree(variant), train))
    for name in config.clip_variants:
        study, layout = study_of(config, name, out), Layout(out / name, out / "world")
        (scale,) = study.guidance_scales
        scales = dict.fromkeys(NETWORKS, scale)
        after = () if study.clip_weights is None else (study.clip_weights,)
        for stage in (*before_the_choice(study, layout), *after_the_choice(study, layout, scales)):
            found.append(stage._replace(label=f"{name}: {stage.label}", after=(*stage.after, *after)))
    return found
