"""The quality of one point: its samples, and their evaluation under its label."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from clipsonic_eval import filenames, outputs, records
from clipsonic_eval.errors import UserError
from clipsonic_eval.frontier.config import FrontierConfig
from clipsonic_eval.frontier.grid import Point
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.queries import QuerySet
from clipsonic_eval.harness.sample import sample
from clipsonic_eval.records import RunRecord
from clipsonic_eval.systems import resolve

QUALITY: Final = "quality"


def measured(config: FrontierConfig, queries: QuerySet, folder: Path, point: Point) -> RunRecord:
    """Sample and evaluate a point, or read the record that it has.

    Args:
        config: how it is sampled and scored.
        queries: that it answers.
        folder: of the point: receives ``wavs/`` and ``quality/``.
        point: its system and settings.

    Raises:
        UserError: the system cannot be built, answers no query, or cannot be scored.
    """
    wavs, run = folder / "wavs", folder / QUALITY
    system = resolve(point.spec, point.settings)
    done = sample(
        system, queries, wavs, seed=config.seed, batch_size=config.batch_size, name=point.label, overwrite=True
    )
    if not done.n:
        raise UserError(f"no query could be answered; the first reason: {done.skipped[0].reason}")
    wanted = EvaluateConfig(
        systems={point.label: wavs},
        reference=config.reference,
        prompts=config.queries,
        encoders=config.encoders,
        weights=config.weights,
        metrics=config.metrics,
        n_bootstrap=config.n_bootstrap,
        seed=config.seed,
        compare=False,
        tags=point.tags,
        examples=0,
        cache=config.cache,
    )
    if (run / filenames.RECORD).exists() and not outputs.changes(run, "evaluate", wanted.identity()):
        return records.read(run)
    return evaluate(wanted, run, overwrite=True)
