"""Operations on the vectors of embeddings: check of the space, unit length in float64, rows grouped by clip."""

from __future__ import annotations

import numpy as np

from clipsonic_eval.arraytypes import Float64, Int
from clipsonic_eval.errors import ShapeError, SpaceError
from clipsonic_eval.stats.pairwise import Rows
from clipsonic_eval.types import Embeddings


def check_space(a: Embeddings, b: Embeddings, *, across: bool = False) -> None:
    """Refuse two sets of embeddings that do not compare: of two encoders, or of two modalities.

    Args:
        a: (n, d) embeddings.
        b: (m, d) embeddings.
        across: they may be of two modalities, e.g. clips and their prompts.

    Raises:
        SpaceError: name, weights, width, preprocessing or numerics differ, or the modality where it must not.
    """
    left, right = a.space, b.space
    same = all(getattr(left, f) == getattr(right, f) for f in ("name", "weights_sha256", "preprocessing", "num"))
    if not same or a.vectors.shape[1] != b.vectors.shape[1]:
        raise SpaceError(
            f"embeddings of different spaces cannot be compared: {left.short} (d = {a.vectors.shape[1]}, {a.modality}) "
            f"and {right.short} (d = {b.vectors.shape[1]}, {b.modality}); embed both with one encoder"
        )
    if a.modality != b.modality and not across:
        raise SpaceError(
            f"embeddings of {a.modality} and of {b.modality} do not compare as sets, though {left.short} made both: "
            "the modality gap lies between them; take the same modality on both sides"
        )


def unit(embeddings: Embeddings) -> Float64:
    """Return the vectors divided by their norms, (n, d) float64; also exact for very large and very small norms.

    Raises:
        ShapeError: a vector is zero, so that it has no direction.
    """
    vectors = embeddings.vectors.astype(np.float64)
    size = np.abs(vectors).max(axis=1, initial=0.0)
    if not size.all():
        key = embeddings.keys[int(np.flatnonzero(size == 0)[0])]
        raise ShapeError(
            f"the {embeddings.modality} embedding of '{key}' is zero, so it has no direction; leave the item out"
        )
    vectors /= size[:, None]  # so that squares neither overflow nor underflow
    result: Float64 = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return result


def clips_of(keys: tuple[str, ...]) -> tuple[tuple[str, ...], Int]:
    """Return the distinct keys, sorted, and the number of each row's key among them: (rows,) -> (clips,), (rows,)."""
    distinct = tuple(sorted(set(keys)))
    position = {key: i for i, key in enumerate(distinct)}
    return distinct, np.array([position[key] for key in keys], dtype=np.intp)


def mean_per_clip(values: Float64, clip_of_row: Int, n_clips: int) -> Float64:
    """Return the mean of the rows of each clip: values (rows,) or (rows, k) -> (n_clips,) or (n_clips, k)."""
    sums = np.zeros((n_clips, *values.shape[1:]))
    np.add.at(sums, clip_of_row, values)
    counts = np.bincount(clip_of_row, minlength=n_clips)
    return sums / counts.reshape(-1, *[1] * (values.ndim - 1))


def cosines_with_queries(clips: Embeddings, queries: Embeddings) -> dict[str, float]:
    """Return the mean cosine of each clip's rows with those of its query, by key, for the keys that both sides have.

    Args:
        clips: (n, d) embeddings, one or more rows per clip.
        queries: (m, d) embeddings of what was asked, one or more rows per query.
    """
    query_keys, query_of_row = clips_of(queries.keys)
    row_of = {key: i for i, key in enumerate(query_keys)}
    rows = np.array([i for i, key in enumerate(clips.keys) if key in row_of], dtype=np.intp)
    if len(rows) == 0:
        return {}
    own = clips.take(rows)
    asked = mean_per_clip(unit(queries), query_of_row, len(query_keys))  # mean of cosines = cosine with the mean
    cosines = np.einsum("ij,ij->i", unit(own), asked[[row_of[key] for key in own.keys]])  # a·q / (|a| |q|)
    keys, clip_of_row = clips_of(own.keys)
    means = mean_per_clip(cosines, clip_of_row, len(keys))
    return {key: float(value) for key, value in zip(keys, means, strict=True)}


def rows_by_key(embeddings: Embeddings) -> dict[str, int]:
    """Return the row of each key, of embeddings (n, d) with one row per key.

    Raises:
        ShapeError: a key has more than one row.
    """
    rows = {key: i for i, key in enumerate(embeddings.keys)}
    if len(rows) != len(embeddings.keys):
        twice = next(k for i, k in enumerate(embeddings.keys) if rows[k] != i)
        raise ShapeError(
            f"the {embeddings.modality} embeddings hold '{twice}' more than once; one row for each key is needed here"
        )
    return rows


def sorted_rows(embeddings: Embeddings, origin: Float64 | None = None) -> Rows:
    """Return the rows in float64, sorted by clip, measured from an origin (d,)."""
    _, clip_of_row = clips_of(embeddings.keys)
    order = np.argsort(clip_of_row, kind="stable")
    vectors = embeddings.vectors[order].astype(np.float64)
    return Rows(vectors if origin is None else vectors - origin, clip_of_row[order])


def one_row_per_clip(rows: Rows) -> Rows:
    """Return the same rows, (n, d), each counted as a clip of its own, as tools do that know of no clips."""
    return Rows(rows.vectors, np.arange(len(rows.vectors)))


def require_clips(metric: str, embeddings: Embeddings, clips: int, whose: str) -> None:
    """Refuse a set, (rows, d), of too few clips.

    Raises:
        ShapeError: it has fewer.
    """
    n = len(set(embeddings.keys))
    if n < clips:
        raise ShapeError(f"{metric} needs at least {clips} clips in the {whose}, got {n}; add clips or leave it out")
