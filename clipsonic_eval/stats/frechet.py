"""Squared Fréchet distance of two Gaussians, exact to rounding on the sets that break other tools.

    FD(a, b) = |mean_a - mean_b|^2 + tr C_a + tr C_b - 2 tr (C_a C_b)^(1/2)

Conventions: float64 throughout; moments in two passes (mean first, then centred), so that float32 vectors far from the
origin lose nothing; covariance divided by n - 1. A covariance is never formed: a Gaussian keeps a *root* R with
R^T R = C, for which tr (C_a C_b)^(1/2) is the sum of the singular values of R_a R_b^T. That is real and non-negative by
construction, needs no matrix square root, no epsilon and no full rank (n < d is an ordinary case), and does not square
the condition number as an eigenvalue problem of C_a C_b does. Large products are tried by the eigenvalues of P P^T
first, three times quicker, and that is kept where a bound on its rounding says eight digits of the distance or more.

Cost: n d min(n, d) for the moments, then min(n_a, d) min(n_b, d) d for the product and the cube of the smaller of them
for the singular values. Measured beside other packages:
``tox -e benchmarks``, reports/benchmarks.

Source: D. C. Dowson and B. V. Landau, The Fréchet distance between multivariate normal distributions, 1982. The
orthogonal form used near zero: R. Bhatia, T. Jain and Y. Lim, On the Bures-Wasserstein distance between positive
definite matrices, 2019.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import blas, lapack

from clipsonic_eval.arraytypes import Float64, FloatArray
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats._nuclear import quick_sums

BLOCK_ROWS = 512  # rows held in float64 at once while fitting: they stay in the processor's cache
_WELL_CONDITIONED = 1e-4  # reciprocal condition of a Cholesky root from which on its error stays below 1e-11
SURE = 1e-8  # bound on the error of a spread, as a fraction of it, up to which the eigenvalues are kept
_LARGE = 256  # from this rank on they are tried
_CANCELLED = 1e-6  # below this fraction of the summed terms the difference is taken in the orthogonal form


@dataclass(frozen=True, slots=True)
class Gaussian:
    """The first two moments of a set of vectors.

    Attributes:
        n: vectors that it was fitted to (0: not fitted, given).
        mean: (d,) float64.
        root: (r, d) float64 with ``root.T @ root`` the covariance; r = min(n - 1, d).
    """

    n: int
    mean: Float64
    root: Float64

    @classmethod
    def fit(cls, vectors: FloatArray) -> Gaussian:
        """Fit mean and covariance (n - 1) to vectors of shape (n, d); extra memory is a few thousand rows.

        Raises:
            ShapeError: fewer than two vectors, or some value is not finite.
        """
        if vectors.ndim != 2 or len(vectors) < 2 or vectors.shape[1] < 1:
            raise ShapeError(f"a covariance needs at least 2 vectors as an array (n, d), got shape {vectors.shape}")
        n, d = vectors.shape
        mean = _mean(vectors)
        if not np.isfinite(mean).all():
            raise ShapeError("vectors must be finite; some are NaN or infinite, so the encoder or its input is broken")
        if n <= d:
            return cls(n, mean, _contrasts(np.subtract(vectors, mean, dtype=np.float64)) / np.sqrt(n - 1))
        return cls(n, mean, _root(vectors, mean) / np.sqrt(n - 1))

    @classmethod
    def from_covariance(cls, mean: FloatArray, covariance: FloatArray) -> Gaussian:
        """Take moments as given, e.g. somebody's stored reference statistics.

        Args:
            mean: (d,).
            covariance: (d, d), symmetric, no eigenvalue below zero by more than rounding.

        Raises:
            ShapeError: another shape, not finite, not symmetric, or not positive semi-definite.
        """
        matrix = np.asarray(covariance, np.float64)
        centre = np.asarray(mean, np.float64)
        if centre.ndim != 1 or matrix.shape != (len(centre), len(centre)):
            raise ShapeError(f"moments must be (d,) and (d, d), got {centre.shape} and {matrix.shape}")
        if not (np.isfinite(centre).all() and np.isfinite(matrix).all()):
            raise ShapeError("the mean or the covariance holds NaN or infinite values; compute the statistics again")
        size = float(np.abs(matrix).max(initial=0.0))
        if not np.allclose(matrix, matrix.T, rtol=0, atol=1e-8 * size):
            raise ShapeError("the covariance is not symmetric; were mean and covariance swapped or truncated?")
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        if values.min(initial=0.0) < -1e-6 * size:
            raise ShapeError(f"the covariance has the eigenvalue {values.min():.3g}; it must be positive semi-definite")
        return cls(0, centre, np.sqrt(np.maximum(values, 0))[:, None] * vectors.T)

    @property
    def trace(self) -> float:
        """Trace of the covariance."""
        return float(np.einsum("ij,ij->", self.root, self.root))


def _mean(vectors: FloatArray) -> Float64:
    origin = np.zeros(vectors.shape[1])
    total = np.zeros(vectors.shape[1])
    for rows in _centred_blocks(vectors, origin):
        total += np.ones(len(rows)) @ rows
    mean: Float64 = total / len(vectors)
    return mean


def _centred_blocks(vectors: FloatArray, mean: Float64) -> Iterator[Float64]:
    """Yield rows less the mean, always in the same memory."""
    held = np.empty((min(BLOCK_ROWS, len(vectors)), vectors.shape[1]))
    for start in range(0, len(vectors), BLOCK_ROWS):
        part = vectors[start : start + BLOCK_ROWS]
        yield np.subtract(part, mean, out=held[: len(part)], dtype=np.float64)


def _contrasts(centred: Float64) -> Float64:
    """Return n - 1 rows with the same sum of outer products as n rows that sum to zero.

    These are the rows but the first of their reflection that carries the direction (1, ..., 1) onto the first axis. So
    the rank that the mean took is gone, and no singular value is zero only for that.
    """
    rows: Float64 = centred[1:] - centred[0] / (1 + np.sqrt(len(centred)))
    return rows


def _root(vectors: FloatArray, mean: Float64) -> Float64:
    """Return R (d, d) with R^T R the sum of outer products of the centred rows; n > d.

    The Cholesky factor of the sum is five times quicker than a QR factorisation of the rows, and as good while the
    sum is well conditioned; otherwise its rounding errors, relative to the largest eigenvalue, would enter the small
    ones by their square roots, and the rows are factorised.
    """
    d = vectors.shape[1]
    scatter = np.zeros((d, d), order="F")
    for block in _centred_blocks(vectors, mean):
        scatter = blas.dsyrk(1.0, block.T, beta=1.0, c=scatter, overwrite_c=1)  # the upper triangle, in place
    root, failed = lapack.dpotrf(scatter, lower=0, clean=1)
    if not failed and lapack.dtrcon(root)[0] > _WELL_CONDITIONED:
        return np.asarray(root, np.float64)
    result: Float64 = np.empty((0, d))
    for block in _centred_blocks(vectors, mean):
        result = np.asarray(np.linalg.qr(np.concatenate([result, block]), mode="r"))
    return result


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Return the squared Fréchet distance of two Gaussians, never negative.

    Raises:
        ShapeError: the dimensions differ.
    """
    if len(a.mean) != len(b.mean):
        raise ShapeError(f"Gaussians of different dimension, {len(a.mean)} and {len(b.mean)}; use one encoder for both")
    if len(a.root) > len(b.root):
        a, b = b, a
    shift = a.mean - b.mean
    terms = a.trace + b.trace
    product = a.root @ b.root.T
    spread = _spread_by_eigenvalues(product, terms) if len(a.root) >= _LARGE else None
    if spread is None:
        spread = terms - 2 * float(np.linalg.svd(product, compute_uv=False).sum())
    if spread < _CANCELLED * terms:
        spread = _spread_near_zero(a.root, b.root, product)
    return float(shift @ shift) + spread


def _spread_by_eigenvalues(product: Float64, terms: float) -> float | None:
    """Return tr C_a + tr C_b - 2 tr (C_a C_b)^(1/2), or None where rounding may have taken more than it should."""
    sums, bounds = quick_sums(product[None])
    spread = terms - 2 * float(sums[0])
    return spread if float(bounds[0]) <= SURE * spread else None


def _spread_near_zero(root_a: Float64, root_b: Float64, product: Float64) -> float:
    """Return tr C_a + tr C_b - 2 tr (C_a C_b)^(1/2) as a sum of squares, |R_a - Q R_b|^2 with the best orthogonal Q.

    The difference of large traces has rounding errors of 1e-16 times the traces, of either sign; a sum of squares has
    no sign to lose. ``root_a`` has no more rows than ``root_b``; what Q leaves of ``root_b`` is added.
    """
    left, _, right = np.linalg.svd(product, full_matrices=False)
    turned = right @ root_b
    first = root_a - left @ turned
    rest = root_b - right.T @ turned
    return float(np.einsum("ij,ij->", first, first) + np.einsum("ij,ij->", rest, rest))


def squared_frechet(a: Any, b: Any) -> float:
    """Fit both sets, each (n, d), and return their squared Fréchet distance."""
    return frechet_distance(Gaussian.fit(np.asarray(a)), Gaussian.fit(np.asarray(b)))
