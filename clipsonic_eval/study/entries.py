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
        seed: of its training and sampling; None for controls, which need no training.
        models: trained models that it uses, by name; the first is the network that its guidance scale belongs to.
        bridges_gap: whether its conditions approximate image embeddings; it is then in the gap statistics.
        ablation: a variant of another system, left out of the validation; it has the scale of its network all the same.
        changed: the setting and the value that a system of this name has on the validation split alone, "" for none.
    """

    name: str
    spec: str
    settings: dict[str, Any]
    seed: int | None = None
    models: tuple[str, ...] = ()
    bridges_gap: bool = False
    ablation: bool = False
    changed: str = ""

    @property
    def network(self) -> str:
        """Name of the trained audio model."""
        return self.models[0]

    def at(self, setting: str, value: float) -> StudySystem:
        """Return the system with another value of one setting, under its name."""
        return self._replace(settings={**self.settings, setting: value}, changed=f"{setting} {value:g}")


def systems(config: StudyConfig, layout: Layout, seed: int) -> list[StudySystem]:
    """List the trained systems of one seed, those that are in the validation first; all have a guidance scale."""
    video = _model(config, layout, seed, "video") | _clip(config)
    pairs = {"images": str(layout.world / "pictures")}

    def prior(name: str, model: str, *, ablation: bool = False, **changes: Any) -> StudySystem:
        settings = {**video, "prior": str(layout.model(seed, model)), "name": name, **changes}
        models = ("video", model)
        return StudySystem(
            name, "clipsonic.systems:PriorGuided", settings, seed, models, bridges_gap=True, ablation=ablation
        )

    listed = [
        StudySystem("IQ", "clipsonic.systems:ImageQueried", video, seed, ("video",)),
        StudySystem("ZS", "clipsonic.systems:ZeroShot", video, seed, ("video",)),
        prior("PD", "prior-pd"),
        prior("SD", "prior-sd"),
        # needs no prior, but the embedded pictures that the training of PD's prior leaves
        StudySystem(
            "mean-shift", "paired_tta.systems:MeanShift", {**video, "pairs": pairs}, seed, ("video", "prior-pd"), True
        ),
    ]
    if config.supervised:
        clip = _model(config, layout, seed, "clip-tta") | _clip(config)
        clap = _model(config, layout, seed, "clap-tta") | {"encoder": "toy-clap-condition"}
        listed.append(StudySystem("CLIP-TTA", "paired_tta.systems:ClipTTA", clip, seed, ("clip-tta",)))
        listed.append(StudySystem("CLAP-TTA", "paired_tta.systems:ClapTTA", clap, seed, ("clap-tta",)))
    if config.prior_guidance != 1:
        name = f"PD-guided{config.prior_guidance:g}"
        listed.append(prior(name, "prior-pd", ablation=True, prior_guidance=config.prior_guidance))
    if config.candidates > 1:
        name = f"PD-best{config.candidates}"
        listed.append(prior(name, "prior-pd", ablation=True, prior_candidates=config.candidates))
    return listed


def controls(config: StudyConfig, layout: Layout) -> list[StudySystem]:
    """List the controls, which need no training; `real` must be among them."""
    return [
        StudySystem("real", "clipsonic_eval.systems.controls:RealAudio", {"duration_s": WINDOW_S}),
        StudySystem("real-mel", "paired_tta.systems:RealMel", {"duration_s": WINDOW_S, **_vocoder(config)}),
        StudySystem(
            "retrieval", "paired_tta.systems:Retrieval", {"clips": str(layout.clips("videos")), **_clip(config)}
        ),
    ]


def planned_pairs(names: list[str]) -> tuple[str, ...]:
    """Return the planned comparisons among these systems, ``A:B`` each."""
    return tuple(f"{a}:{b}" for a, b in CLIPSONIC.completed(names).planned if a in names and b in names)


def _model(config: StudyConfig, layout: Layout, seed: int, name: str) -> dict[str, Any]:
    sampling = {
        "steps": config.sampler_steps,
        "spacing": config.sampler_spacing,
        "guidance_interval": config.guidance_interval,
        "precision": config.precision,
        **_vocoder(config),
    }
    return {"model": str(layout.model(seed, name)), **sampling}


def _vocoder(config: StudyConfig) -> dict[str, Any]:
    return {"vocoder": {"iterations": config.vocoder_iterations}}


def _clip(config: StudyConfig) -> dict[str, Any]:
    return {"encoder": "toy-clip", "encoder_weights": config.clip_weights_name()}
