"""Run a study from nothing to its report, or from where it was stopped."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clipsonic_eval import outputs
from clipsonic_eval.config import as_tree, portable
from clipsonic_eval.files import write_json
from clipsonic_eval.progress import Progress
from clipsonic_eval.reporting.build import ReportResult
from clipsonic_eval.study import data, plan, report, validation
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.stages import Stages


@dataclass(frozen=True, slots=True)
class StudyResult:
    """Result of a study.

    Attributes:
        layout: its folders.
        report: what was written.
        guidance: scale per network, chosen on the validation split.
        timings_s: seconds of every stage, interrupted attempts not counted.
        seconds: of this call.
        peak_mib: peak memory of all processes together, MiB; an upper bound, the sum of their own peaks.
    """

    layout: Layout
    report: ReportResult
    guidance: Mapping[str, float]
    timings_s: Mapping[str, float]
    seconds: float
    peak_mib: float


def run_study(
    config: StudyConfig,
    out: Path,
    progress: Progress,
    *,
    command: str = "",
    world: Path | None = None,
    overwrite: bool = False,
) -> StudyResult:
    """Run every stage that is not complete.

    Args:
        config: of the study.
        out: folder of the study; one that holds a study of other settings is an error. Training seeds may be added.
        progress: shows bars and notes.
        command: printed in the report as what makes it.
        world: media files of another study with the same world, used instead of writing them again.
        overwrite: replace a study of other settings; what the new ones do not change (the world, trainings) is kept.

    Raises:
        UserError: ``out`` holds something else.
    """
    started = time.perf_counter()
    layout = Layout(out, world)
    with outputs.claim(out, "demo", portable(config.identity()), overwrite=overwrite, keep=True) as changed:
        write_json(layout.root / "study.json", {"config": as_tree(config)})
        stages = Stages(out, progress, plan.number_of_stages(config, layout), config.processes)
        if changed:
            stages.discard_others(plan.all_stages(config, layout))
        stages.run(data.world(config, layout))
        stages.run_all(plan.before_the_choice(config, layout))
        scales = validation.choose_guidance(config, layout)
        stages.run_all(plan.after_the_choice(config, layout, scales))
        made = stages.always("tables, figures and words", lambda: report.write(layout, command))
    seconds = time.perf_counter() - started
    return StudyResult(layout, made, scales, stages.timings(), seconds, stages.peak_mib())
