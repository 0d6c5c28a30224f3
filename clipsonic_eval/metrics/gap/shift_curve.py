"""How the distance of the centroids goes when the clouds are moved along the gap: is the gap one translation?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError


def shift_curve(x: Float64, y: Float64, amounts: Sequence[float], side: Literal["both", "x"] = "both") -> Float64:
    """Return the signed distance of the centroids after a shift along the gap, with every vector normalised again.

    The direction is that of mean(x) - mean(y). An amount moves the two sides towards each other (below zero: apart) by
    half of it each, or ``x`` alone by all of it. The sign is negative where the centroids have passed each other.
    If the gap were a pure translation in a flat space, the curve would fall by the amount; normalisation bends it.

    Args:
        x: (n, d) unit vectors.
        y: (n, d) unit vectors.
        amounts: how far, in units of the embedding space.
        side: which side moves.

    Returns:
        (amounts,) signed distances; at 0 the centroid distance itself.

    Raises:
        ShapeError: the centroids coincide, so that there is no direction.

    Source: W. Liang et al., Mind the Gap, NeurIPS 2022, section 5 (embedding shift experiment).
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
