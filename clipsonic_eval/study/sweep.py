"""A sweep over CLIP variants: the same study on CLIPs with narrower and wider modality gaps.

Everything but the CLIP is the same (videos, captions, network, seeds, guidance), so the figure shows when the
diffusion prior helps and when zero-shot transfer is enough, as far as nothing else moves with the gap: the gap table of
the report gives the geometry of each CLIP variant.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from clipsonic_eval import outputs
from clipsonic_eval.config import as_tree, portable
from clipsonic_eval.errors import unknown_name
from clipsonic_eval.progress import Progress
from clipsonic_eval.reporting.build import ReportResult, build
from clipsonic_eval.study.catalogue import CLIPSONIC
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.run import run_study
from clipsonic_eval.study.stages import Stages
from clipsonic_eval.toyencoders.sweep import VARIANTS
from clipsonic_eval.toyencoders.train import train_clip

SHIPPED = "calibrated"  # the CLIP variant in the package: not trained again
TITLE = "When does the prior help? CLIP variants with narrower and wider modality gaps"


@dataclass(frozen=True, slots=True)
class SweepConfig:
    """CLIP variants, and the study on each.

    Attributes:
        clip_variants: names in :data:`clipsonic_eval.toyencoders.sweep.VARIANTS`.
        study: its settings; the world is written once.
    """

    clip_variants: tuple[str, ...] = tuple(VARIANTS)
    study: StudyConfig = dataclasses.field(
        default_factory=lambda: StudyConfig(supervised=False, candidates=1, guidance_scales=(4.0,))
    )

    def __post_init__(self) -> None:
        for name in self.clip_variants:
            if name not in VARIANTS:
                raise unknown_name("CLIP variant", name, VARIANTS)


def run_sweep(
    config: SweepConfig, out: Path, progress: Progress, *, command: str = "", overwrite: bool = False
) -> ReportResult:
    """Train every CLIP variant and run the study with it; resumes where it was stopped.

    Args:
        config: of the sweep.
        out: gets ``clip_variants/``, a folder per study, ``world/`` and ``report/``.
        progress: shows bars and notes.
        command: printed in the report as what makes it.
        overwrite: replace a sweep of other settings.

    Raises:
        UserError: ``out`` holds something else.
    """
    with outputs.claim(out, "sweep", portable(config.study.identity()), overwrite=overwrite):
        stages = Stages(out, progress)
        runs: list[Path] = []
        for number, name in enumerate(config.clip_variants, 1):
            progress.note(f"• CLIP variant {name}, {number} of {len(config.clip_variants)}")
            weights = None if name == SHIPPED else _clip_variant(name, out / "clip_variants" / name, stages, progress)
            study = dataclasses.replace(config.study, clip_variant=name, clip_weights=weights)
            result = run_study(study, out / name, progress, world=out / "world")
            runs += _test_runs(result.layout.root)
        report = out / "report"
        return build(runs, report, catalogue=CLIPSONIC, title=TITLE, command=command, overwrite=True)


def _clip_variant(name: str, folder: Path, stages: Stages, progress: Progress) -> Path:
    variant = VARIANTS[name]
    stages.run(folder, f"train CLIP variant {name}", as_tree(variant), partial(train_clip, variant, folder, progress))
    return folder


def _test_runs(root: Path) -> Sequence[Path]:
    return sorted(p for p in (root / "runs").iterdir() if not p.name.startswith("val-"))
