"""A sweep over CLIP variants: the same study on CLIPs with narrower and wider modality gaps.

Everything but the CLIP is the same (videos, captions, network, seeds, guidance), so the figure shows when the
diffusion prior helps and when zero-shot transfer is enough, as far as nothing else moves with the gap: the gap table of
the report gives the geometry of each CLIP variant.
"""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval import outputs
from clipsonic_eval.config import portable
from clipsonic_eval.progress import Progress
from clipsonic_eval.reporting.build import ReportOptions, ReportResult, build
from clipsonic_eval.study.catalogue import CLIPSONIC
from clipsonic_eval.study.data import world
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.stages import Stages
from clipsonic_eval.study.sweep_plan import SweepConfig, study_of, sweep_stages

TITLE = "When does the prior help? CLIP variants with narrower and wider modality gaps"


def run_sweep(
    config: SweepConfig, out: Path, progress: Progress, *, command: str = "", overwrite: bool = False
) -> ReportResult:
    """Train every CLIP variant and run the study with it; resumes where it was stopped.

    Args:
        config: of the sweep.
        out: gets ``clip_variants/``, a folder of models, wavs and runs per CLIP variant, ``world/`` and ``report/``.
        progress: shows bars and notes.
        command: printed in the report as what makes it.
        overwrite: replace a sweep of other settings; what the new ones do not change is kept.

    Raises:
        UserError: ``out`` holds something else.
    """
    with outputs.claim(out, "sweep", portable(config.study.identity()), overwrite=overwrite, keep=True) as changed:
        studies = [(study_of(config, name, out), Layout(out / name, out / "world")) for name in config.clip_variants]
        planned = sweep_stages(config, out)
        stages = Stages(out, progress, 1 + len(planned), config.study.processes)
        first = world(*studies[0])
        if changed:
            stages.discard_others([first, *planned])
        stages.run(first)
        stages.run_all(planned)
        runs = [run for _, layout in studies for run in sorted((layout.root / "runs").iterdir())]
        return build(runs, out / "report", catalogue=CLIPSONIC, options=ReportOptions(TITLE, command), overwrite=True)
