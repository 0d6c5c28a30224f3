"""The models of the study, per seed: two diffusion priors, the audio model of the videos, two supervised baselines."""

from __future__ import annotations

from functools import partial
from typing import Any

from clipsonic_eval.config import as_tree
from clipsonic_eval.locate import locate
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.study import Study

AUDIO_TRAINER = "clipsonic.training.audio:train"
PRIOR_TRAINER = "clipsonic.training.prior:train"


_LABELS = {
    "prior-pd": "train the prior (PD: web images)",
    "prior-sd": "train the prior (SD: in-domain frames)",
    "video": "train the audio model on unlabeled videos",
    "clip-tta": "train CLIP-TTA on text–audio pairs",
    "clap-tta": "train CLAP-TTA on text–audio pairs",
}


def train_models(study: Study, seed: int) -> None:
    """Train every model of one seed that is not there yet."""
    world = as_tree(study.config.world)
    for name, (trainer, config) in trainings(study.config, study.layout, seed).items():
        folder = study.layout.model(seed, name)
        settings = {k: v for k, v in config.items() if k != "clips"}
        study.stages.run(
            folder,
            f"{_LABELS[name]}, seed {seed}",
            [world, trainer, settings],
            partial(locate(trainer), config, folder, progress=study.progress),
        )


def trainings(config: StudyConfig, layout: Layout, seed: int) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return trainer and settings of each model of one seed, by the name of its folder.

    Only the supervised baselines are trained on text-audio pairs.
    """
    clip = {"encoder": "toy-clip", "encoder_weights": config.clip_weights_name()}
    web = {"images": str(layout.world / "pictures")}
    in_domain = {"clips": str(layout.clips("videos")), "captions": str(layout.world / "video_captions.csv")}
    train = {"steps": config.prior_steps, "seed": seed}
    models: dict[str, tuple[str, dict[str, Any]]] = {
        "prior-pd": (PRIOR_TRAINER, {**clip, "data": web, "train": train}),
        "prior-sd": (PRIOR_TRAINER, {**clip, "data": in_domain, "train": train}),
        "video": (AUDIO_TRAINER, _audio(config, layout, seed, "videos")),
    }
    if config.supervised:
        models["clip-tta"] = (AUDIO_TRAINER, _audio(config, layout, seed, "pairs", "toy-clip"))
        models["clap-tta"] = (AUDIO_TRAINER, _audio(config, layout, seed, "pairs", "toy-clap-condition"))
    return models


def _audio(
    config: StudyConfig, layout: Layout, seed: int, part: str, text_encoder: str | None = None
) -> dict[str, Any]:
    encoder = text_encoder or "toy-clip"
    weights = config.clip_weights_name() if encoder == "toy-clip" else None
    return {
        "clips": str(layout.clips(part)),
        "condition": {"kind": "text" if text_encoder else "image", "encoder": encoder, "encoder_weights": weights},
        "train": {"steps": config.audio_steps, "learning_rate": config.learning_rate, "seed": seed},
    }
