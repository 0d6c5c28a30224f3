"""Fréchet distances of many small Gaussians, one per clip, to one and the same reference.

A clip of m rows has a root A of m - 1 rows, so the sum of singular values of A R^T, R the reference's root, is that of
a matrix of m - 1 rows: the eigenvalues of A R^T R A^T, (m - 1) x (m - 1), give it. Nothing of size d x d is made for a
clip. Where they do not give eight digits of the distance, the clip's singular values are computed themselves.

Cost: d^2 multiplications by row and m^3 per clip; 1000 clips of 30 rows in 512 dimensions: 0.5 s on one core.
"""

from __future__ import annotations

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats._nuclear import quick_sums
from clipsonic_eval.stats.frechet import SURE, Gaussian

_BLOCK_VALUES = 4_000_000


def clip_distances(clips: Float64, reference: Gaussian) -> Float64:
    """Return the squared Fréchet distance of each clip to a reference, never negative.

    Args:
        clips: (clips, m, d) floating point, m >= 2 rows of each.
        reference: of dimension d.

    Returns:
        (clips,) float64.

    Raises:
        ShapeError: another shape, or fewer than two rows per clip.
    """
    if clips.ndim != 3 or clips.shape[1] < 2 or clips.shape[2] != len(reference.mean):
        raise ShapeError(
            f"clips must be (clips, at least 2 rows, {len(reference.mean)}) like the reference, got {clips.shape}"
        )
    n, m, d = clips.shape
    result = np.empty(n)
    step = max(1, _BLOCK_VALUES // (m * max(d, len(reference.root))))
    for start in range(0, n, step):
        rows = clips[start : start + step].astype(np.float64)
        mean = rows.mean(axis=1)
        rows -= mean[:, None, :]
        root = (rows[:, 1:] - rows[:, :1] / (1 + np.sqrt(m))) / np.sqrt(m - 1)
        terms = np.einsum("cij,cij->c", root, root) + reference.trace
        product = (root.reshape(-1, d) @ reference.root.T).reshape(len(rows), m - 1, -1)
        spread = _spreads(product, terms)
        shift = mean - reference.mean
        result[start : start + step] = np.einsum("ij,ij->i", shift, shift) + spread
    return result


def _spreads(products: Float64, terms: Float64) -> Float64:
    """Return tr C_a + tr C_b - 2 (sum of singular values), not below 0: (clips, r, c) and (clips,) -> (clips,)."""
    spread = np.zeros(len(terms))
    unsure = np.ones(len(terms), dtype=bool)
    if products.shape[1] <= products.shape[2]:
        sums, bounds = quick_sums(products)
        spread = terms - 2 * sums
        unsure = bounds > SURE * spread
    if unsure.any():
        spread[unsure] = terms[unsure] - 2 * np.linalg.svd(products[unsure], compute_uv=False).sum(axis=1)
    return np.maximum(spread, 0)
