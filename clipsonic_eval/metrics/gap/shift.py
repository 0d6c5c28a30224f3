"""The cheapest way over the gap: move one side by the difference of the centroids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64


def mean_shift(x: Float64, y: Float64, keys: Sequence[str]) -> Float64:
    """Return ``y`` moved onto ``x``, without looking at the item that is moved.

    The items are split in two by their keys; each half is moved by the difference of the centroids of the *other* half
    and normalised again. So the centroids are learnt on other items, as a baseline must.

    Args:
        x: (n, d) unit vectors, the target side.
        y: (n, d) unit vectors.
        keys: (n,) distinct.

    Returns:
        (n, d) unit vectors.
    """
    order = sorted(range(len(keys)), key=lambda i: (seeds.derive(0, keys[i], "mean-shift-half"), keys[i]))
    half = np.zeros(len(keys), dtype=bool)
    half[order[::2]] = True
    moved = np.empty_like(y)
    for part in (half, ~half):
        moved[part] = y[part] + x[~part].mean(axis=0) - y[~part].mean(axis=0)
    result: Float64 = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return result
