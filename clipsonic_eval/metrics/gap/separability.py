"""Can a linear rule tell two sets apart on items that it has not seen?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError

FOLDS = 5
RIDGE = 1e-3


def separability(x: Float64, y: Float64, keys: Sequence[str]) -> Float64:
    """Return by item how often its two vectors are assigned to the right side: 0, 0.5 or 1, (n,).

    The rule is a linear discriminant (least squares on the side, ridge 1e-3 of the mean variance, threshold midway
    between the projected centroids), fitted on four fifths of the items and tested on the rest; both vectors of an item
    are in the same fold, and folds follow from the keys alone. Mean 0.5: indistinguishable; 1: separable.

    Args:
        x: (n, d).
        y: (n, d).
        keys: (n,) distinct.

    Raises:
        ShapeError: fewer items than folds.
    """
    n = len(keys)
    if n < FOLDS:
        raise ShapeError(f"separability needs at least {FOLDS} items, got {n}")
    order = sorted(range(n), key=lambda i: (seeds.derive(0, keys[i], "separability-fold"), keys[i]))
    fold = np.empty(n, dtype=np.intp)
    fold[order] = np.arange(n) % FOLDS
    right = np.empty(n)
    for held in range(FOLDS):
        test = fold == held
        direction, threshold = _discriminant(x[~test], y[~test])
        right[test] = ((x[test] @ direction > threshold) * 1.0 + (y[test] @ direction < threshold)) / 2
    return right


def _discriminant(x: Float64, y: Float64) -> tuple[Float64, float]:
    """Return direction and threshold of the rule "x lies above"."""
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    rows = np.concatenate([x - mean_x, y - mean_y])
    scatter = rows.T @ rows / len(rows)
    d = len(scatter)
    scatter[np.diag_indices(d)] += RIDGE * max(float(np.trace(scatter)) / d, np.finfo(float).tiny)
    direction = np.linalg.solve(scatter, mean_x - mean_y)
    return direction, float(direction @ (mean_x + mean_y) / 2)
