"""Evaluate: folders of wavs in; scores with intervals, paired tests and a record out.

Four steps, one after the other: plan, embed, score, write. Embeddings are cached by the content of the audio, so that
a killed evaluation resumes; everything after them takes seconds.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

from clipsonic_eval import outputs, provenance
from clipsonic_eval.config import as_tree, portable
from clipsonic_eval.harness.cache import usable_cache
from clipsonic_eval.harness.embed import embed
from clipsonic_eval.harness.evaluation_config import EvaluateConfig
from clipsonic_eval.harness.plan import plan
from clipsonic_eval.harness.resolve import Conventions, Encoders
from clipsonic_eval.harness.score import score
from clipsonic_eval.harness.write import write
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.records import RunRecord

__all__ = ["EvaluateConfig", "evaluate"]

_TIMED = ("plan", "embed", "score")


def evaluate(
    config: EvaluateConfig,
    out: Path | None,
    *,
    progress: Progress = SILENT,
    encoders: Encoders | None = None,
    conventions: Conventions | None = None,
    command: str = "evaluate",
    overwrite: bool = False,
) -> RunRecord:
    """Score systems on the same queries; write a run folder, or only return the record.

    Args:
        config: of the evaluation.
        out: the run folder; None: nothing is written but the cache of embeddings. It receives ``scores.csv``,
            ``comparisons.csv``, ``per_clip.csv``, ``skipped.csv``, ``findings.csv``, ``examples.npz`` (mel
            spectrograms of a few clips), ``clips.parquet`` (values of all clips) and, last, so that its presence says
            that the run is complete, ``record.json``.
        progress: shows every clip, metric and system.
        encoders: by role, already in memory; other roles are loaded as configured.
        conventions: not registered ones, by name; ``config.metrics`` may name them.
        command: that the folder belongs to.
        overwrite: replace another run of the same command in ``out``.

    Returns:
        The record, as written.

    Raises:
        UserError: a folder or table is missing or empty, a metric that was named cannot be computed, no system has any
            usable audio, or ``out`` holds something else.
    """
    cache = usable_cache(config.cache)
    times = [time.perf_counter()]
    with ExitStack() as stack:
        if out is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            folder = Path(out)
            stack.enter_context(outputs.claim(folder, command, config.identity(), overwrite=overwrite))

        planned = plan(config, encoders=encoders, conventions=conventions)
        for note in planned.notes:
            progress.note(note)
        times.append(time.perf_counter())

        sizes = {"batch_size": config.batch_size, "workers": config.workers}
        embedded = embed(planned, cache=cache, scratch=folder, seed=config.seed, progress=progress, **sizes)
        times.append(time.perf_counter())

        draws = {"n_boot": config.n_bootstrap, "n_permutations": config.n_permutations, "seed": config.seed}
        record = score(embedded, progress=progress, **draws)
        times.append(time.perf_counter())

        record = dataclasses.replace(
            record,
            tags=dict(config.tags),
            config=portable(as_tree(config)),
            provenance=provenance.collect(),
            timings_s={step: round(b - a, 3) for step, (a, b) in zip(_TIMED, pairwise(times), strict=True)},
        )
        if out is not None:
            write(record, folder, embedded, examples=config.examples, seed=config.seed)
    return record
