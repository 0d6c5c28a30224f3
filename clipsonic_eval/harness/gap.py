"""Gap: paired embeddings in, statistics of the modality gap out.

Embeddings come from prepared clips with image embeddings and prompts, from a file of features (npz, npy or Parquet)
of any encoder, or from a folder of audio and its prompts (:mod:`clipsonic_eval.harness.gap_inputs`). The statistics are
the metrics of :mod:`clipsonic_eval.metrics.gap`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection
from pathlib import Path

from clipsonic_eval import outputs, provenance, threads
from clipsonic_eval.config import as_tree, portable
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.harness.gap_config import Features, GapConfig
from clipsonic_eval.harness.gap_inputs import read
from clipsonic_eval.harness.projection import write_projection
from clipsonic_eval.harness.write import write
from clipsonic_eval.metrics.gap import gap_scores, mean_shifted
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.records import RunRecord

__all__ = ["Features", "GapConfig", "gap", "measure_gap"]

MEAN_SHIFT = "mean-shift"


def gap(
    config: GapConfig,
    out: Path | None,
    *,
    progress: Progress = SILENT,
    encoder: Encoder | None = None,
    overwrite: bool = False,
) -> RunRecord:
    """Measure the modality gap of a source.

    Args:
        config: source, encoder and settings.
        out: the run folder, which receives ``record.json``, the csv files and ``projection.npz``; None: nothing is
            written.
        progress: receives the stages.
        encoder: of the prompts, already in memory.
        overwrite: replace another run of ``gap`` in ``out``.

    Raises:
        UserError: the source is missing, has no pairs, or was embedded by another encoder; ``out`` holds something
            else.
    """
    started = time.perf_counter()
    with contextlib.ExitStack() as stack:
        if out is not None:
            out = Path(out)
            stack.enter_context(outputs.claim(out, "gap", config.identity(), overwrite=overwrite))
        features = read(config, progress, encoder)
        progress.note(f"gap of {len(features.image)} items, {config.n_bootstrap} resamples")
        record = measure_gap(features, config, out)
    progress.note(f"done in {time.perf_counter() - started:.1f} s")
    return record


def measure_gap(features: Features, config: GapConfig, out: Path | None) -> RunRecord:
    """Score paired embeddings that are in memory; ``config`` is recorded as it is, and ``out`` may be None."""
    with threads.matrices(min(features.image.vectors.shape)):
        return _measure(features, config, out)


def _measure(features: Features, config: GapConfig, out: Path | None) -> RunRecord:
    prior = dict(features.prior)
    cross_fitted: Collection[str] = ()
    if config.mean_shift and MEAN_SHIFT not in prior:
        prior[MEAN_SHIFT] = mean_shifted(features.image, features.text)
        cross_fitted = (MEAN_SHIFT,)
    scores = gap_scores(
        features.image, features.text, prior, seed=config.seed, n_boot=config.n_bootstrap, cross_fitted=cross_fitted
    )
    record = RunRecord(
        kind="gap",
        scores=(*scores, *features.probes),
        skipped={"source": features.skipped} if features.skipped else {},
        findings={"source": features.findings} if features.findings else {},
        tags=dict(config.tags),
        config=portable(as_tree(config)),
        provenance=provenance.collect(),
    )
    if out is not None:
        write_projection({"image": features.image, "text": features.text, **prior}, out)
        write(record, out)
    return record
