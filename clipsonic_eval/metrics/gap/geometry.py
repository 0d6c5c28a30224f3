"""Cosines and distances of paired unit vectors, with the values that their intervals need.

Means over pairs of different items are U-statistics: a resample would pair an item with its own copies. They
come with the value without each item in turn, for the jackknife. The plug-in centroid distance and the centred cosine
take weights, for the bootstrap.
"""

from __future__ import annotations

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.stats.bootstrap import Counts, damped_weights
from clipsonic_eval.stats.chunking import chunks

_ROUNDING = 1e-28  # product of two lengths that rounding alone leaves of centred unit vectors


def matched_cosines(x: Float64, y: Float64) -> Float64:
    """Return the cosine of each pair: unit vectors (n, d), (n, d) -> (n,)."""
    cosines: Float64 = np.einsum("ij,ij->i", x, y)  # x_i·y_i
    return cosines


def mean_of_unmatched(x: Float64, y: Float64) -> tuple[float, Float64]:
    """Return the mean of x_i . y_j over i != j, and the same without each item in turn.

    Args:
        x: (n, d) float64, n >= 3.
        y: (n, d) float64.

    Returns:
        (mean, (n,) float64 means without each item).

    Example:
        >>> x = np.eye(3) + 1
        >>> mean, without = mean_of_unmatched(x, x)
        >>> mean, without
        (5.0, array([5., 5., 5.]))
    """
    n = len(x)
    sum_x, sum_y = x.sum(axis=0), y.sum(axis=0)
    own = np.einsum("ij,ij->i", x, y)
    total = float(sum_x @ sum_y - own.sum())  # Σ_{i≠j} x_i·y_j = (Σ x_i)·(Σ y_j) − Σ x_i·y_i
    without = total - x @ sum_y - y @ sum_x + 2 * own
    # without item k: (total − x_k·Σy − y_k·Σx + 2 x_k·y_k) / ((n − 1) (n − 2))
    return total / (n * (n - 1)), without / ((n - 1) * (n - 2))


def centred_cosines(x: Float64, y: Float64) -> Float64:
    """Return the cosine of each pair after each side's own centroid is subtracted: (n, d), (n, d) -> (n,).

    What is left is what an item says beyond the average of its side: moving a cloud as a whole does not change it. An
    item that lies on its centroid has cosine 0.
    """
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)  # x_i − x̄, y_i − ȳ
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    products = np.einsum("ij,ij->i", a, b)
    cosines: Float64 = np.divide(products, norms, out=np.zeros_like(products), where=norms > _ROUNDING)
    return cosines


def centroid_distance_replicates(x: Float64, y: Float64, counts: Counts) -> Float64:
    """Return the centroid distance in resamples of the pairs, damped weights: counts (b, n) -> (b,)."""
    difference = x - y
    result = np.empty(len(counts))
    for part in chunks(len(counts), max(x.shape)):
        result[part] = np.linalg.norm(
            damped_weights(counts[part]) @ difference / len(x), axis=1
        )  # |Σ w_i (x_i − y_i)| / n
    return result


def centred_cosine_replicates(x: Float64, y: Float64, counts: Counts) -> Float64:
    """Return the mean centred cosine in resamples, damped weights, each with its own centroids: (b, n) -> (b,)."""
    n = len(x)
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    own, norm_a, norm_b = (np.einsum("ij,ij->i", p, q) for p, q in ((a, b), (a, a), (b, b)))
    result = np.empty(len(counts))
    for part in chunks(len(counts), n):
        weights = damped_weights(counts[part])
        shift_a, shift_b = weights @ a / n, weights @ b / n  # centroids of the resample
        between = np.einsum("ij,ij->i", shift_a, shift_b)[:, None]
        products = own - shift_b @ a.T - shift_a @ b.T + between  # (a_i − ā)·(b_i − b̄)
        square_a = norm_a - 2 * shift_a @ a.T + np.einsum("ij,ij->i", shift_a, shift_a)[:, None]
        square_b = norm_b - 2 * shift_b @ b.T + np.einsum("ij,ij->i", shift_b, shift_b)[:, None]
        norms = np.sqrt(np.maximum(square_a, 0) * np.maximum(square_b, 0))
        cosines = np.divide(products, norms, out=np.zeros_like(products), where=norms > _ROUNDING)
        result[part] = np.einsum("ij,ij->i", weights, cosines) / n
    return result
