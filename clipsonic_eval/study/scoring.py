"""The study's numbers: guidance chosen on the validation split, the test scored once per seed, the gap of each seed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from clipsonic_eval import records, threads
from clipsonic_eval.config import resolve
from clipsonic_eval.files import write_json
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.gap import Features, GapConfig, measure_gap
from clipsonic_eval.progress import Progress
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.entries import questions
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.sampling import SystemRunner
from clipsonic_eval.study.stages import Stages

CHOICE = "fad"  # lower is better; decided before any number was seen


def choose_guidance(
    config: StudyConfig, at: Layout, runner: SystemRunner, seed: int, stages: Stages, progress: Progress
) -> dict[str, float]:
    """Sample and score the validation split at every scale; return each system's scale of lowest FAD.

    The choice is made once, with the first seed's models, and holds for all seeds.
    """
    names = list(runner.entries)
    done = []
    for scale in config.guidance_scales:
        run = at.run(f"val-guidance-{scale:g}")
        fingerprint = [_fingerprint(config), seed, scale, names]
        stages.run(
            run,
            f"validation at guidance {scale:g}",
            fingerprint,
            partial(_validate, config, at, runner, scale, run, progress),
        )
        done.append((scale, records.read(run)))
    chosen = {}
    for name in names:
        fad = {scale: score.value for scale, record in done if (score := record.score(CHOICE, name))}
        chosen[name] = min(fad, key=lambda scale: (fad[scale], scale))
    write_json(at.root / "guidance.json", {"criterion": f"lowest {CHOICE} on val", "seed": seed, **chosen})
    return chosen


def _validate(
    config: StudyConfig, at: Layout, runner: SystemRunner, scale: float, run: Path, progress: Progress
) -> None:
    folders = {name: runner.sample(name, "val", guidance=scale, sweep=True) for name in runner.entries}
    told = {
        **_common(config, at, config.n_boot_validation),
        "systems": folders,
        "compare": False,
        "examples": 0,
        "tags": _tags(config, "val", train_seed=config.train_seeds[0]) | {"guidance": f"{scale:g}"},
    }
    evaluate(resolve(EvaluateConfig, told), run, progress=progress)


def score_test(
    config: StudyConfig, at: Layout, runner: SystemRunner, seed: int, chosen: Mapping[str, float], progress: Progress
) -> None:
    """Score one seed's systems and the controls on the test queries."""
    folders = {name: runner.sample(name, "test", guidance=chosen[name]) for name in runner.entries}
    beside = {name: at.wavs("test", name, None) for name in ("real-mel", "retrieval")}
    told = {
        **_common(config, at, config.n_boot),
        "systems": {**folders, **beside},
        "real": at.wavs("test", "real", None),
        "controls": ("shuffled", "noise", "halves"),
        "pairs": questions(list(folders)),
        "tags": _tags(config, "test", train_seed=seed),
    }
    evaluate(resolve(EvaluateConfig, told), at.run(f"test-seed-{seed}"), progress=progress)


def score_gap(config: StudyConfig, at: Layout, runner: SystemRunner, seed: int) -> None:
    """Measure the gap of the test queries before and after everything that aims over it."""
    aiming = [name for name, entry in runner.entries.items() if entry.condition]
    with threads.networks():
        features = Features(
            runner.conditions("IQ", "test"),
            runner.conditions("ZS", "test"),
            {name: runner.conditions(name, "test") for name in aiming},
        )
    told = GapConfig(
        source=at.clips("test"), n_bootstrap=config.n_boot, seed=0, tags=_tags(config, "test", train_seed=seed)
    )
    measure_gap(features, told, at.run(f"gap-seed-{seed}"))


def _common(config: StudyConfig, at: Layout, n_boot: int) -> dict[str, Any]:
    return {
        "reference": at.clips("reference"),
        "n_bootstrap": n_boot,
        "n_permutations": max(20, 5 * n_boot),
        "cache": at.cache,
    }


def _tags(config: StudyConfig, split: str, *, train_seed: int) -> dict[str, str]:
    return {"split": split, "train_seed": str(train_seed), "clip_variant": config.clip_variant}


def _fingerprint(config: StudyConfig) -> str:
    return json.dumps(config.identity(), sort_keys=True)
