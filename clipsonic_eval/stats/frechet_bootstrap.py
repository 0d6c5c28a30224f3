"""Fréchet distances of many resamples at once.

A resample only changes the weights of the clips, so its moments come from weighted sums over the vectors that are
already in memory; nothing is gathered. Each resample then costs one Cholesky factor of the reference (shared by all
systems), and by system a weighted d x d product and d eigenvalues. The eigenvalue form is good to about 1e-7 of the
summed terms, far below the spread that it measures; reported distances come from :mod:`clipsonic_eval.stats.frechet`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.arraytypes import Float64, FloatArray, Int
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.bootstrap import damped
from clipsonic_eval.stats.frechet import Gaussian

_CHUNK_VALUES = 4_000_000  # float64 values of a chunk of covariances


@dataclass(frozen=True, slots=True)
class Weighted:
    """A set of vectors and its resamples.

    Attributes:
        vectors: (rows, d).
        clip_of_row: (rows,) which clip each row belongs to.
        counts: (n_boot, clips) from :func:`~clipsonic_eval.stats.bootstrap.clip_weights`.
    """

    vectors: FloatArray
    clip_of_row: Int
    counts: NDArray[np.uint16]

    def row_weights(self, start: int, stop: int) -> Float64:
        """Return the damped weights of the rows for some of the resamples, (stop - start, rows)."""
        return damped(self.counts[start:stop])[:, self.clip_of_row]


def frechet_replicates(reference: Weighted, systems: Sequence[Weighted]) -> Float64:
    """Return the squared Fréchet distance of each system to the reference in each resample (damped weights).

    Args:
        reference: the reference set, resampled too: its clips are a sample as well.
        systems: with as many resamples each.

    Returns:
        (len(systems), n_boot) float64.

    Raises:
        ShapeError: the numbers of resamples differ.
    """
    n_boot = len(reference.counts)
    if any(len(s.counts) != n_boot for s in systems):
        raise ShapeError("all sets must have the same number of resamples; draw them with one n_boot")
    origin = reference.vectors.mean(axis=0, dtype=np.float64)
    basis = _common_basis(origin, [reference, *systems])
    sets = [_placed(s, origin, basis) for s in (reference, *systems)]
    d = sets[0].vectors.shape[1]
    step = max(1, _CHUNK_VALUES // (d * d))
    result = np.empty((len(systems), n_boot))
    for start in range(0, n_boot, step):
        stop = min(n_boot, start + step)
        mean, covariance = _moments(sets[0], start, stop)
        root = _roots(covariance)
        trace = np.trace(covariance, axis1=1, axis2=2)
        for row, system in enumerate(sets[1:]):
            other_mean, other = _moments(system, start, stop)
            values = np.linalg.eigvalsh(np.swapaxes(root, 1, 2) @ other @ root)
            cross = np.sqrt(np.maximum(values, 0)).sum(axis=1)
            spread = trace + np.trace(other, axis1=1, axis2=2) - 2 * cross
            result[row, start:stop] = ((mean - other_mean) ** 2).sum(axis=1) + np.maximum(spread, 0)
    return result


def replicates_to(reference: Gaussian, systems: Sequence[Weighted]) -> Float64:
    """Return the squared Fréchet distance of each system to fixed moments in each of its resamples (damped weights).

    Args:
        reference: stays as it is, so that the spread is that of the system alone.
        systems: with as many resamples each.

    Returns:
        (len(systems), n_boot) float64.

    Raises:
        ShapeError: a dimension is not the reference's.
    """
    return np.stack([_replicates_of_one(reference, system) for system in systems])


def _replicates_of_one(reference: Gaussian, system: Weighted) -> Float64:
    """Work on the rows times R^T, whose covariance is R C R^T, with the square root's trace that the distance needs."""
    if system.vectors.shape[1] != len(reference.mean):
        raise ShapeError(f"Gaussians of different dimension, {len(reference.mean)} and {system.vectors.shape[1]}")
    rows = system.vectors.astype(np.float64) - system.vectors.mean(axis=0, dtype=np.float64)
    shift = system.vectors.mean(axis=0, dtype=np.float64) - reference.mean
    turned = rows @ reference.root.T
    if len(turned) < turned.shape[1]:
        turned = turned @ np.linalg.qr(turned.T)[0]
    placed = Weighted(turned, system.clip_of_row, system.counts)
    squares = np.einsum("ij,ij->i", rows, rows)
    step = max(1, _CHUNK_VALUES // turned.shape[1] ** 2)
    result = np.empty(len(system.counts))
    for start in range(0, len(result), step):
        stop = min(len(result), start + step)
        weights = system.row_weights(start, stop)
        total = weights.sum(axis=1)
        moved = weights @ rows / total[:, None]
        trace = (weights @ squares - total * (moved**2).sum(axis=1)) / np.maximum(total - 1, 1)
        values = np.linalg.eigvalsh(_moments(placed, start, stop)[1])
        spread = reference.trace + trace - 2 * np.sqrt(np.maximum(values, 0)).sum(axis=1)
        result[start:stop] = ((shift + moved) ** 2).sum(axis=1) + np.maximum(spread, 0)
    return result


def _common_basis(origin: Float64, sets: Sequence[Weighted]) -> Float64 | None:
    """Return an orthonormal basis (d, r) of all centred rows, in which distances stay the same, if r < d."""
    rows = sum(len(s.vectors) for s in sets)
    if rows >= len(origin):
        return None
    stacked = np.concatenate([s.vectors.astype(np.float64) - origin for s in sets])
    basis: Float64 = np.linalg.qr(stacked.T)[0]
    return basis


def _placed(group: Weighted, origin: Float64, basis: Float64 | None) -> Weighted:
    vectors = group.vectors.astype(np.float64) - origin
    return Weighted(vectors if basis is None else vectors @ basis, group.clip_of_row, group.counts)


def _moments(group: Weighted, start: int, stop: int) -> tuple[Float64, Float64]:
    """Return means (b, d) and covariances (b, d, d) of some resamples."""
    centre = group.vectors.mean(axis=0)
    rows = group.vectors - centre
    weights = group.row_weights(start, stop)
    total = weights.sum(axis=1)
    mean = weights @ rows / total[:, None]
    d = rows.shape[1]
    covariance = np.empty((stop - start, d, d))
    for i, weight in enumerate(weights):
        covariance[i] = (rows * weight[:, None]).T @ rows
    covariance -= total[:, None, None] * mean[:, :, None] * mean[:, None, :]
    covariance /= np.maximum(total - 1, 1)[:, None, None]
    return mean + centre, covariance


def _roots(covariance: Float64) -> Float64:
    """Return L (b, d, d) with L L^T the covariance; by Cholesky, or by eigenvalues where one is singular."""
    try:
        return np.asarray(np.linalg.cholesky(covariance), np.float64)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        root: Float64 = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
        return root
