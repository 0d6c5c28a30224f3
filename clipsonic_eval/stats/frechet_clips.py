"""Squared Fréchet distances of many small Gaussians, one per clip, to one reference (FAD per clip).

A clip of m rows has a root A of m − 1 rows, so the nuclear norm of A Rᵀ, R the reference's root, is that of a matrix
of m − 1 rows: the (m − 1) × (m − 1) matrix A Rᵀ R Aᵀ gives it by its eigenvalues. Nothing of size d × d is made for a
clip. Where the eigenvalues do not give eight digits of the distance, the singular values are computed themselves.

Cost: d² multiplications per row and m³ per clip; 1000 clips of 30 rows in 512 dimensions: 0.5 s on one core.
"""

from __future__ import annotations

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats._nuclear import nuclear_norms
from clipsonic_eval.stats.chunking import chunks
from clipsonic_eval.stats.frechet import RELATIVE_ERROR, Gaussian


def distances_per_clip(clips: Float64, reference: Gaussian) -> Float64:
    """Return the squared Fréchet distance of each clip to a reference, never negative.

    Args:
        clips: (clips, m, d) floating point, m >= 2 rows each.
        reference: of dimension d.

    Returns:
        (clips,) float64.

    Raises:
        ShapeError: another shape, or fewer than two rows per clip.

    Example:
        >>> reference = Gaussian.from_covariance(np.zeros(1), np.eye(1) * 2)
        >>> distances_per_clip(np.array([[[-1.0], [1.0]], [[4.0], [6.0]]]), reference).round(6)
        array([ 0., 25.])
    """
    if clips.ndim != 3 or clips.shape[1] < 2 or clips.shape[2] != len(reference.mean):
        raise ShapeError(
            f"clips must be (clips, at least 2 rows, {len(reference.mean)}) like the reference, got {clips.shape}"
        )
    n, m, d = clips.shape
    result = np.empty(n)
    for part in chunks(n, m * max(d, len(reference.root))):
        rows = clips[part].astype(np.float64)
        mean = rows.mean(axis=1)
        rows -= mean[:, None, :]
        root = (rows[:, 1:] - rows[:, :1] / (1 + np.sqrt(m))) / np.sqrt(m - 1)  # Householder, as for Gaussian.fit
        terms = np.einsum("cij,cij->c", root, root) + reference.trace
        product = (root.reshape(-1, d) @ reference.root.T).reshape(len(rows), m - 1, -1)
        spread = _spreads(product, terms)
        shift = mean - reference.mean
        result[part] = np.einsum("ij,ij->i", shift, shift) + spread  # d² = |μ_a − μ_b|² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½)
    return result


def _spreads(products: Float64, terms: Float64) -> Float64:
    """Return tr Σ_a + tr Σ_b − 2 ‖R_a R_bᵀ‖_*, at least 0: products (clips, r, c), terms (clips,) -> (clips,)."""
    spread = np.zeros(len(terms))
    unsure = np.ones(len(terms), dtype=bool)
    if products.shape[1] <= products.shape[2]:
        norms, bounds = nuclear_norms(products)
        spread = terms - 2 * norms
        unsure = bounds > RELATIVE_ERROR * spread
    if unsure.any():
        spread[unsure] = terms[unsure] - 2 * np.linalg.svd(products[unsure], compute_uv=False).sum(axis=1)
    return np.maximum(spread, 0)
