"""What metrics do to vectors first: refuse what cannot be compared, normalise in float64, group per clip."""

from __future__ import annotations

import numpy as np

from clipsonic_eval.arraytypes import Float64, Int
from clipsonic_eval.errors import ShapeError, SpaceError
from clipsonic_eval.types import Embeddings


def check_space(a: Embeddings, b: Embeddings, *, across: bool = False) -> None:
    """Refuse two sets of embeddings that were not made by the same encoder of the same modality.

    Args:
        a: one set.
        b: the other.
        across: they may be of two modalities, e.g. sounds and their prompts.

    Raises:
        SpaceError: name, weights, width, preprocessing or numerics differ, or the modality where it should not.
    """
    left, right = a.space, b.space
    same = (left.name, left.weights_sha256, left.preprocessing, left.num) == (
        right.name,
        right.weights_sha256,
        right.preprocessing,
        right.num,
    )
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
    """Return the vectors divided by their norms, (n, d) float64; also right for norms near the ends of the range.

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
    vectors /= size[:, None]
    result: Float64 = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return result


def clips_of(keys: tuple[str, ...]) -> tuple[tuple[str, ...], Int]:
    """Return the distinct keys, sorted, and for each row which of them it belongs to."""
    distinct = tuple(sorted(set(keys)))
    position = {key: i for i, key in enumerate(distinct)}
    return distinct, np.array([position[key] for key in keys], dtype=np.intp)


def mean_by_clip(values: Float64, clip_of_row: Int, n_clips: int) -> Float64:
    """Return the mean of the rows of each clip: values (rows,) or (rows, k) -> (n_clips,) or (n_clips, k)."""
    sums = np.zeros((n_clips, *values.shape[1:]))
    np.add.at(sums, clip_of_row, values)
    counts = np.bincount(clip_of_row, minlength=n_clips)
    return sums / counts.reshape(-1, *[1] * (values.ndim - 1))


def rows_by_key(embeddings: Embeddings) -> dict[str, int]:
    """Return the row of each key.

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
