"""The systems of the study: their names and settings, as a user would give them to `sample`."""

from __future__ import annotations

from typing import Any, NamedTuple

from clipsonic_eval.study.catalogue import CLIPSONIC
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.data import WINDOW_S
from clipsonic_eval.study.layout import Layout


class StudySystem(NamedTuple):
    """One system of the study.

    Attributes:
        name: name in tables.
        spec: as given to ``clipsonic_eval.systems.resolve``.
        settings: its settings.
        bridges_gap: whether its conditions approximate image embeddings; it is then in the gap statistics.
    """

    name: str
    spec: str
    settings: dict[str, Any]
    bridges_gap: bool = False


def systems(config: StudyConfig, layout: Layout, seed: int) -> list[StudySystem]:
    """List the trained systems of one seed; all of them have a guidance scale."""
    video = _model(config, layout, seed, "video") | _clip(config)

    def guided(name: str, prior: str, k: int = 1) -> StudySystem:
        settings = {**video, "prior": str(layout.model(seed, prior)), "prior_candidates": k, "name": name}
        return StudySystem(name, "clipsonic.systems:PriorGuided", settings, bridges_gap=True)

    pairs = {"images": str(layout.world / "pictures")}
    listed = [
        StudySystem("IQ", "clipsonic.systems:ImageQueried", video),
        StudySystem("ZS", "clipsonic.systems:ZeroShot", video),
        guided("PD", "prior-pd"),
        guided("SD", "prior-sd"),
        StudySystem("mean-shift", "paired_tta.systems:MeanShift", {**video, "pairs": pairs}, bridges_gap=True),
    ]
    if config.candidates > 1:
        listed.append(guided(f"PD-best{config.candidates}", "prior-pd", config.candidates))
    if config.supervised:
        clip = _model(config, layout, seed, "clip-tta") | _clip(config)
        clap = _model(config, layout, seed, "clap-tta") | {"encoder": "toy-clap-condition"}
        listed.append(StudySystem("CLIP-TTA", "paired_tta.systems:ClipTTA", clip))
        listed.append(StudySystem("CLAP-TTA", "paired_tta.systems:ClapTTA", clap))
    return listed


def controls(config: StudyConfig, layout: Layout) -> list[StudySystem]:
    """List the controls, which need no training; `real` must be among them."""
    return [
        StudySystem("real", "clipsonic_eval.systems.controls:RealAudio", {"duration_s": WINDOW_S}),
        StudySystem("real-mel", "paired_tta.systems:RealMel", {"duration_s": WINDOW_S}),
        StudySystem(
            "retrieval", "paired_tta.systems:Retrieval", {"clips": str(layout.clips("videos")), **_clip(config)}
        ),
    ]


def planned_pairs(names: list[str]) -> tuple[str, ...]:
    """Return the planned comparisons among these systems, ``A:B`` each."""
    return tuple(f"{a}:{b}" for a, b in CLIPSONIC.completed(names).planned if a in names and b in names)


def _model(config: StudyConfig, layout: Layout, seed: int, name: str) -> dict[str, Any]:
    return {"model": str(layout.model(seed, name)), "steps": config.sampler_steps, "precision": config.precision}


def _clip(config: StudyConfig) -> dict[str, Any]:
    return {"encoder": "toy-clip", "encoder_weights": config.clip_weights_name()}
