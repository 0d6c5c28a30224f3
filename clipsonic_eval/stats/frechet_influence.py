"""What each clip does to the squared Fréchet distance, to first order: the derivative of the optimal transport cost.

With the map T = C^1/2 (C^1/2 S C^1/2)^-1/2 C^1/2 that carries a set's Gaussian (mean m, covariance S, divisor n - 1)
onto the other one (u, C), the derivative in m is 2 (m - u), in S it is I - T. So a row x of n moves the distance by

    2 (m - u) (x - m) / n + ((x - m) (I - T) (x - m) - mean over rows) / (n - 1)

for each unit of its weight. The other set's rows have the same with the roles exchanged, and T^-1. Where a set has no
more rows than dimensions, T is taken on the range that both share.

Source: A. Takatsu, Wasserstein geometry of Gaussian measures, 2011 (the map); C. Villani, Optimal Transport, 2009
(the derivative of the cost is the potential).
"""

from __future__ import annotations

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.stats.frechet import Gaussian
from clipsonic_eval.stats.pairwise import Rows

_SINGULAR = 1e-14  # eigenvalues below this fraction of the largest are rounding


def influence(rows: Rows, other: Gaussian) -> Float64:
    """Return the derivative of the squared distance in the weight of each clip, (clips,), summing to 0.

    The weights are 1 where nothing is resampled. One eigenvalue problem serves all clips.

    Args:
        rows: of one set, (n, d), n >= 2.
        other: the Gaussian of the other set, of dimension d; it stays as it is.
    """
    x = rows.vectors
    n = len(x)
    mean = x.mean(axis=0)
    centred = x - mean
    seen = centred @ other.root.T
    values, vectors = np.linalg.eigh(seen.T @ seen / (n - 1))
    kept = values > _SINGULAR * max(float(values[-1]), 0.0)
    turned = (seen @ vectors[:, kept]) ** 2
    quadratic = np.einsum("ij,ij->i", centred, centred) - turned @ (1 / np.sqrt(values[kept]))
    moved = 2 * centred @ (mean - other.mean) / n + (quadratic - quadratic.mean()) / (n - 1)
    return rows.by_clip(moved)
