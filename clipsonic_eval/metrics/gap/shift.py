"""Moving one side of a modality gap along the difference of the centroids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError


def mean_shift(x: Float64, y: Float64, keys: Sequence[str]) -> Float64:
    """Return ``y`` moved onto ``x`` by the difference of the centroids, the cheapest way to close a modality gap.

    The items are split in two by their keys; each half is moved by the difference of the centroids of the *other* half
    and normalised again, so that the centroids are estimated on other items than the one that is moved.

    Args:
        x: (n, d) float64 unit vectors, the target side.
        y: (n, d) float64 unit vectors.
        keys: (n,) distinct.

    Returns:
        (n, d) float64 unit vectors.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> unit = lambda v: v / np.linalg.norm(v, axis=1, keepdims=True)
        >>> x, y = unit(rng.standard_normal((50, 8)) + 2), unit(rng.standard_normal((50, 8)) - 2)
        >>> moved = mean_shift(x, y, [str(i) for i in range(50)])
        >>> gap = lambda a, b: round(float(np.linalg.norm(a.mean(axis=0) - b.mean(axis=0))), 1)
        >>> gap(x, y), gap(x, moved)
        (1.8, 0.0)
    """
    order = sorted(range(len(keys)), key=lambda i: (seeds.derive(0, keys[i], "mean-shift-half"), keys[i]))
    half = np.zeros(len(keys), dtype=bool)
    half[order[::2]] = True
    moved = np.empty_like(y)
    for part in (half, ~half):
        moved[part] = y[part] + x[~part].mean(axis=0) - y[~part].mean(axis=0)  # y + (μx − μy)
    result: Float64 = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return result


def shift_curve(x: Float64, y: Float64, amounts: Sequence[float], side: Literal["both", "x"] = "both") -> Float64:
    """Return the signed distance of the centroids after a shift along the gap, with every vector normalised again.

    The direction is that of mean(x) - mean(y). An amount moves the two sides towards each other (below zero: apart) by
    half of it each, or ``x`` alone by all of it. The sign is negative where the centroids have passed each other. If
    the gap were a pure translation in a flat space, the curve would fall by the amount; normalisation bends it.

    Args:
        x: (n, d) float64 unit vectors.
        y: (n, d) float64 unit vectors.
        amounts: sizes of the shift, in units of the embedding space.
        side: which side moves.

    Returns:
        (amounts,) signed distances; at 0 the centroid distance itself.

    Raises:
        ShapeError: the centroids coincide, so that there is no direction.

    Source: W. Liang et al., Mind the Gap, NeurIPS 2022, section 5 (embedding shift experiment).

    Example:
        >>> x, y = np.tile([1.0, 0.0], (5, 1)), np.tile([0.0, 1.0], (5, 1))
        >>> shift_curve(x, y, [0.0, 1.0, np.sqrt(2)]).round(3).tolist()
        [1.414, 0.562, 0.0]
    """
    difference = x.mean(axis=0) - y.mean(axis=0)
    gap = float(np.linalg.norm(difference))
    if gap < 1e-12:
        raise ShapeError("the two centroids coincide: there is no gap to move along")
    direction = difference / gap
    share_x, share_y = (0.5, 0.5) if side == "both" else (1.0, 0.0)
    curve = np.empty(len(amounts))
    for i, amount in enumerate(amounts):
        moved_x, moved_y = x - share_x * amount * direction, y + share_y * amount * direction
        apart = _unit(moved_x).mean(axis=0) - _unit(moved_y).mean(axis=0)
        curve[i] = np.linalg.norm(apart) * (1.0 if apart @ direction >= 0 else -1.0)
    return curve


def _unit(x: Float64) -> Float64:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    result: Float64 = x / np.maximum(length, np.finfo(np.float64).tiny)
    return result
