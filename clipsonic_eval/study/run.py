"""Run a study from nothing to its report, or from wherever it was stopped."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clipsonic_eval import outputs, records
from clipsonic_eval.config import as_tree, portable
from clipsonic_eval.files import write_json
from clipsonic_eval.progress import Progress
from clipsonic_eval.reporting.build import ReportConfig, ReportResult, build
from clipsonic_eval.study import entries, scoring
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.material import make_material, sources
from clipsonic_eval.study.sampling import SystemRunner
from clipsonic_eval.study.stages import Stages
from clipsonic_eval.study.training import train_models, trainings

TITLE = "The study in miniature: IQ, ZS, PD and supervised systems in a toy world"


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a study came to.

    Attributes:
        at: its folders.
        report: what was written for a person.
        guidance: chosen on the validation split, by system.
        timings_s: of every stage, interrupted tries not counted.
        seconds: of this call.
        peak_mib: largest memory of this process or one of its workers, MiB.
    """

    at: Layout
    report: ReportResult
    guidance: Mapping[str, float]
    timings_s: Mapping[str, float]
    seconds: float
    peak_mib: float

    def as_json(self) -> dict[str, Any]:
        """Return the result as JSON-serialisable values."""
        return {
            "report": str(self.report.out),
            "headline": self.report.headline,
            "guidance": dict(self.guidance),
            "timings_s": dict(self.timings_s),
            "seconds": round(self.seconds, 1),
            "peak_mib": round(self.peak_mib),
        }


def run_study(
    config: StudyConfig,
    out: Path,
    progress: Progress,
    *,
    command: str = "",
    world: Path | None = None,
    overwrite: bool = False,
) -> StudyResult:
    """Do every stage that is not done.

    Args:
        config: what.
        out: the study's folder; one that holds a study of other settings is an error. More training seeds may be added.
        progress: told of everything.
        command: printed in the report as what makes it.
        world: media files of another study with the same world, used instead of writing them again.
        overwrite: replace a study of other settings.

    Raises:
        UserError: ``out`` holds something else.
    """
    started = time.perf_counter()
    at = Layout(out, world)
    with outputs.claim(out, "demo", portable(config.identity()), overwrite=overwrite):
        write_json(at.root / "study.json", {"config": as_tree(config)})
        stages = Stages(at.root, progress, _number_of_stages(config, at))
        make_material(config, at, stages, progress)
        for seed in config.train_seeds:
            train_models(config, at, seed, stages, progress)
        chosen = _score_all(config, at, stages, progress)
        told = ReportConfig((at.root / "runs",), at.report, title=TITLE, command=command, overwrite=True)
        report = stages.always("tables, figures and words", lambda: build(told))
    seconds = time.perf_counter() - started
    return StudyResult(at, report, chosen, stages.timings(), seconds, _peak_mib())


def _number_of_stages(config: StudyConfig, at: Layout) -> int:
    material = 1 + len(sources(config, at))
    by_seed = sum(len(trainings(config, at, seed)) + 2 for seed in config.train_seeds)  # its test and its gap
    scored = len(config.guidance_scales) + len(entries.controls(config, at))
    return material + by_seed + scored + 1  # the report


def _score_all(config: StudyConfig, at: Layout, stages: Stages, progress: Progress) -> dict[str, float]:
    """Sample and score: validation first, then the test split, seed by seed."""
    first = config.train_seeds[0]
    runners = {s: SystemRunner(entries.systems(config, at, s), at, s, progress) for s in config.train_seeds}
    chosen = scoring.choose_guidance(config, at, runners[first], first, stages, progress)
    plain = SystemRunner(entries.controls(config, at), at, None, progress)
    for name in plain.entries:
        stages.run(
            at.wavs("test", name, None), f"control {name}", config.identity(), partial(plain.sample, name, "test")
        )
    for seed, runner in runners.items():
        told = [config.identity(), seed, chosen]
        stages.run(
            at.run(f"test-seed-{seed}"),
            f"test, seed {seed}",
            told,
            partial(scoring.score_test, config, at, runner, seed, chosen, progress),
        )
        stages.run(
            at.run(f"gap-seed-{seed}"),
            f"modality gap, seed {seed}",
            told,
            partial(scoring.score_gap, config, at, runner, seed),
        )
    return chosen


def _peak_mib() -> float:
    scale = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss is in bytes there, in KiB elsewhere
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / scale


def screen(result: StudyResult) -> str:
    """Return what a person reads at the end: the test of the first seed, what it means, and where everything lies."""
    runs = sorted(p for p in (result.at.root / "runs").glob("test-seed-*"))
    record = records.read(runs[0])
    metrics = ("fad", "clap_score", "class_accuracy")
    lines = ["", f"{'system':<12}" + "".join(f"{m:>28}" for m in metrics)]
    for name in dict.fromkeys(s.system for s in record.scores):
        scores = [record.score(m, name) for m in metrics]
        if any(scores):
            lines.append(f"{name:<12}" + "".join(f"{_cell(s):>28}" for s in scores))
    n = max((s.n for s in record.scores), default=0)
    lines += [
        "",
        f"95 % intervals over {n} test queries, training seed {record.tags.get('train_seed')} of {len(runs)}; "
        "FAD lower is better, the others higher.",
        *([result.report.headline] if result.report.headline else []),
        "This is a toy world; what it shows and what it does not show stands in the report.",
        "",
        f"report   {result.report.out / 'README.md'}",
        f"figures  {result.report.out / 'figures'}",
        f"sounds   {result.at.root}/seed-*/wavs/test/<system>/<query>.wav",
        f"videos   {result.at.world / 'test'}",
        f"done in {result.seconds / 60:.1f} min (all stages {sum(result.timings_s.values()) / 60:.1f} min), "
        f"peak memory {result.peak_mib / 1024:.1f} GiB",
    ]
    return "\n".join(lines)


def _cell(score: Any) -> str:
    if score is None:
        return "–"
    interval = f" [{score.ci[0]:.3g}, {score.ci[1]:.3g}]" if score.ci else ""
    return f"{score.value:.3g}{interval}"
