"""Rows of embeddings sorted by the clips that they belong to."""

from __future__ import annotations

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._vectors import clips_of
from clipsonic_eval.stats.pairwise import Rows
from clipsonic_eval.types import Embeddings


def sorted_rows(embeddings: Embeddings, origin: Float64 | None = None) -> Rows:
    """Return the rows in float64, sorted by clip, measured from an origin (d,)."""
    _, clip_of_row = clips_of(embeddings.keys)
    order = np.argsort(clip_of_row, kind="stable")
    vectors = embeddings.vectors[order].astype(np.float64)
    return Rows(vectors if origin is None else vectors - origin, clip_of_row[order])


def one_row_per_clip(rows: Rows) -> Rows:
    """Return the same rows, each counted as a clip of its own, as tools do that know of no clips."""
    return Rows(rows.vectors, np.arange(len(rows.vectors)))


def require_clips(metric: str, embeddings: Embeddings, clips: int, whose: str) -> None:
    """Refuse a set of too few clips.

    Raises:
        ShapeError: it has fewer.
    """
    n = len(set(embeddings.keys))
    if n < clips:
        raise ShapeError(f"{metric} needs at least {clips} clips in the {whose}, got {n}; add clips or leave it out")
