"""The models of the study, per seed: two diffusion priors, the audio model of the videos, two supervised baselines."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from clipsonic_eval.config import as_tree
from clipsonic_eval.locate import locate
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.study import Study

AUDIO_TRAINER = "clipsonic.training.audio:train"
PRIOR_TRAINER = "clipsonic.training.prior:train"


class Training(NamedTuple):
    """One model to train: name of its folder, label, trainer, and settings of the trainer."""

    name: str
    label: str
    trainer: str
    config: dict[str, Any]


def train_models(study: Study, seed: int) -> None:
    """Train every model of one seed that is not there yet."""
    world = as_tree(study.config.world)
    for model in trainings(study.config, study.layout, seed):
        folder = study.layout.model(seed, model.name)
        settings = {k: v for k, v in model.config.items() if k != "clips"}
        study.stages.run(
            folder,
            f"{model.label}, seed {seed}",
            [world, model.trainer, settings],
            partial(locate(model.trainer), model.config, folder, progress=study.progress),
        )


def trainings(config: StudyConfig, layout: Layout, seed: int) -> list[Training]:
    """List the models of one seed. Only the supervised baselines are trained on text-audio pairs."""
    clip = {"encoder": "toy-clip", "encoder_weights": config.clip_weights_name()}
    web = {"images": str(layout.world / "pictures")}
    in_domain = {"clips": str(layout.clips("videos")), "captions": str(layout.world / "video_captions.csv")}
    train = {"steps": config.prior_steps, "seed": seed}
    pretrained = {**clip, "data": web, "train": train}
    supervised = {**clip, "data": in_domain, "train": train}
    models = [
        Training("prior-pd", "train the prior (PD: web images)", PRIOR_TRAINER, pretrained),
        Training("prior-sd", "train the prior (SD: in-domain frames)", PRIOR_TRAINER, supervised),
        Training(
            "video", "train the audio model on unlabeled videos", AUDIO_TRAINER, _audio(config, layout, seed, "videos")
        ),
    ]
    if config.supervised:
        for name, encoder in (("clip-tta", "toy-clip"), ("clap-tta", "toy-clap-condition")):
            settings = _audio(config, layout, seed, "pairs", encoder)
            models.append(Training(name, f"train {name.upper()} on text–audio pairs", AUDIO_TRAINER, settings))
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
