"""The models of the study, per seed: two diffusion priors, the audio model of the videos, two supervised baselines."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from clipsonic_eval.locate import locate
from clipsonic_eval.progress import Progress
from clipsonic_eval.study.config import AUDIO_RECIPE, StudyConfig
from clipsonic_eval.study.data import world_identity
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.stage import Stage

AUDIO_TRAINER = "clipsonic.training.audio:train"
PRIOR_TRAINER = "clipsonic.training.prior:train"
NETWORKS = ("video", "clip-tta", "clap-tta")  # the audio models


_LABELS = {
    "prior-pd": "train the prior (PD: web images)",
    "prior-sd": "train the prior (SD: in-domain frames)",
    "video": "train the audio model on unlabeled videos",
    "clip-tta": "train CLIP-TTA on text–audio pairs",
    "clap-tta": "train CLAP-TTA on text–audio pairs",
}


def training_stages(config: StudyConfig, layout: Layout, seed: int) -> list[Stage]:
    """List the trainings of one seed; those that take longest are first."""
    found = []
    for name, (trainer, settings) in trainings(config, layout, seed).items():
        fingerprint = [world_identity(config), trainer, {k: v for k, v in settings.items() if k != "clips"}]
        folder = layout.model(seed, name)
        work = partial(_train, trainer, settings, folder)
        after = layout.world if name == "prior-pd" else layout.clips("pairs" if name.endswith("-tta") else "videos")
        found.append(Stage(folder, f"{_LABELS[name]}, seed {seed}", fingerprint, work, (after,)))
    return found


def _train(trainer: str, settings: dict[str, Any], folder: Path, progress: Progress) -> None:
    locate(trainer)(settings, folder, progress=progress)


def trainings(config: StudyConfig, layout: Layout, seed: int) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return trainer and settings of each model of one seed, by the name of its folder.

    Only the supervised baselines are trained on text-audio pairs.
    """
    clip = {"encoder": "toy-clip", "encoder_weights": config.clip_weights_name()}
    web = {"images": str(layout.world / "pictures")}
    in_domain = {"clips": str(layout.clips("videos")), "captions": str(layout.world / "video_captions.csv")}
    train = {"steps": config.prior_steps, "seed": seed}
    models: dict[str, tuple[str, dict[str, Any]]] = {"video": (AUDIO_TRAINER, _audio(config, layout, seed, "videos"))}
    if config.supervised:
        models["clip-tta"] = (AUDIO_TRAINER, _audio(config, layout, seed, "pairs", "toy-clip"))
        models["clap-tta"] = (AUDIO_TRAINER, _audio(config, layout, seed, "pairs", "toy-clap-condition"))
    models["prior-pd"] = (PRIOR_TRAINER, {**clip, "data": web, "train": train})
    models["prior-sd"] = (PRIOR_TRAINER, {**clip, "data": in_domain, "train": train})
    return models


def _audio(
    config: StudyConfig, layout: Layout, seed: int, part: str, text_encoder: str | None = None
) -> dict[str, Any]:
    encoder = text_encoder or "toy-clip"
    weights = config.clip_weights_name() if encoder == "toy-clip" else None
    return {
        "clips": str(layout.clips(part)),
        "condition": {"kind": "text" if text_encoder else "image", "encoder": encoder, "encoder_weights": weights},
        **AUDIO_RECIPE,
        "train": {**AUDIO_RECIPE["train"], "steps": config.audio_steps, "seed": seed},
    }
