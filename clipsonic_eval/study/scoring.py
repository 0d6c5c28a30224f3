"""The scores of the study on the test queries, and how any split is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from clipsonic_eval.analysis.parts import LIMIT, PART
from clipsonic_eval.config import resolve
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.progress import Progress
from clipsonic_eval.study import entries
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.data import REFERENCES
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.sampling import METRICS, folder, sampling_stage
from clipsonic_eval.study.stage import Stage


def control_stages(config: StudyConfig, layout: Layout) -> list[Stage]:
    """List the controls, sampled on the test queries."""
    return [sampling_stage(config, layout, system, "test") for system in entries.controls(config, layout)]


def test_stages(config: StudyConfig, layout: Layout, scales: Mapping[str, float], seed: int) -> list[Stage]:
    """List the samplings and the evaluation of one seed on the test queries.

    Args:
        config: of the study.
        layout: its folders.
        scales: guidance scale of each network.
        seed: of the trainings.
    """
    systems = entries.systems(config, layout, seed)
    found = [sampling_stage(config, layout, system, "test", scales[system.network]) for system in systems]
    needed = [stage.folder for stage in (*found, *control_stages(config, layout))]
    work = partial(score_test, config, layout, seed)
    fingerprint = [config.identity(), seed, dict(scales)]
    after = (*needed, layout.clips(REFERENCES["test"]))
    found.append(Stage(layout.run(f"test-seed-{seed}"), f"test, seed {seed}", fingerprint, work, after))
    if config.extrapolate:
        work = partial(score_limit, config, layout, seed)
        found.append(Stage(layout.run(f"limit-seed-{seed}"), f"FAD∞, seed {seed}", fingerprint, work, after))
    return found


def score_test(config: StudyConfig, layout: Layout, seed: int, progress: Progress) -> None:
    """Score the systems of one seed and the controls on the test queries."""
    settings = {
        **_tested(config, layout, seed),
        "controls": ("shuffled", "noise", "halves"),
        "pairs": entries.planned_pairs([system.name for system in entries.systems(config, layout, seed)]),
        "tags": tags(config, seed, "test"),
    }
    evaluate_split(layout, "test", settings, layout.run(f"test-seed-{seed}"), progress)


def score_limit(config: StudyConfig, layout: Layout, seed: int, progress: Progress) -> None:
    """Extrapolate the FAD of the same systems, as a run of its own: the planned tests are not among FAD∞."""
    settings = {
        **_tested(config, layout, seed),
        "metrics": ("fad_inf",),
        "compare": False,
        "examples": 0,
        "tags": tags(config, seed, "test") | {PART: LIMIT},
    }
    evaluate_split(layout, "test", settings, layout.run(f"limit-seed-{seed}"), progress)


def _tested(config: StudyConfig, layout: Layout, seed: int) -> dict[str, Any]:
    """Return the wavs of one seed's systems and of the controls, and the resamples of the test."""
    controls = {system.name: folder(layout, system, "test") for system in entries.controls(config, layout)}
    real = controls.pop("real")
    systems = {system.name: folder(layout, system, "test") for system in entries.systems(config, layout, seed)}
    return {"real": real, "systems": {**systems, **controls}, "n_bootstrap": config.n_boot}


def evaluate_split(layout: Layout, split: str, settings: dict[str, Any], out: Path, progress: Progress) -> None:
    """Evaluate folders of wavs on a split, with its own reference and the embeddings that the sampling left."""
    common = {
        "metrics": METRICS,
        "reference": layout.clips(REFERENCES[split]),
        "n_permutations": max(20, 5 * settings["n_bootstrap"]),
        "cache": layout.cache,
        "workers": 1,
    }
    evaluate(resolve(EvaluateConfig, {**common, **settings}), out, progress=progress)


def tags(config: StudyConfig, seed: int, split: str) -> dict[str, str]:
    """Return what tells a run of the study from its others."""
    return {"split": split, "train_seed": str(seed), "clip_variant": config.clip_variant}
