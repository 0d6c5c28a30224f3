"""Squared Fréchet distance of two Gaussians, exact to rounding on the sets that break other tools.

    d² = |μ_a − μ_b|² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½)

Conventions: float64 throughout; moments in two passes (mean first, then centred), so that float32 vectors far from the
origin lose nothing; covariance with divisor n − 1. A covariance is never formed: a Gaussian keeps a *root* R with
Rᵀ R = Σ, for which tr (Σ_a Σ_b)^½ is the nuclear norm (sum of singular values) of R_a R_bᵀ. That is real and
non-negative by construction, needs no matrix square root, no epsilon and no full rank (n < d is an ordinary case), and
does not square the condition number as an eigenvalue problem of Σ_a Σ_b does. Large products P are first tried by the
eigenvalues of P Pᵀ, three times quicker; the result is kept where a bound on its rounding guarantees eight digits of
the distance.

Cost: n d min(n, d) for the moments, then min(n_a, d) min(n_b, d) d for the product and the cube of the smaller of the
two for the singular values. Measured next to other packages: ``tox -e benchmarks``, reports/benchmarks.

Source: D. C. Dowson and B. V. Landau, The Fréchet distance between multivariate normal distributions, 1982 (equation
4). The orthogonal form used near zero: R. Bhatia, T. Jain and Y. Lim, On the Bures-Wasserstein distance between
positive definite matrices, 2019 (theorem 1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import blas, lapack

from clipsonic_eval.arraytypes import Float64, FloatArray
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats._nuclear import nuclear_norms

BLOCK_ROWS = 512  # rows held in float64 at once while fitting: they stay in the processor's cache
RELATIVE_ERROR = 1e-8  # largest error of a spread, as a fraction of it, with which the eigenvalues are kept
_WELL_CONDITIONED = 1e-4  # reciprocal condition of a Cholesky root from which on its error stays below 1e-11
_LARGE = 256  # from this rank on the eigenvalues are tried
_CANCELLED = 1e-6  # below this fraction of the summed terms the difference is taken in the orthogonal form


@dataclass(frozen=True, slots=True)
class Gaussian:
    """The first two moments of a set of vectors.

    Attributes:
        n: vectors that it was fitted to; 0 for moments that were given.
        mean: (d,) float64 μ.
        root: (r, d) float64 R with ``root.T @ root`` the covariance Σ; r = min(n − 1, d).
    """

    n: int
    mean: Float64
    root: Float64

    @classmethod
    def fit(cls, vectors: FloatArray) -> Gaussian:
        """Fit mean and covariance (divisor n − 1).

        Args:
            vectors: (n, d) floating point, n >= 2; extra memory is a few thousand rows.

        Raises:
            ShapeError: fewer than two vectors, or some value is not finite.

        Example:
            >>> gaussian = Gaussian.fit(np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 3.0]]))
            >>> gaussian.mean, np.round(gaussian.root.T @ gaussian.root, 6) + 0.0
            (array([1., 1.]), array([[1., 0.],
                   [0., 3.]]))
        """
        if vectors.ndim != 2 or len(vectors) < 2 or vectors.shape[1] < 1:
            raise ShapeError(f"a covariance needs at least 2 vectors as an array (n, d), got shape {vectors.shape}")
        n, d = vectors.shape
        mean = _mean(vectors)
        if not np.isfinite(mean).all():
            raise ShapeError("vectors must be finite; some are NaN or infinite, so the encoder or its input is broken")
        if n <= d:
            return cls(n, mean, _without_mean_direction(np.subtract(vectors, mean, dtype=np.float64)) / np.sqrt(n - 1))
        return cls(n, mean, _root(vectors, mean) / np.sqrt(n - 1))

    @classmethod
    def from_covariance(cls, mean: FloatArray, covariance: FloatArray) -> Gaussian:
        """Take moments as given, e.g. stored reference statistics.

        Args:
            mean: (d,).
            covariance: (d, d), symmetric, without eigenvalues below zero by more than rounding.

        Raises:
            ShapeError: another shape, not finite, not symmetric, or not positive semi-definite.

        Example:
            >>> gaussian = Gaussian.from_covariance(np.zeros(2), np.diag([1.0, 4.0]))
            >>> round(gaussian.trace, 12)
            5.0
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
        return cls(0, centre, np.sqrt(np.maximum(values, 0))[:, None] * vectors.T)  # R = Λ^½ Vᵀ

    @property
    def trace(self) -> float:
        """Trace of the covariance, tr Σ = |R|²_F."""
        return float(np.einsum("ij,ij->", self.root, self.root))


def _mean(vectors: FloatArray) -> Float64:
    origin = np.zeros(vectors.shape[1])
    total = np.zeros(vectors.shape[1])
    for rows in _centred_blocks(vectors, origin):
        total += np.ones(len(rows)) @ rows
    mean: Float64 = total / len(vectors)
    return mean


def _centred_blocks(vectors: FloatArray, mean: Float64) -> Iterator[Float64]:
    """Yield blocks of (n, d) rows less the mean (d,), each (b, d) float64, always in the same memory."""
    held = np.empty((min(BLOCK_ROWS, len(vectors)), vectors.shape[1]))
    for start in range(0, len(vectors), BLOCK_ROWS):
        part = vectors[start : start + BLOCK_ROWS]
        yield np.subtract(part, mean, out=held[: len(part)], dtype=np.float64)


def _without_mean_direction(centred: Float64) -> Float64:
    """Return n − 1 rows with the sum of outer products of n rows that sum to zero.

    These are rows 2 to n of H X, with H the Householder reflection that maps (1, …, 1)/√n onto the first axis; row 1 of
    H X is zero. The rank that the mean took is gone, so no singular value is zero for that reason alone.

    Args:
        centred: (n, d) float64 X.

    Returns:
        (n − 1, d) float64.
    """
    rows: Float64 = centred[1:] - centred[0] / (1 + np.sqrt(len(centred)))  # (H X)ᵢ = xᵢ − x₁ / (1 + √n)
    return rows


def _root(vectors: FloatArray, mean: Float64) -> Float64:
    """Return R (d, d) with Rᵀ R the scatter matrix (sum of outer products of the centred rows); n > d.

    The Cholesky factor of the scatter is five times quicker than a QR factorisation of the rows, and as good while the
    scatter is well conditioned. Otherwise its rounding errors, relative to the largest eigenvalue, would enter the
    small ones by their square roots, and the rows are factorised.
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

    Args:
        a: of dimension d.
        b: of the same dimension.

    Raises:
        ShapeError: the dimensions differ.

    Source: D. C. Dowson and B. V. Landau, 1982 (equation 4).

    Example:
        >>> a = Gaussian.from_covariance(np.zeros(2), np.diag([1.0, 4.0]))
        >>> b = Gaussian.from_covariance(np.array([3.0, 0.0]), np.diag([4.0, 4.0]))
        >>> round(frechet_distance(a, b), 9)  # 3² + (2 − 1)² + (2 − 2)²
        10.0
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
        # tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½) = tr Σ_a + tr Σ_b − 2 ‖R_a R_bᵀ‖_*
        spread = terms - 2 * float(np.linalg.svd(product, compute_uv=False).sum())
    if spread < _CANCELLED * terms:
        spread = _spread_near_zero(a.root, b.root, product)
    return float(shift @ shift) + spread  # d² = |μ_a − μ_b|² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½)


def _spread_by_eigenvalues(product: Float64, terms: float) -> float | None:
    """Return tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½), or None where rounding may exceed :data:`RELATIVE_ERROR`.

    Args:
        product: (r_a, r_b) float64 R_a R_bᵀ.
        terms: tr Σ_a + tr Σ_b.
    """
    norms, bounds = nuclear_norms(product[None])
    spread = terms - 2 * float(norms[0])
    return spread if float(bounds[0]) <= RELATIVE_ERROR * spread else None


def _spread_near_zero(root_a: Float64, root_b: Float64, product: Float64) -> float:
    """Return tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½) as a sum of squares, min over orthogonal Q of |R_a − Q R_b|²_F.

    The difference of large traces has rounding errors of 1e-16 times the traces, of either sign; a sum of squares has
    no sign to lose.

    Args:
        root_a: (r_a, d) float64.
        root_b: (r_b, d) float64, r_b >= r_a; the part that Q does not reach is added.
        product: (r_a, r_b) float64 R_a R_bᵀ.
    """
    left, _, right = np.linalg.svd(product, full_matrices=False)  # R_a R_bᵀ = U S Vᵀ, the best Q is U Vᵀ
    turned = right @ root_b
    first = root_a - left @ turned
    rest = root_b - right.T @ turned
    return float(np.einsum("ij,ij->", first, first) + np.einsum("ij,ij->", rest, rest))


def squared_frechet(a: Any, b: Any) -> float:
    """Return the squared Fréchet distance of the Gaussians fitted to two sets.

    Args:
        a: (n, d) array.
        b: (m, d) array.

    Raises:
        ShapeError: fewer than two vectors in a set, a value that is not finite, or different dimensions.

    Example:
        >>> a = np.array([[0.0], [2.0]])
        >>> round(squared_frechet(a, a + 3.0), 12)  # a shift alone
        9.0
    """
    return frechet_distance(Gaussian.fit(np.asarray(a)), Gaussian.fit(np.asarray(b)))
