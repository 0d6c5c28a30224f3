"""The validation split: systems at several values of a setting, and the guidance scale of each network by its runs.

Guidance scales are tried first, with every system; the other settings after the choice, each with the systems that have
it, at the scale of their network and everything else as in the test. All are tried with the first seed alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from clipsonic_eval import records
from clipsonic_eval.files import write_json
from clipsonic_eval.progress import Progress
from clipsonic_eval.study import entries, guidance
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.data import REFERENCES
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.sampling import folder, sampling_stage
from clipsonic_eval.study.scoring import evaluate_split, tags
from clipsonic_eval.study.stage import Stage
from clipsonic_eval.study.training import NETWORKS

CRITERION: Final = "fad"  # lower is better; decided before any number was seen
GUIDANCE: Final = "guidance"
Scales = Mapping[str, float]  # guidance scale of each network


class _Tried(NamedTuple):
    """A setting that is tried; its name in the study is the tag of its runs.

    Attributes:
        values: of the setting.
        option: its name among the settings of a system.
        usual: the value that the systems have in the test.
        systems: those that are varied.
        beside: those that are scored beside them as they are.
    """

    values: Sequence[float]
    option: str = ""
    usual: float = 0.0
    systems: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


def _tried(config: StudyConfig) -> dict[str, _Tried]:
    """Return the settings that are tried beside guidance, by name; none of one value, none without a validation."""
    if len(config.guidance_scales) == 1:
        return {}
    every = {
        "fraction": _Tried(config.shift_fractions, "fraction", 1.0, ("mean-shift",), ("IQ", "PD")),
        "steps": _Tried(config.tried_steps, "steps", config.sampler_steps, ("PD",)),
        "candidates": _Tried(config.tried_candidates, "prior_candidates", 1, ("PD",)),
    }
    return {name: tried for name, tried in every.items() if len(tried.values) > 1}


def guidance_stages(config: StudyConfig, layout: Layout) -> list[Stage]:
    """List the samplings and evaluations of the validation split at every guidance scale, with the first seed.

    With one scale there is nothing to choose, and no stage.
    """
    if len(config.guidance_scales) == 1:
        return []
    return _stages(config, layout, GUIDANCE, config.guidance_scales, {})


def setting_stages(config: StudyConfig, layout: Layout, scales: Scales) -> list[Stage]:
    """List the samplings and evaluations at the values of the other settings, with the first seed.

    Args:
        config: of the study.
        layout: its folders.
        scales: guidance scale of each network, of those that were tried.
    """
    tried = _tried(config).items()
    return [stage for name, one in tried for stage in _stages(config, layout, name, one.values, scales)]


def _stages(config: StudyConfig, layout: Layout, setting: str, values: Sequence[float], scales: Scales) -> list[Stage]:
    """List the samplings that only this setting needs, then an evaluation for each of its values."""
    found, evaluations = [], []
    for value in values:
        sampled = _at(config, layout, setting, value, scales)
        new = [(s, scale) for s, scale in sampled if setting == GUIDANCE or s.changed]
        found += [sampling_stage(config, layout, system, "val", scale) for system, scale in new]
        work = partial(score_validation, config, layout, setting, value, scales)
        after = (*(folder(layout, system, "val", scale) for system, scale in sampled), layout.clips(REFERENCES["val"]))
        fingerprint = [config.identity(), setting, value, dict(scales)]
        out = layout.run(_run(setting, value))
        evaluations.append(Stage(out, f"validation at {setting} {value:g}", fingerprint, work, after))
    return [*found, *evaluations]


def score_validation(
    config: StudyConfig, layout: Layout, setting: str, value: float, scales: Scales, progress: Progress
) -> None:
    """Score the systems of the first seed on the validation queries at one value of a setting, and compare them.

    Of settings beside guidance only the planned pairs with a varied system are compared. Their values are tested
    against each other by influences, which must agree with an interval of as many resamples as the test has.
    """
    sampled = _at(config, layout, setting, value, scales)
    names = [system.name for system, _ in sampled]
    varied = names if setting == GUIDANCE else _tried(config)[setting].systems
    pairs = tuple(pair for pair in entries.planned_pairs(names) if not set(varied).isdisjoint(pair.split(":")))
    settings = {
        "systems": {system.name: folder(layout, system, "val", scale) for system, scale in sampled},
        "pairs": pairs,
        "compare": bool(pairs),
        "n_bootstrap": config.n_boot_validation if setting == GUIDANCE else config.n_boot,
        "examples": 0,
        "tags": tags(config, config.train_seeds[0], "val") | {setting: f"{value:g}"},
    }
    evaluate_split(layout, "val", settings, layout.run(_run(setting, value)), progress)


def _run(setting: str, value: float) -> str:
    return f"val-{setting}-{value:g}"


def _at(
    config: StudyConfig, layout: Layout, setting: str, value: float, scales: Scales
) -> list[tuple[entries.StudySystem, float]]:
    """Return the systems that are scored at a value of a setting, each with its guidance scale."""
    compared = _compared(config, layout)
    if setting == GUIDANCE:
        return [(system, value) for system in compared]
    tried = _tried(config)[setting]
    shown = [system for system in compared if system.name in (*tried.systems, *tried.beside)]
    return [
        (
            system.at(tried.option, value) if system.name in tried.systems and value != tried.usual else system,
            scales[system.network],
        )
        for system in shown
    ]


def choose_guidance(config: StudyConfig, layout: Layout) -> dict[str, float]:
    """Return the guidance scale of each network by the validation runs, and write how it was chosen.

    The choice is made once, with the models of the first seed, and holds for all seeds.
    """
    if len(config.guidance_scales) == 1:
        return dict.fromkeys(NETWORKS, config.guidance_scales[0])
    runs = {scale: records.read(layout.run(_run(GUIDANCE, scale))) for scale in config.guidance_scales}
    networks: dict[str, list[str]] = {}
    for system in _compared(config, layout):
        networks.setdefault(system.network, []).append(system.name)
    choices = {}
    for network, names in networks.items():
        scores = {scale: {name: record.score(CRITERION, name) for name in names} for scale, record in runs.items()}
        fad = {scale: {name: score for name, score in found.items() if score} for scale, found in scores.items()}
        choices[network] = {"systems": names, **guidance.choose(fad)}
    rule = f"smallest scale with a mean {CRITERION} on val within one standard error of the lowest"
    tree = {"rule": rule, "seed": config.train_seeds[0], "networks": choices}
    write_json(layout.root / "guidance.json", tree)
    return {network: choice["scale"] for network, choice in choices.items()}


def _compared(config: StudyConfig, layout: Layout) -> list[entries.StudySystem]:
    """List the systems of the first seed without the ablations."""
    return [s for s in entries.systems(config, layout, config.train_seeds[0]) if not s.ablation]
