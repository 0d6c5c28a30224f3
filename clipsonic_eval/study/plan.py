"""The order of a study: lists of stages, of which any that could start may run side by side."""

from __future__ import annotations

from collections.abc import Mapping

from clipsonic_eval.study import data, gap, scoring, validation
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.stage import Stage
from clipsonic_eval.study.training import NETWORKS, training_stages


def before_the_choice(config: StudyConfig, layout: Layout) -> list[Stage]:
    """List everything between the world and the choice of guidance, and the trainings of the other seeds.

    Of what could start, the first in the list does: trainings and what they need, then the validation.
    """
    first, *others = config.train_seeds
    prepared = data.preparations(config, layout)
    trained = {stage.folder for stage in prepared} - {layout.clips(part) for part in data.HELD_OUT}
    return [
        *(stage for stage in prepared if stage.folder in trained),
        *training_stages(config, layout, first),
        *(stage for stage in prepared if stage.folder not in trained),
        *validation.guidance_stages(config, layout),
        *(stage for seed in others for stage in training_stages(config, layout, seed)),
    ]


def after_the_choice(config: StudyConfig, layout: Layout, scales: Mapping[str, float]) -> list[Stage]:
    """List the controls, the modality gaps, and what depends on the guidance scale of each network.

    That is the validation of the other settings, and every seed's test. The first two could run before the choice too,
    but nothing else could run beside the last of them then.
    """
    return [
        *scoring.control_stages(config, layout),
        *validation.setting_stages(config, layout, scales),
        *(gap.gap_stage(config, layout, seed) for seed in config.train_seeds),
        *(stage for seed in config.train_seeds for stage in scoring.test_stages(config, layout, scales, seed)),
    ]


def all_stages(config: StudyConfig, layout: Layout) -> list[Stage]:
    """List all stages with fingerprints, those after the choice as if it were no guidance."""
    after = after_the_choice(config, layout, dict.fromkeys(NETWORKS, 1.0))
    return [data.world(config, layout), *before_the_choice(config, layout), *after]


def number_of_stages(config: StudyConfig, layout: Layout) -> int:
    """Return how many stages a study has, the report among them."""
    return len(all_stages(config, layout)) + 1
