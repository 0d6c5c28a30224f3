"""Mean and covariance of vectors that never lie in memory together: from a stream, from shards, from several machines.

Vectors are measured from the first block's mean, so that float32 vectors far from the origin lose nothing, and sums are
kept in float64. Moments of parts merge into those of the whole in any order and grouping, to rounding.

:meth:`~clipsonic_eval.stats.frechet.Gaussian.fit` is the better choice where all vectors are at hand: where the
covariance is close to singular it factorises the vectors themselves, and the sums here have lost what it needs for that
(small eigenvalues carry an absolute error of about 1e-16 of the largest).

Memory: 2 d^2 float64 numbers and one block; d = 512: 4 MB. Time: n d^2 multiplications.

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
        n: vectors.
        mean: (d,) float64.
        scatter: (d, d) float64, sum of outer products of the vectors less their mean.
    """

    n: int
    mean: Float64
    scatter: Float64

    @classmethod
    def of(cls, blocks: Iterable[FloatArray]) -> Moments:
        """Take the moments of a stream of blocks, each (rows, d).

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
        """
        if len(self.mean) != len(other.mean):
            raise ShapeError(f"moments of different dimension, {len(self.mean)} and {len(other.mean)}")
        n = self.n + other.n
        apart = other.mean - self.mean
        between = np.outer(apart, apart) * (self.n * other.n / n)
        return Moments(n, self.mean + apart * (other.n / n), self.scatter + other.scatter + between)

    def gaussian(self) -> Gaussian:
        """Return the Gaussian with this mean and covariance (n - 1).

        Raises:
            ShapeError: fewer than two vectors.
        """
        if self.n < 2:
            raise ShapeError(f"a covariance needs at least 2 vectors, got {self.n}")
        return Gaussian.from_covariance(self.mean, self.scatter / (self.n - 1))
