"""Influence function of the squared Fréchet distance: its derivative in the weight of each clip.

The optimal transport map from a set's Gaussian (mean m, covariance S, divisor n − 1) to the other one (μ, Σ) is
T = Σ^½ (Σ^½ S Σ^½)^{−½} Σ^½. The derivative of the cost in m is 2 (m − μ), in S it is I − T. So a row x of n moves the
squared distance, per unit of its weight, by

    2 (m − μ)ᵀ (x − m) / n + ((x − m)ᵀ (I − T) (x − m) − mean over rows) / (n − 1)

The other set's rows have the same with the roles exchanged, and T⁻¹. Where a set has no more rows than dimensions, T
is taken on the range that both share.

Source: A. Takatsu, Wasserstein geometry of Gaussian measures, 2011 (the map); C. Villani, Optimal Transport, 2009
(the derivative of the cost is the potential).
"""

from __future__ import annotations

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.stats.frechet import Gaussian
from clipsonic_eval.stats.pairwise import Rows

_SINGULAR = 1e-14  # eigenvalues below this fraction of the largest are rounding


def frechet_influence(rows: Rows, other: Gaussian) -> Float64:
    """Return the derivative of the squared Fréchet distance in the weight of each clip.

    Weights are 1 where nothing is resampled. One eigenvalue problem serves all clips.

    Args:
        rows: (n, d) of one set, n >= 2.
        other: the Gaussian of the other set, of dimension d; kept fixed.

    Returns:
        (clips,) float64, summing to 0.

    Example:
        >>> rows = Rows(np.array([[0.0], [1.0], [2.0]]), np.arange(3))
        >>> other = Gaussian.from_covariance(np.array([5.0]), np.eye(1))
        >>> frechet_influence(rows, other).round(6)  # clips near the other mean bring the sets closer
        array([ 2.666667,  0.      , -2.666667])
    """
    x = rows.vectors
    n = len(x)
    mean = x.mean(axis=0)
    centred = x - mean
    mapped = centred @ other.root.T
    values, vectors = np.linalg.eigh(mapped.T @ mapped / (n - 1))  # R S Rᵀ, which has the eigenvalues of Σ^½ S Σ^½
    kept = values > _SINGULAR * max(float(values[-1]), 0.0)
    turned = (mapped @ vectors[:, kept]) ** 2
    quadratic = np.einsum("ij,ij->i", centred, centred) - turned @ (1 / np.sqrt(values[kept]))  # xᵀ (I − T) x
    moved = 2 * centred @ (mean - other.mean) / n + (quadratic - quadratic.mean()) / (n - 1)
    return rows.sum_per_clip(moved)
