"""Squared maximum mean discrepancy of two sets of clips, without bias, with what its intervals need.

    MMD^2 = mean k(x, x') + mean k(y, y') - 2 mean k(x, y)

over pairs of rows of *different* clips within a set and over all pairs between the sets (the U-statistic). Its
expectation is the same at every n, so it needs no equal n and no extrapolation; it may be negative where the sets
hardly differ, and is about -2/n for a set and itself.

Source: A. Gretton et al., A Kernel Two-Sample Test, JMLR 2012 (lemma 6).
"""

from __future__ import annotations

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.stats.pairwise import Kernel, LeaveOneOut, Rows, mean_between, mean_within, squared_distances


def mmd_squared(system: Rows, reference: Rows, kernel: Kernel, *, of_differences: bool = False) -> LeaveOneOut:
    """Return the unbiased squared discrepancy of two sets of at least three clips each.

    Args:
        system: measured from the same origin as
        reference: near which that should lie.
        kernel: of two rows.
        of_differences: it depends on x - y alone. Pairs within a set are then measured from the set's own mean, so that
            one far from the reference loses nothing to rounding.
    """
    inner = [_centred(rows) if of_differences else rows for rows in (system, reference)]
    own, other = mean_within(inner[0], kernel), mean_within(inner[1], kernel)
    between = mean_between(system, reference, kernel)
    return LeaveOneOut(
        own.value + other.value - 2 * between.value,
        own.without_first + other.value - 2 * between.without_first,
        own.value + other.without_first - 2 * between.without_second,
    )


def _centred(rows: Rows) -> Rows:
    return Rows(rows.vectors - rows.vectors.mean(axis=0), rows.clip_of_row)


def gaussian_kernel(bandwidth: float, epsilon: float = 0.0) -> Kernel:
    """Return exp(-|x - y|^2 / (2 bandwidth^2 + epsilon))."""
    scale = -1 / (2 * bandwidth**2 + epsilon)

    def kernel(x: Float64, y: Float64) -> Float64:
        values = squared_distances(x, y)
        values *= scale
        return np.exp(values, out=values)

    return kernel


def inverse_quadratic_kernel(bandwidth: float, epsilon: float = 0.0) -> Kernel:
    """Return 1 / (1 + |x - y|^2 / (2 bandwidth^2 + epsilon))."""
    scale = 1 / (2 * bandwidth**2 + epsilon)

    def kernel(x: Float64, y: Float64) -> Float64:
        values = squared_distances(x, y)
        values *= scale
        values += 1
        return np.reciprocal(values, out=values)

    return kernel


def inverse_multiquadric_kernel(bandwidth: float, epsilon: float = 0.0) -> Kernel:
    """Return the square root of :func:`inverse_quadratic_kernel`: heavier tails."""
    inner = inverse_quadratic_kernel(bandwidth, epsilon)

    def kernel(x: Float64, y: Float64) -> Float64:
        values = inner(x, y)
        return np.sqrt(values, out=values)

    return kernel


def cubic_kernel(x: Float64, y: Float64) -> Float64:
    """Return (x . y / d + 1)^3, the kernel of KID."""
    base = x @ y.T
    base /= x.shape[1]
    base += 1
    result = base * base
    result *= base
    return result
