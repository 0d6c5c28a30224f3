"""Which systems a study asks, by their names and settings, as a user would give them to `sample`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clipsonic_eval.analysis.names import PLANNED, with_own_k
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.material import WINDOW_S


@dataclass(frozen=True, slots=True)
class Entry:
    """One system of the study.

    Attributes:
        name: in tables.
        spec: as given to ``clipsonic_eval.systems.resolve``.
        settings: its configuration.
        condition: whether it aims at image embeddings (it then appears in the gap statistics).
    """

    name: str
    spec: str
    settings: dict[str, Any]
    condition: bool = False


def systems(config: StudyConfig, at: Layout, seed: int) -> list[Entry]:
    """List the trained systems of one seed; all of them have a guidance scale."""
    video = _model(config, at, seed, "video") | _clip(config)

    def guided(name: str, prior: str, k: int = 1) -> Entry:
        settings = {**video, "prior": str(at.model(seed, prior)), "prior_candidates": k, "name": name}
        return Entry(name, "clipsonic.systems:PriorGuided", settings, condition=True)

    pairs = {"pictures": str(at.world / "pictures")}
    listed = [
        Entry("IQ", "clipsonic.systems:ImageQueried", video),
        Entry("ZS", "clipsonic.systems:ZeroShot", video),
        guided("PD", "prior-pd"),
        guided("SD", "prior-sd"),
        Entry("mean-shift", "paired_tta.systems:MeanShift", {**video, "pairs": pairs}, condition=True),
    ]
    if config.candidates > 1:
        listed.append(guided(f"PD-best{config.candidates}", "prior-pd", config.candidates))
    if config.supervised:
        clip = _model(config, at, seed, "clip-tta") | _clip(config)
        clap = _model(config, at, seed, "clap-tta") | {"encoder": "toy-clap-condition"}
        listed.append(Entry("CLIP-TTA", "paired_tta.systems:ClipTTA", clip))
        listed.append(Entry("CLAP-TTA", "paired_tta.systems:ClapTTA", clap))
    return listed


def controls(config: StudyConfig, at: Layout) -> list[Entry]:
    """List what stands beside the systems; `real` must be among them."""
    return [
        Entry("real", "clipsonic_eval.systems.controls:RealAudio", {"duration_s": WINDOW_S}),
        Entry("real-mel", "clipsonic.systems:RealMel", {"duration_s": WINDOW_S}),
        Entry("retrieval", "paired_tta.systems:Retrieval", {"clips": str(at.clips("videos")), **_clip(config)}),
    ]


def questions(names: list[str]) -> tuple[str, ...]:
    """Return the planned comparisons, ``A:B``, among these systems."""
    return tuple(f"{a}:{b}" for a, b in with_own_k(PLANNED, names) if a in names and b in names)


def _model(config: StudyConfig, at: Layout, seed: int, name: str) -> dict[str, Any]:
    return {"model": str(at.model(seed, name)), "steps": config.sampler_steps, "precision": config.precision}


def _clip(config: StudyConfig) -> dict[str, Any]:
    return {"encoder": "toy-clip", "encoder_weights": None if config.clip_weights is None else str(config.clip_weights)}
