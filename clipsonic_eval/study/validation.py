"""The validation split: every system at every guidance scale, and the scale of each network by these runs."""

from __future__ import annotations

from functools import partial
from typing import Final

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


def validation_stages(config: StudyConfig, layout: Layout) -> list[Stage]:
    """List the samplings and the evaluation of the validation split at every guidance scale, with the first seed.

    With one scale there is nothing to choose, and no stage.
    """
    if len(config.guidance_scales) == 1:
        return []
    compared, scales = _compared(config, layout), config.guidance_scales
    found = [sampling_stage(config, layout, system, "val", scale) for system in compared for scale in scales]
    for scale in scales:
        work = partial(score_validation, config, layout, scale)
        after = (*(folder(layout, system, "val", scale) for system in compared), layout.clips(REFERENCES["val"]))
        fingerprint = [config.identity(), scale]
        label = f"validation at guidance {scale:g}"
        found.append(Stage(layout.run(f"val-guidance-{scale:g}"), label, fingerprint, work, after))
    return found


def score_validation(config: StudyConfig, layout: Layout, scale: float, progress: Progress) -> None:
    """Score the systems of the first seed on the validation queries at one guidance scale, and compare them."""
    compared = _compared(config, layout)
    settings = {
        "systems": {system.name: folder(layout, system, "val", scale) for system in compared},
        "pairs": entries.planned_pairs([system.name for system in compared]),
        "n_bootstrap": config.n_boot_validation,
        "examples": 0,
        "tags": tags(config, config.train_seeds[0], "val") | {"guidance": f"{scale:g}"},
    }
    evaluate_split(layout, "val", settings, layout.run(f"val-guidance-{scale:g}"), progress)


def choose_guidance(config: StudyConfig, layout: Layout) -> dict[str, float]:
    """Return the guidance scale of each network by the validation runs, and write how it was chosen.

    The choice is made once, with the models of the first seed, and holds for all seeds.
    """
    if len(config.guidance_scales) == 1:
        return dict.fromkeys(NETWORKS, config.guidance_scales[0])
    runs = {scale: records.read(layout.run(f"val-guidance-{scale:g}")) for scale in config.guidance_scales}
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
