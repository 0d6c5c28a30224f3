"""Mean and covariance of vectors that do not fit into memory: from a stream, from shards, from several machines.

Vectors are measured from the first block's mean, so that float32 vectors far from the origin lose nothing, and sums are
kept in float64. Moments of parts merge into those of the whole in any order and grouping, to rounding.

Where all vectors are in memory, :meth:`~clipsonic_eval.stats.frechet.Gaussian.fit` is the better choice: where the
covariance is close to singular it factorises the vectors themselves, and the sums here have lost what it needs for that
(small eigenvalues carry an absolute error of about 1e-16 of the largest).

Memory: 2 d² float64 numbers and one block; d = 512: 4 MB. Time: n d² multiplications.

Source of the merge: T. F. Chan, G. H. Golub and R. J. LeVeque, Updating formulae and a pairwise algorithm for
computing sample variances, 1979.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas

from clipsonic_eval.arraytypes import Float64, FloatArray
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.frechet import BLOCK_ROWS, Gaussian


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments of n vectors.

    Attributes:
        n: number of vectors.
        mean: (d,) float64.
        scatter: (d, d) float64, sum of outer products of the vectors less their mean.

    Example:
        >>> whole = Moments.of([np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([[4.0, 4.0]])])
        >>> whole.n, whole.mean, whole.scatter
        (3, array([2., 2.]), array([[8., 6.],
               [6., 6.]]))
    """

    n: int
    mean: Float64
    scatter: Float64

    @classmethod
    def of(cls, blocks: Iterable[FloatArray]) -> Moments:
        """Return the moments of a stream.

        Args:
            blocks: arrays (rows, d) floating point, any number of rows each.

        Raises:
            ShapeError: no vector at all, blocks of different width, or a value that is not finite.
        """
        n, origin, total, upper = 0, np.zeros(0), np.zeros(0), np.zeros((0, 0), order="F")
        for block in blocks:
            if block.ndim != 2 or (n and block.shape[1] != len(origin)):
                raise ShapeError(f"blocks must be (rows, d) with the same d, got {block.shape}")
            if len(block) and not n:
                d = block.shape[1]
                origin, total = block.mean(axis=0, dtype=np.float64), np.zeros(d)
                upper = np.zeros((d, d), order="F")
            for start in range(0, len(block), BLOCK_ROWS):
                rows = np.subtract(block[start : start + BLOCK_ROWS], origin, dtype=np.float64)
                total += np.ones(len(rows)) @ rows
                upper = blas.dsyrk(1.0, rows.T, beta=1.0, c=upper, overwrite_c=1)
                n += len(rows)
        if not n:
            raise ShapeError("moments need at least one vector; the stream was empty")
        if not np.isfinite(total).all():
            raise ShapeError("vectors must be finite; some are NaN or infinite, so the encoder or its input is broken")
        shift = total / n
        scatter = np.triu(upper) + np.triu(upper, 1).T - n * np.outer(shift, shift)
        return cls(n, origin + shift, scatter)

    def merged(self, other: Moments) -> Moments:
        """Return the moments of both sets of vectors together.

        Raises:
            ShapeError: the dimensions differ.

        Source: T. F. Chan, G. H. Golub and R. J. LeVeque, 1979.

        Example:
            >>> a, b = np.array([[0.0], [2.0]]), np.array([[10.0]])
            >>> merged = Moments.of([a]).merged(Moments.of([b]))
            >>> merged.mean, merged.scatter.round(6)
            (array([4.]), array([[56.]]))
        """
        if len(self.mean) != len(other.mean):
            raise ShapeError(f"moments of different dimension, {len(self.mean)} and {len(other.mean)}")
        n = self.n + other.n
        apart = other.mean - self.mean
        between = np.outer(apart, apart) * (self.n * other.n / n)  # S = S₁ + S₂ + n₁n₂/n (μ₂ − μ₁)(μ₂ − μ₁)ᵀ
        return Moments(n, self.mean + apart * (other.n / n), self.scatter + other.scatter + between)

    def gaussian(self) -> Gaussian:
        """Return the Gaussian with this mean and covariance (divisor n − 1).

        Raises:
            ShapeError: fewer than two vectors.
        """
        if self.n < 2:
            raise ShapeError(f"a covariance needs at least 2 vectors, got {self.n}")
        return Gaussian.from_covariance(self.mean, self.scatter / (self.n - 1))
