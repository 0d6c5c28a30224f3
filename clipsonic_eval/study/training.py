"""The study's trainings: two priors, the network of the videos, and the two supervised baselines, per seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clipsonic_eval.config import as_tree
from clipsonic_eval.locate import locate
from clipsonic_eval.progress import Progress
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.stages import Stages

AUDIO_TRAINER = "clipsonic.training.audio:train"
PRIOR_TRAINER = "clipsonic.training.prior:train"


@dataclass(frozen=True, slots=True)
class Training:
    """One model to train: its folder's name, its trainer and what the trainer is told."""

    name: str
    label: str
    trainer: str
    config: dict[str, Any]


def trainings(config: StudyConfig, at: Layout, seed: int) -> list[Training]:
    """List the models of one seed; the supervised baselines see text-audio pairs, the others never do."""
    clip = {"encoder": "toy-clip", "encoder_weights": _text(config.clip_weights)}
    web = {"pictures": str(at.world / "pictures")}
    own = {"clips": str(at.clips("videos")), "captions": str(at.world / "video_captions.csv")}
    models = [
        Training("prior-pd", "train the prior (PD: web pictures)", PRIOR_TRAINER, _prior(config, seed, clip, web)),
        Training("prior-sd", "train the prior (SD: in-domain frames)", PRIOR_TRAINER, _prior(config, seed, clip, own)),
        Training(
            "video", "train the audio model on unlabeled videos", AUDIO_TRAINER, _audio(config, at, seed, "videos")
        ),
    ]
    if config.supervised:
        for name, encoder in (("clip-tta", "toy-clip"), ("clap-tta", "toy-clap-condition")):
            told = _audio(config, at, seed, "pairs", encoder)
            models.append(Training(name, f"train {name.upper()} on text–audio pairs", AUDIO_TRAINER, told))
    return models


def _audio(config: StudyConfig, at: Layout, seed: int, part: str, text_encoder: str | None = None) -> dict[str, Any]:
    encoder = text_encoder or "toy-clip"
    weights = config.clip_weights if encoder == "toy-clip" else None
    condition = {"kind": "text" if text_encoder else "image", "encoder": encoder, "encoder_weights": _text(weights)}
    return {
        "clips": str(at.clips(part)),
        "condition": condition,
        "train": {"steps": config.audio_steps, "learning_rate": config.learning_rate, "seed": seed},
    }


def _prior(config: StudyConfig, seed: int, clip: dict[str, Any], pairs: dict[str, Any]) -> dict[str, Any]:
    return {**clip, "data": pairs, "train": {"steps": config.prior_steps, "seed": seed}}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def train_models(config: StudyConfig, at: Layout, seed: int, stages: Stages, progress: Progress) -> None:
    """Train every model of one seed that is not there yet."""
    world = as_tree(config.world)
    for model in trainings(config, at, seed):
        folder = at.model(seed, model.name)
        told = {k: v for k, v in model.config.items() if k != "clips"}
        stages.run(
            folder,
            f"{model.label}, seed {seed}",
            [world, model.trainer, told],
            partial(locate(model.trainer), model.config, folder, progress=progress),
        )
