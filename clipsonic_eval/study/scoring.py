"""The scores of the study: guidance chosen on the validation split, test and modality gap measured per seed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from clipsonic_eval import records, threads
from clipsonic_eval.config import resolve
from clipsonic_eval.files import write_json
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.gap import Features, GapConfig, measure_gap
from clipsonic_eval.study import entries
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.data import REFERENCES
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.probes import read_conditions
from clipsonic_eval.study.sampling import SystemRunner
from clipsonic_eval.study.study import Study

METRICS = ("fad", "clap_score", "class_accuracy", "count_accuracy", "size_error")  # on the test queries
CRITERION = "fad"  # lower is better; decided before any number was seen


def score_all(study: Study) -> dict[str, float]:
    """Sample and score everything: the validation split first, then controls, test and modality gap seed by seed.

    Returns:
        The guidance scale of each system.
    """
    config, layout, stages = study.config, study.layout, study.stages
    runners = [SystemRunner(study, entries.systems(config, layout, seed), seed) for seed in config.train_seeds]
    guidance = choose_guidance(study, runners[0])
    controls = SystemRunner(study, entries.controls(config, layout), None)
    for name in controls.systems:
        sample = partial(controls.sample, name, "test")
        stages.run(layout.wavs("test", name, None), f"control {name}", config.identity(), sample)
    for runner in runners:
        seed = runner.seed
        fingerprint = [config.identity(), seed, guidance]
        test = partial(score_test, study, runner, guidance)
        stages.run(layout.run(f"test-seed-{seed}"), f"test, seed {seed}", fingerprint, test)
        gap = partial(score_gap, study, runner)
        stages.run(layout.run(f"gap-seed-{seed}"), f"modality gap, seed {seed}", fingerprint, gap)
    return guidance


def number_of_stages(config: StudyConfig, layout: Layout) -> int:
    """Return how many stages :func:`score_all` has."""
    per_seed = 2  # test and gap
    return len(config.guidance_scales) + len(entries.controls(config, layout)) + per_seed * len(config.train_seeds)


def choose_guidance(study: Study, runner: SystemRunner) -> dict[str, float]:
    """Sample and score the validation split at every guidance scale; return each system's scale of lowest FAD.

    The choice is made once, with the models of the first seed, and holds for all seeds.
    """
    names = list(runner.systems)
    scored = []
    for scale in study.config.guidance_scales:
        run = study.layout.run(f"val-guidance-{scale:g}")
        fingerprint = [study.fingerprint(), runner.seed, scale, names]
        validate = partial(_validate, study, runner, scale, run)
        study.stages.run(run, f"validation at guidance {scale:g}", fingerprint, validate)
        scored.append((scale, records.read(run)))
    chosen = {}
    for name in names:
        fad = {scale: score.value for scale, record in scored if (score := record.score(CRITERION, name))}
        chosen[name] = min(fad, key=lambda scale: (fad[scale], scale))
    choice = {"criterion": f"lowest {CRITERION} on val", "seed": runner.seed, **chosen}
    write_json(study.layout.root / "guidance.json", choice)
    return chosen


def _validate(study: Study, runner: SystemRunner, scale: float, run: Path) -> None:
    settings = {
        **_common(study, "val", study.config.n_boot_validation),
        "systems": {name: runner.sample(name, "val", guidance=scale, sweep=True) for name in runner.systems},
        "compare": False,
        "examples": 0,
        "tags": _tags(study, runner, "val") | {"guidance": f"{scale:g}"},
    }
    evaluate(resolve(EvaluateConfig, settings), run, progress=study.progress)


def score_test(study: Study, runner: SystemRunner, guidance: Mapping[str, float]) -> None:
    """Score the systems of one seed and the controls on the test queries.

    Args:
        study: at work.
        runner: of the seed.
        guidance: scale of each system.
    """
    folders = {name: runner.sample(name, "test", guidance=guidance[name]) for name in runner.systems}
    controls = {name: study.layout.wavs("test", name, None) for name in ("real-mel", "retrieval")}
    settings = {
        **_common(study, "test", study.config.n_boot),
        "metrics": METRICS,
        "systems": {**folders, **controls},
        "real": study.layout.wavs("test", "real", None),
        "controls": ("shuffled", "noise", "halves"),
        "pairs": entries.planned_pairs(list(folders)),
        "tags": _tags(study, runner, "test"),
    }
    evaluate(resolve(EvaluateConfig, settings), study.layout.run(f"test-seed-{runner.seed}"), progress=study.progress)


def score_gap(study: Study, runner: SystemRunner) -> None:
    """Measure the modality gap of the test queries, and what is left of it after each system that bridges it."""
    bridges = [name for name, system in runner.systems.items() if system.bridges_gap]
    with threads.networks():
        image, text = runner.conditions("IQ", "test"), runner.conditions("ZS", "test")
        bridging = {name: runner.conditions(name, "test") for name in bridges}
    probes = read_conditions(study.layout, {"image": image, "text": text, **bridging}, n_boot=study.config.n_boot)
    features = Features(image, text, bridging, probes=probes)
    config = GapConfig(
        source=study.layout.clips("test"),
        n_bootstrap=study.config.n_boot,
        seed=0,
        tags=_tags(study, runner, "test"),
    )
    measure_gap(features, config, study.layout.run(f"gap-seed-{runner.seed}"))


def _common(study: Study, split: str, n_boot: int) -> dict[str, Any]:
    return {
        "reference": study.layout.clips(REFERENCES[split]),
        "n_bootstrap": n_boot,
        "n_permutations": max(20, 5 * n_boot),
        "cache": study.layout.cache,
    }


def _tags(study: Study, runner: SystemRunner, split: str) -> dict[str, str]:
    return {"split": split, "train_seed": str(runner.seed), "clip_variant": study.config.clip_variant}
