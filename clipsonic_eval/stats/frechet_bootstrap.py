"""Squared Fréchet distances in many resamples at once.

A resample only changes the weights of the clips, so its moments are weighted sums over the vectors already in memory;
nothing is gathered. Each resample then costs one Cholesky factor of the reference (shared by all systems) and, per
system, a weighted d × d product and d eigenvalues. The eigenvalue form is good to about 1e-7 of the summed terms, far
below the spread that it measures; reported distances come from :mod:`clipsonic_eval.stats.frechet`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipsonic_eval.arraytypes import Float64, FloatArray, Int
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.bootstrap import Counts, damped_weights
from clipsonic_eval.stats.chunking import chunks
from clipsonic_eval.stats.frechet import Gaussian


@dataclass(frozen=True, slots=True)
class ResampledSet:
    """A set of vectors with its resamples.

    Attributes:
        vectors: (rows, d) floating point.
        clip_of_row: (rows,) intp, index of the clip that each row belongs to.
        counts: (n_boot, clips) from :func:`~clipsonic_eval.stats.bootstrap.resample_counts`.
    """

    vectors: FloatArray
    clip_of_row: Int
    counts: Counts

    def row_weights(self, resamples: slice) -> Float64:
        """Return the damped weights of the rows in some resamples, (resamples, rows) float64."""
        return damped_weights(self.counts[resamples])[:, self.clip_of_row]


def frechet_replicates(reference: ResampledSet, systems: Sequence[ResampledSet]) -> Float64:
    """Return the squared Fréchet distance of each system to the reference in each resample (damped weights).

    Args:
        reference: resampled like the systems: its clips are a sample as well.
        systems: with as many resamples each.

    Returns:
        (systems, n_boot) float64.

    Raises:
        ShapeError: the numbers of resamples differ.

    Example:
        >>> rows, clip_of_row = np.array([[0.0], [1.0], [2.0]]), np.arange(3)
        >>> once = np.ones((1, 3), dtype=np.uint16)  # every clip once: the sample itself
        >>> reference = ResampledSet(rows, clip_of_row, once)
        >>> frechet_replicates(reference, [ResampledSet(rows + 3.0, clip_of_row, once)]).round(6)
        array([[9.]])
    """
    n_boot = len(reference.counts)
    if any(len(s.counts) != n_boot for s in systems):
        raise ShapeError("all sets must have the same number of resamples; draw them with one n_boot")
    origin = reference.vectors.mean(axis=0, dtype=np.float64)
    basis = _common_basis(origin, [reference, *systems])
    sets = [_in_basis(s, origin, basis) for s in (reference, *systems)]
    d = sets[0].vectors.shape[1]
    result = np.empty((len(systems), n_boot))
    for part in chunks(n_boot, d * d):
        mean, covariance = _moments(sets[0], part)
        root = _roots(covariance)
        trace = np.trace(covariance, axis1=1, axis2=2)
        for row, system in enumerate(sets[1:]):
            other_mean, other = _moments(system, part)
            values = np.linalg.eigvalsh(np.swapaxes(root, 1, 2) @ other @ root)
            cross = np.sqrt(np.maximum(values, 0)).sum(axis=1)  # tr (Σ_a Σ_b)^½ = Σ λᵢ(Lᵀ Σ_b L)^½, Σ_a = L Lᵀ
            spread = trace + np.trace(other, axis1=1, axis2=2) - 2 * cross
            result[row, part] = ((mean - other_mean) ** 2).sum(axis=1) + np.maximum(spread, 0)
    return result


def frechet_replicates_to(reference: Gaussian, systems: Sequence[ResampledSet]) -> Float64:
    """Return the squared Fréchet distance of each system to fixed moments in each of its resamples (damped weights).

    Args:
        reference: stays as it is, so that the spread is that of the system alone.
        systems: with as many resamples each.

    Returns:
        (systems, n_boot) float64.

    Raises:
        ShapeError: a dimension is not the reference's.

    Example:
        >>> reference = Gaussian.from_covariance(np.zeros(1), np.eye(1))
        >>> system = ResampledSet(np.array([[2.0], [3.0], [4.0]]), np.arange(3), np.ones((2, 3), dtype=np.uint16))
        >>> frechet_replicates_to(reference, [system]).round(6)
        array([[9., 9.]])
    """
    return np.stack([_replicates_of_one(reference, system) for system in systems])


def _replicates_of_one(reference: Gaussian, system: ResampledSet) -> Float64:
    """Return the distances of one system to fixed moments, (n_boot,) float64.

    The rows times Rᵀ have the covariance R Σ Rᵀ, whose eigenvalues give tr (Σ_ref Σ)^½ = Σ λᵢ^½.
    """
    if system.vectors.shape[1] != len(reference.mean):
        raise ShapeError(f"Gaussians of different dimension, {len(reference.mean)} and {system.vectors.shape[1]}")
    rows = system.vectors.astype(np.float64) - system.vectors.mean(axis=0, dtype=np.float64)
    shift = system.vectors.mean(axis=0, dtype=np.float64) - reference.mean
    turned = rows @ reference.root.T
    if len(turned) < turned.shape[1]:
        turned = turned @ np.linalg.qr(turned.T)[0]
    mapped = ResampledSet(turned, system.clip_of_row, system.counts)
    squares = np.einsum("ij,ij->i", rows, rows)
    result = np.empty(len(system.counts))
    for part in chunks(len(result), turned.shape[1] ** 2):
        weights = system.row_weights(part)
        total = weights.sum(axis=1)
        moved = weights @ rows / total[:, None]
        trace = (weights @ squares - total * (moved**2).sum(axis=1)) / np.maximum(total - 1, 1)
        values = np.linalg.eigvalsh(_moments(mapped, part)[1])
        spread = reference.trace + trace - 2 * np.sqrt(np.maximum(values, 0)).sum(axis=1)
        result[part] = ((shift + moved) ** 2).sum(axis=1) + np.maximum(spread, 0)
    return result


def _common_basis(origin: Float64, sets: Sequence[ResampledSet]) -> Float64 | None:
    """Return an orthonormal basis (d, r) of all centred rows, in which distances stay the same, if r < d."""
    rows = sum(len(s.vectors) for s in sets)
    if rows >= len(origin):
        return None
    stacked = np.concatenate([s.vectors.astype(np.float64) - origin for s in sets])
    basis: Float64 = np.linalg.qr(stacked.T)[0]
    return basis


def _in_basis(group: ResampledSet, origin: Float64, basis: Float64 | None) -> ResampledSet:
    vectors = group.vectors.astype(np.float64) - origin
    return ResampledSet(vectors if basis is None else vectors @ basis, group.clip_of_row, group.counts)


def _moments(group: ResampledSet, resamples: slice) -> tuple[Float64, Float64]:
    """Return means (b, d) and covariances (b, d, d) of b resamples."""
    centre = group.vectors.mean(axis=0)
    rows = group.vectors - centre
    weights = group.row_weights(resamples)
    total = weights.sum(axis=1)
    mean = weights @ rows / total[:, None]
    d = rows.shape[1]
    covariance = np.empty((len(weights), d, d))
    for i, weight in enumerate(weights):
        covariance[i] = (rows * weight[:, None]).T @ rows
    # Σ = (Σᵢ wᵢ xᵢ xᵢᵀ − W m mᵀ) / (W − 1), W = Σᵢ wᵢ
    covariance -= total[:, None, None] * mean[:, :, None] * mean[:, None, :]
    covariance /= np.maximum(total - 1, 1)[:, None, None]
    return mean + centre, covariance


def _roots(covariance: Float64) -> Float64:
    """Return L (b, d, d) with L Lᵀ the covariance; by Cholesky, or by eigenvalues where one is singular."""
    try:
        return np.asarray(np.linalg.cholesky(covariance), np.float64)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        root: Float64 = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
        return root
